{{ config(
    materialized="incremental",
    incremental_strategy="delete+insert",
    unique_key=["contact_id", "segment", "entered_at"],
    full_refresh=false,
    on_schema_change="append_new_columns"
) }}

-- Who was in which segment from when to when: each build adds who came and closes the stays of who went.
with

members as (
    select * from {{ ref("int_segment_memberships") }}
)

{% if is_adding() %},

stays as (
    select * from {{ this }}
    where left_at is null
)

select
    coalesce(members.contact_id, stays.contact_id) as contact_id,
    coalesce(members.segment, stays.segment) as segment,
    coalesce(stays.entered_at, {{ as_of() }}) as entered_at,
    case when members.contact_id is null then {{ as_of() }} end as left_at,
    coalesce(stays.reason, members.reason) as reason
from members
full outer join stays on members.contact_id = stays.contact_id and members.segment = stays.segment
where stays.contact_id is null or members.contact_id is null

{% else %}

select
    contact_id,
    segment,
    {{ as_of() }} as entered_at,
    null::timestamptz as left_at,
    reason
from members

{% endif %}
