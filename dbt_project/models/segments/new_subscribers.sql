with

contacts as (
    select * from {{ ref("contacts") }}
)

select
    contact_id,
    'subscribed ' || strftime(first_subscribed_at, '%Y-%m-%d') || ' (' || first_subscribe_event_id || '), no order' as reason
from contacts
where
    first_subscribed_at > {{ as_of() }} - interval {{ var("new_subscriber_days") }} day
    and first_subscribed_at <= {{ as_of() }}
    and order_count = 0
