-- What each contact lately read, as far as it may be known (DESIGN 5, treatment_readers).
with

views as (
    select *
    from {{ ref("int_article_views") }}
    where
        tracking_consent
        and occurred_at > {{ as_of() }} - interval {{ var("treatment_reading_days") }} day
        and occurred_at <= {{ as_of() }}
),

attributed as (
    select
        views.article_id,
        views.event_id,
        views.occurred_at,
        -- a view with an address is its owner's, one without is the only contact's ever identified on the device
        case
            when views.address_id is not null then {{ contact_id("views") }}
            else visitors.contact_id
        end as contact_id
    from views
    left join {{ ref("int_visitors") }} as visitors
        on views.visitor_id = visitors.visitor_id
    {{ join_contact("views") }}
)

select
    contact_id,
    article_id,
    min(occurred_at) as first_read_at,
    max(occurred_at) as last_read_at,
    arg_max(event_id, (occurred_at, event_id)) as last_event_id
from attributed
where contact_id is not null
group by contact_id, article_id
