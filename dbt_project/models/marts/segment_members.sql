{{ config(materialized="view") }}

with

memberships as (
    select * from {{ ref("int_segment_memberships") }}
),

stays as (
    select * from {{ ref("segment_history") }}
    where left_at is null
)

select
    memberships.contact_id,
    memberships.segment,
    memberships.reason,
    stays.entered_at
from memberships
left join stays on memberships.contact_id = stays.contact_id and memberships.segment = stays.segment
