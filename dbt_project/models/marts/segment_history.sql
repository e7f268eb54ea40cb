{{ config(
    materialized="incremental",
    incremental_strategy="delete+insert",
    unique_key=["contact_id", "segment", "entered_at"],
    full_refresh=false,
    pre_hook="{% if is_adding() %} delete from {{ this }} where entered_at > timestamptz '{{ var('last_as_of') }}' {% endif %}"
) }}

-- Who was in which segment from when to when. A stay that a failed build began is taken back first (the pre-hook), and one
-- that it ended is taken up again.
with

members as (
    select * from {{ ref("int_segment_memberships") }}
)

{% if is_adding() %},

stays as (
    select * replace (
        case when left_at > timestamptz '{{ var("last_as_of") }}' then null else left_at end as left_at
    )
    from {{ this }}
    where left_at is null or left_at > timestamptz '{{ var("last_as_of") }}'
)

select
    coalesce(members.contact_id, stays.contact_id) as contact_id,
    coalesce(members.segment, stays.segment) as segment,
    coalesce(stays.entered_at, {{ as_of() }}) as entered_at,
    case when members.contact_id is null then {{ as_of() }} end as left_at,
    coalesce(stays.reason, members.reason) as reason
from members
full outer join stays on members.contact_id = stays.contact_id and members.segment = stays.segment
where
    -- who came, who went, and whom a failed build had gone
    stays.contact_id is null
    or members.contact_id is null
    or exists (
        select 1 from {{ this }} as written
        where
            written.contact_id = stays.contact_id
            and written.segment = stays.segment
            and written.left_at > timestamptz '{{ var("last_as_of") }}'
    )

{% else %}

select
    contact_id,
    segment,
    {{ as_of() }} as entered_at,
    null::timestamptz as left_at,
    reason
from members

{% endif %}
