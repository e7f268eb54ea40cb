with

orders as (
    select * from {{ ref("orders") }}
),

qualifying as (
    select *
    from orders
    where
        placed_at > {{ as_of() }} - interval {{ var("high_value_days") }} day
        and placed_at <= {{ as_of() }}
        and currency = 'GBP'
        and country = 'GB'
        and status in ('processing', 'completed')
        and goods_paid > {{ var("free_delivery_threshold_gbp") }}
        and contact_id is not null
)

select
    contact_id,
    -- the last such order; how many more there are
    'order ' || arg_max(order_id, (placed_at, order_id))
    || ' of ' || strftime(max(placed_at), '%Y-%m-%d')
    || ': goods £' || arg_max(goods_paid, (placed_at, order_id))
    || case when count(*) > 1 then ', and ' || (count(*) - 1) || ' more' else '' end as reason
from qualifying
group by contact_id
