{{ config(materialized="incremental", incremental_strategy="delete+insert", unique_key="event_id") }}

{{ one_row_per_event(ref("stg_signups"), [
    "event_id", "address_id", "previous_address_id", "email", "occurred_at", "signup_action", "basis", "first_name", "interests",
    "profiling_consent", "health_consent", "tracking_consent", "is_professional", "age_18_confirmed",
    "case when tracking_consent then visitor_id end as visitor_id"
]) }}
