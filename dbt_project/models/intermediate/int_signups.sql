{{ config(materialized="incremental", incremental_strategy="add_events") }}

{#- A device says who it belongs to only with tracking consent; an address changes hands only by update_preferences. -#}
{%- set visitor_id = "case when tracking_consent then visitor_id end" -%}
{%- set previous_address_id -%}
    case when signup_action = 'update_preferences' and previous_address_id <> address_id then previous_address_id end
{%- endset -%}

{{ one_row_per_event(
    "signups",
    [
        "event_id", "address_id", previous_address_id ~ " as previous_address_id", "email", "occurred_at", "signup_action", "basis",
        "first_name", "interests", "profiling_consent", "health_consent", "tracking_consent", "is_professional", "age_18_confirmed",
        visitor_id ~ " as visitor_id"
    ],
    keys={
        "occurred_at": "occurred_at", "visitor_id": visitor_id, "address_id": "address_id",
        "previous_address_id": previous_address_id
    }
) }}
