{{ config(materialized="incremental", incremental_strategy="delete+insert", unique_key=["wave_id", "contact_id"]) }}

-- depends_on: {{ ref("int_touched_orders") }}

with

-- of each code the first order that took it; WooCommerce compares codes without regard to case
redemptions as (
    select
        offer_code,
        arg_min(order_id, (placed_at, order_id)) as order_id
    from (
        select
            order_id,
            placed_at,
            upper(trim(unnest(coupon_codes))) as offer_code
        from {{ ref("orders") }}
        where not is_void and len(coupon_codes) > 0
    )
    group by offer_code
),

deliveries as (
    select * from {{ ref("stg_deliveries") }}
    {% if is_adding() %}
        where
            batch_id > {{ var("last_batch") }}
            -- whose code an order took that this build learnt of, or took before it was changed
            or offer_code in (
                select upper(trim(unnest(coupon_codes)))
                from {{ ref("orders") }}
                where order_id in (select order_id from {{ ref("int_touched_orders") }})
            )
            or offer_code in (
                select offer_code
                from {{ this }}
                where redeemed_order_id in (select order_id from {{ ref("int_touched_orders") }})
            )
    {% endif %}
    -- what is known last of a contact in a wave
    qualify row_number() over (partition by wave_id, contact_id order by batch_id desc, recorded_at desc) = 1
)

select
    deliveries.wave_id,
    deliveries.contact_id,
    deliveries.campaign,
    deliveries.entry,
    deliveries.outcome,
    deliveries.reason,
    deliveries.delivery,
    coalesce(deliveries.codes, []) as codes,
    deliveries.offer_code,
    redemptions.order_id as redeemed_order_id,
    deliveries.as_of as planned_as_of,
    deliveries.sent_at,
    deliveries.recorded_at
from deliveries
left join redemptions on deliveries.offer_code = redemptions.offer_code
