with

source as (
    select * from {{ source("raw", "signups") }}
)

select
    -- ids
    event_id,
    address_id,
    previous_address_id,
    visitor_id,

    -- times
    occurred_at,

    -- what
    signups."action" as signup_action,
    email,
    source as signup_source,
    basis,
    wording_version,
    source_url,
    nullif(trim(first_name), '') as first_name,
    interests,
    profiling_consent,
    health_consent,
    tracking_consent,
    is_professional,
    age_18_confirmed,

    -- decides between two bodies of one event (macro canonical_text)
    {{ body("signups") }} as body,

    batch_id
from source as signups
