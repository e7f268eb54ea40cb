with

found as (
    select
        *,
        min(compared_at) over (partition by contact_id, wave_id, difference) as first_found_at
    from {{ source("raw", "reconciliation") }}
)

select
    contact_id,
    wave_id,
    difference,
    here,
    there,
    done,
    first_found_at,
    compared_at
from found
where
    difference <> 'compared'
    and compared_at = (select max(compared_at) from {{ source("raw", "reconciliation") }})
