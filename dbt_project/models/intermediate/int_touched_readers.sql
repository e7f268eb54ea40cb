-- Whose reading this build learnt something of: by name, or by a device that is theirs alone or has just ceased to be.
with

views as (
    select
        visitor_id,
        address_id,
        occurred_at
    from {{ ref("int_article_views") }}
    where build_no = {{ var("build_no") }} and tracking_consent
),

visitors as (
    select * from {{ ref("int_visitors") }}
)

select contact_id from {{ ref("int_touched_contacts") }}
union
select visitors.contact_id
from visitors
where
    visitors.contact_id is not null
    and (
        visitors.visitor_id in (select visitor_id from views)
        or visitors.build_no = {{ var("build_no") }}
    )
union
-- those who shared a device until now alone with themselves
select {{ contact_id("sightings") }} as contact_id
from (
    select visitor_id, address_id, occurred_at from {{ ref("int_article_views") }}
    where address_id is not null
    union all
    select visitor_id, address_id, occurred_at from {{ ref("int_signups") }}
) as sightings
{{ join_contact("sightings") }}
where sightings.visitor_id in (
    select visitor_id from visitors
    where is_shared and build_no = {{ var("build_no") }}
)
