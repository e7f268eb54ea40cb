{{ config(
    materialized="incremental",
    incremental_strategy="append",
    pre_hook="{{ make_anew('int_touched_orders', 'order_id') }}"
) }}

-- depends_on: {{ ref("int_touched_orders") }}

with

events as (
    select * from {{ ref("int_order_events") }}
),

due as (
    select *
    from events
    {% if is_adding() %}
        where order_id in (select order_id from {{ ref("int_touched_orders") }})
    {% endif %}
),

-- the state last reached; at one and the same time the event with the greater id counts as later
ranked as (
    select
        *,
        first_value(address_id ignore nulls) over latest_first as last_address_id,
        first_value(case when address_id is not null then occurred_at end ignore nulls) over latest_first as last_addressed_at,
        row_number() over latest_first as recency
    from due
    -- one window, so that events are sorted once
    window latest_first as (
        partition by order_id
        order by occurred_at desc, event_id desc
        rows between unbounded preceding and unbounded following
    )
),

latest as (
    select *
    from ranked
    where recency = 1
)

select
    latest.order_id,
    {{ contact_id("latest", "last_address_id") }} as contact_id,
    latest.status,
    latest.placed_at,
    latest.occurred_at as updated_at,
    latest.currency,
    latest.country,
    latest.subtotal,
    latest.discount,
    latest.shipping,
    latest.tax,
    latest.total,
    latest.refunded,
    (latest.subtotal - latest.discount - latest.refunded)::decimal(18, 2) as goods_paid,
    latest.status in ('cancelled', 'failed') as is_void,
    latest.coupon_codes,
    latest.item_count,
    coalesce(latest.skus, []) as skus,
    latest.event_id as last_event_id
from latest
{{ join_contact("latest", "last_addressed_at", "last_address_id") }}
