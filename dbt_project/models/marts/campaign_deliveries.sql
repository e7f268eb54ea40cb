{{ config(materialized="incremental", incremental_strategy="delete+insert", unique_key=["wave_id", "contact_id"]) }}

with

deliveries as (
    select * from {{ ref("stg_deliveries") }}
    {% if is_adding() %}
        where batch_id > {{ var("last_batch") }}
    {% endif %}
    -- what is known last of a contact in a wave
    qualify row_number() over (partition by wave_id, contact_id order by batch_id desc, recorded_at desc) = 1
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
