{{ config(
    materialized="incremental",
    incremental_strategy="append",
    pre_hook="{% if is_adding() %}
        delete from {{ this }}
        where
            {{ var('related_due') }}
            or exists (
                select 1 from {{ this }} as listed
                where listed.article_id not in (select article_id from {{ ref('int_recommendable_articles') }})
            )
    {% endif %}"
) }}

-- What those get of whom nothing may be known: what many lately read and what is new, by turns, not all of one topic. Two lists,
-- with and without what is health-sensitive, made anew with related_articles.
with

due as (
    {#- empty where it is due, by the hook above #}
    select {{ "not exists (from " ~ this ~ ")" if is_adding() else "true" }} as is_due
),

articles as (
    select *
    from {{ ref("int_recommendable_articles") }}
    where published_at > {{ as_of() }} - interval {{ var("fresh_article_days") }} day and (select is_due from due)
),

-- by device: whose it is does not matter here
reader_counts as (
    select
        article_id,
        count(distinct visitor_id) as reader_count
    from {{ ref("int_article_views") }}
    where
        tracking_consent
        and occurred_at > {{ as_of() }} - interval {{ var("treatment_reading_days") }} day
        and occurred_at <= {{ as_of() }}
        and (select is_due from due)
    group by article_id
),

audiences as (
    select unnest([false, true]) as for_health_consent
),

allowed as (
    select
        audiences.for_health_consent,
        articles.*,
        coalesce(reader_counts.reader_count, 0) as reader_count
    from audiences
    inner join articles on audiences.for_health_consent or not articles.has_sensitive_treatment
    left join reader_counts on articles.article_id = reader_counts.article_id
),

listed as (
    select
        for_health_consent,
        article_id,
        topic,
        case when reader_count > 0 then 'popular' else 'new' end as reason,
        row_number() over (
            partition by for_health_consent
            order by reader_count desc, published_at desc, article_id
        ) as place
    from allowed
    union all
    select
        for_health_consent,
        article_id,
        topic,
        'new' as reason,
        row_number() over (
            partition by for_health_consent
            order by published_at desc, article_id
        ) as place
    from allowed
    where published_at > {{ as_of() }} - interval {{ var("new_article_days") }} day
),

once as (
    select *
    from listed
    qualify
        row_number() over (
            partition by for_health_consent, article_id
            order by place, reason desc
        ) = 1
),

by_topic as (
    select
        *,
        row_number() over (
            partition by for_health_consent, coalesce(topic, article_id)
            order by place, reason desc, article_id
        ) as turn
    from once
)

select
    for_health_consent,
    row_number() over (
        partition by for_health_consent
        order by {{ topic_round("turn") }}, place, reason desc, article_id
    ) as rank,
    article_id,
    reason
from by_topic
qualify rank <= {{ var("recommended_articles_per_contact") }}
