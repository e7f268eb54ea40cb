with

source as (
    select * from {{ source("raw", "deliveries") }}
)

select
    wave_id,
    contact_id,
    campaign,
    entry,
    outcome,
    reason,
    delivery,
    codes,
    offer_code,
    as_of,
    sent_at,
    recorded_at,
    batch_id
from source
