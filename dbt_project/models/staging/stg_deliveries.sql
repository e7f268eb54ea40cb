with

source as (
    select * from {{ source("raw", "deliveries") }}
)

-- what is known last of a contact in a wave
select
    wave_id,
    contact_id,
    campaign,
    entry,
    outcome,
    reason,
    delivery,
    codes,
    as_of,
    sent_at,
    recorded_at,
    batch_id
from source
qualify row_number() over (partition by wave_id, contact_id order by batch_id desc, recorded_at desc) = 1
