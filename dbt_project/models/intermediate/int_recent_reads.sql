-- What each contact lately read, as far as it may be known (DESIGN 5, treatment_readers).
with

views as not materialized (
    select *
    from {{ ref("int_article_views") }}
    where
        tracking_consent
        and occurred_at > {{ as_of() }} - interval {{ var("treatment_reading_days") }} day
        and occurred_at <= {{ as_of() }}
),

-- a view with an address is its owner's, one without is the only contact's ever identified on the device
attributed as (
    select
        {{ contact_id("views") }} as contact_id,
        views.article_id,
        views.event_id,
        views.occurred_at
    from views
    {{ join_contact("views") }}
    where views.is_identified
    union all
    select
        visitors.contact_id,
        views.article_id,
        views.event_id,
        views.occurred_at
    from views
    inner join {{ ref("int_visitors") }} as visitors on views.visitor_id = visitors.visitor_id
    where not views.is_identified and visitors.contact_id is not null
)

select
    contact_id,
    article_id,
    min(occurred_at) as first_read_at,
    max(occurred_at) as last_read_at,
    arg_max(event_id, (occurred_at, event_id)) as last_event_id
from attributed
group by contact_id, article_id
