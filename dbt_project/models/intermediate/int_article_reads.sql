{{ config(materialized="ephemeral") }}

-- Who read what in the last var related_reading_days, for what is read together. A reader is a contact or, where nobody was ever
-- identified on it, a device; of a device of several people nothing is used. Only views with tracking consent are there, and of
-- health-sensitive articles only the reads of those who gave health consent. Nothing where related reading is not due.
with

views as not materialized (
    select *
    from {{ ref("int_article_views") }}
    where
        {{ var("related_due") }}
        and tracking_consent
        and occurred_at > {{ as_of() }} - interval {{ var("related_reading_days") }} day
        and occurred_at <= {{ as_of() }}
),

attributed as (
    select
        {{ contact_id("views") }} as contact_id,
        null as visitor_id,
        views.article_id,
        views.occurred_at
    from views
    {{ join_contact("views") }}
    where views.is_identified
    union all
    select
        visitors.contact_id,
        views.visitor_id,
        views.article_id,
        views.occurred_at
    from views
    left join {{ ref("int_visitors") }} as visitors on views.visitor_id = visitors.visitor_id
    where not views.is_identified and not coalesce(visitors.is_shared, false)
)

select
    -- a number, not a name: nobody is looked up by it
    (hash(coalesce(attributed.contact_id::varchar, attributed.visitor_id)) >> 1)::bigint as reader,
    articles.position,
    epoch(max(attributed.occurred_at))::bigint as last_read_at
from attributed
inner join {{ ref("int_recommendable_articles") }} as articles on attributed.article_id = articles.article_id
left join {{ ref("int_consents") }} as consents on attributed.contact_id = consents.contact_id
where not articles.has_sensitive_treatment or articles.has_open_treatment or consents.has_health_consent
group by all
