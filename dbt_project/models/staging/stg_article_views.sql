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

    -- decides between two bodies of one event (macro canonical_text)
    {{ body("article_views") }} as body,

    batch_id
from source
