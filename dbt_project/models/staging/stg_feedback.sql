with

source as (
    select * from {{ source("raw", "feedback") }}
)

select
    contact_id,
    objection,
    recorded_at,
    batch_id
from source
