with

source as (
    select * from {{ source("raw", "orders") }}
)

select
    -- ids
    event_id,
    order_id,
    address_id,
    customer_id,

    -- times
    occurred_at,
    placed_at,

    -- what
    status,
    email,
    currency,
    country,
    coupon_codes,
    coalesce(list_sum(list_transform(lines, lambda line: line.quantity)), 0)::bigint as item_count,
    list_sort(list_distinct(list_filter(list_transform(lines, lambda line: line.sku), lambda sku: sku <> ''))) as skus,

    -- money, in `currency`, VAT in
    subtotal,
    discount,
    shipping,
    tax,
    total,
    refunded,

    -- decides between two bodies of one event (macro canonical_text)
    {{ body("orders") }} as body,

    batch_id
from source
