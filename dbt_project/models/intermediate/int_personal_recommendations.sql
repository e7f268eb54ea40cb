{{ config(
    materialized="incremental",
    incremental_strategy="append",
    pre_hook="{% if is_adding() %}
        delete from {{ this }}
        where
            {{ var('related_due') }}
            or contact_id in (select contact_id from {{ ref('int_touched_readers') }})
            or contact_id not in (select contact_id from {{ ref('int_profiled_reads') }})
            -- what may be recommended was drawn closer, or what is health-sensitive wider
            or contact_id in (
                select recommended.contact_id
                from {{ this }} as recommended
                left join {{ ref('int_recommendable_articles') }} as articles
                    on recommended.article_id = articles.article_id
                inner join {{ ref('int_consents') }} as consents on recommended.contact_id = consents.contact_id
                where
                    articles.article_id is null
                    or (articles.has_sensitive_treatment and not consents.has_health_consent)
            )
    {% endif %}"
) }}

-- depends_on: {{ ref("int_touched_readers") }}

-- For each contact of whom something read may be used: unread articles related to it, best first and not all of one topic, then
-- what all get. Made anew for everybody with related_articles, in between for those of whom the build learnt something.
with

readers as (
    select distinct contact_id
    from {{ ref("int_profiled_reads") }}
    {% if is_adding() %}
        where contact_id not in (select contact_id from {{ this }})
    {% endif %}
),

consents as (
    select *
    from {{ ref("int_consents") }}
    where contact_id in (select contact_id from readers)
),

articles as (
    select * from {{ ref("int_recommendable_articles") }}
),

lately_read as (
    select *
    from {{ ref("int_profiled_reads") }}
    where contact_id in (select contact_id from readers)
),

-- by name and by device apart, so that of all views only the readers' are joined with anything
ever_read as (
    select
        {{ contact_id("views") }} as contact_id,
        views.article_id
    from {{ ref("int_article_views") }} as views
    {{ join_contact("views") }}
    where
        views.is_identified
        and views.address_id in (
            select contact_id as address_id from readers
            union all
            select owners.address_id
            from {{ ref("int_address_owners") }} as owners
            where owners.contact_id in (select contact_id from readers)
        )
    union all
    select
        visitors.contact_id,
        views.article_id
    from {{ ref("int_article_views") }} as views
    inner join {{ ref("int_visitors") }} as visitors on views.visitor_id = visitors.visitor_id
    where
        views.tracking_consent
        and not views.is_identified
        and visitors.contact_id in (select contact_id from readers)
),

related as (
    select
        lately_read.contact_id,
        related.related_article_id as article_id,
        -- as decimals, whose sum does not depend on the order of rows
        sum(related.score::decimal(18, 9))::double as score,
        arg_max(related.reason, (related.score, related.article_id)) as reason
    from lately_read
    inner join {{ ref("int_related_articles") }} as related on lately_read.article_id = related.article_id
    group by all
),

candidates as (
    select
        contact_id,
        article_id,
        score,
        reason
    from related
    union all
    select
        consents.contact_id,
        common.article_id,
        -- below all that is related to anything they read
        -common.rank::double as score,
        common.reason
    from consents
    inner join {{ ref("int_common_recommendations") }} as common
        on consents.has_health_consent = common.for_health_consent
    anti join related on consents.contact_id = related.contact_id and common.article_id = related.article_id
),

allowed as (
    select
        candidates.*,
        articles.topic
    from candidates
    inner join articles on candidates.article_id = articles.article_id
    inner join consents on candidates.contact_id = consents.contact_id
    where
        articles.published_at > {{ as_of() }} - interval {{ var("fresh_article_days") }} day
        and (not articles.has_sensitive_treatment or consents.has_health_consent)
),

unread as (
    select allowed.*
    from allowed
    anti join ever_read on allowed.contact_id = ever_read.contact_id and allowed.article_id = ever_read.article_id
),

closest as (
    select *
    from unread
    qualify
        row_number() over (
            partition by contact_id
            order by score desc, article_id
        ) <= 3 * {{ var("recommended_articles_per_contact") }}
),

by_topic as (
    select
        *,
        row_number() over (
            partition by contact_id, coalesce(topic, article_id)
            order by score desc, article_id
        ) as turn
    from closest
)

select
    contact_id,
    row_number() over (
        partition by contact_id
        order by {{ topic_round("turn") }}, score desc, article_id
    ) as rank,
    article_id,
    reason
from by_topic
qualify rank <= {{ var("recommended_articles_per_contact") }}
