{{ config(materialized="incremental", incremental_strategy="delete+insert", unique_key=["wave_id", "contact_id"]) }}

with

deliveries as (
    select * from {{ ref("stg_deliveries") }}
    {% if is_adding() %}
        where batch_id > {{ var("last_batch") }}
    {% endif %}
)

select
    wave_id,
    contact_id,
    campaign,
    entry,
    outcome,
    reason,
    delivery,
    coalesce(codes, []) as codes,
    as_of as planned_as_of,
    sent_at,
    recorded_at
from deliveries
