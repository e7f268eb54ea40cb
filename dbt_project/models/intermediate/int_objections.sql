{{ config(materialized="view") }}

-- Every no that came back from an email, or from Mailchimp's audience by any other way.
select
    contact_id,
    delivery as objection,
    recorded_at,
    batch_id
from {{ ref("stg_deliveries") }}
where delivery in ('unsubscribed', 'hard_bounce', 'complained')

union all

select
    contact_id,
    objection,
    recorded_at,
    batch_id
from {{ ref("stg_feedback") }}
