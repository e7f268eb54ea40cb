{{ config(materialized="incremental", incremental_strategy="add_events") }}

{{ one_row_per_event(
    "orders",
    [
        "event_id", "order_id", "address_id", "email", "occurred_at", "placed_at", "status", "currency", "country", "coupon_codes",
        "item_count", "skus", "subtotal", "discount", "shipping", "tax", "total", "refunded"
    ],
    keys={"occurred_at": "occurred_at", "order_id": "order_id", "address_id": "address_id"}
) }}
