{#- Only a fifth of the views name somebody: who looks for those reads no others. -#}
{{ config(materialized="incremental", incremental_strategy="add_events", partitioned_by=["is_identified"]) }}

{#- Without tracking consent a view is kept as a view, but says nothing about anybody (PECR reg. 6). -#}
{{ one_row_per_event(
    "article_views",
    [
        "event_id", "article_id", "occurred_at", "tracking_consent",
        "case when tracking_consent then visitor_id end as visitor_id",
        "case when tracking_consent then address_id end as address_id",
        "case when tracking_consent then email end as email",
        "tracking_consent and address_id is not null as is_identified"
    ],
    keys={
        "occurred_at": "occurred_at",
        "visitor_id": "case when tracking_consent then visitor_id end",
        "address_id": "case when tracking_consent then address_id end"
    }
) }}
