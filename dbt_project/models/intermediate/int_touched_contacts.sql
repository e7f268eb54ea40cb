-- Whose rows this build makes anew. Empty where it makes everybody's.
with

addressed_events as (
    {{ bodies_of_this_build(ref("int_signups"), ["address_id", "occurred_at"]) }}
    union all
    {{ bodies_of_this_build(ref("int_article_views"), ["address_id", "occurred_at"]) }}
    union all
    {{ bodies_of_this_build(ref("int_order_events"), ["address_id", "occurred_at"]) }}
    union all
    -- a new state may carry another address than the one before, or none
    select
        address_id,
        occurred_at
    from {{ ref("int_order_events") }}
    where order_id in (select order_id from {{ ref("int_touched_orders") }})
)

select {{ contact_id("addressed_events") }} as contact_id
from addressed_events
{{ join_contact("addressed_events") }}
where addressed_events.address_id is not null
union
-- a contact's id is the id of their first address
select address_id as contact_id
from {{ ref("int_moved_addresses") }}
union
select contact_id
from {{ ref("stg_feedback") }}
where batch_id > {{ var("last_batch") if var("last_batch") is not none else "9223372036854775807" }}
union
select contact_id
from {{ ref("stg_deliveries") }}
where batch_id > {{ var("last_batch") if var("last_batch") is not none else "9223372036854775807" }}
