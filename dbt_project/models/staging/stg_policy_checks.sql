with

source as (
    select * from {{ source("raw", "policy_checks") }}
)

select
    kind,
    item_id,
    findings,
    len(findings) > 0 as is_barred,
    checked_at
from source
