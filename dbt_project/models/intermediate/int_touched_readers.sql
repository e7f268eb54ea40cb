-- Whose reading this build learnt something of: by name, or by a device that is theirs alone or has just ceased to be.
with

views as (
    {{ bodies_of_this_build(ref("int_article_views"), ["visitor_id"]) }}
),

touched_visitors as (
    select * from {{ ref("int_touched_visitors") }}
),

sightings as (
    select
        visitor_id,
        address_id,
        occurred_at
    from {{ ref("int_article_views") }}
    where is_identified and visitor_id in (select visitor_id from touched_visitors)
    union all
    select
        visitor_id,
        address_id,
        occurred_at
    from {{ ref("int_signups") }}
    where visitor_id in (select visitor_id from touched_visitors)
)

select contact_id from {{ ref("int_touched_contacts") }}
union
select contact_id
from {{ ref("int_visitors") }}
where contact_id is not null and visitor_id in (select visitor_id from views)
union
select {{ contact_id("sightings") }} as contact_id
from sightings
{{ join_contact("sightings") }}
