with

source as (
    select * from {{ source("raw", "article_views") }}
)

select
    -- ids
    event_id,
    article_id,
    visitor_id,
    address_id,

    -- times
    occurred_at,

    -- what
    email,
    url,
    referrer,
    tracking_consent,

    -- decides between two bodies of one event
    {{ canonical_text([
        "event_id", "occurred_at", "article_id", "url", "visitor_id", "email", "referrer", "tracking_consent"
    ]) }} as canonical_text,

    batch_id
from source
