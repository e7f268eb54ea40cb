-- Of which devices this build may have learnt whose they are.
with

sightings as (
    {{ bodies_of_this_build(ref("int_article_views"), ["visitor_id", "address_id"]) }}
    union all
    {{ bodies_of_this_build(ref("int_signups"), ["visitor_id", "address_id"]) }}
),

moved as (
    select * from {{ ref("int_moved_addresses") }}
)

select visitor_id from sightings
where visitor_id is not null and address_id is not null
union
select visitor_id from {{ ref("int_article_views") }}
where is_identified and address_id in (select address_id from moved)
union
select visitor_id from {{ ref("int_signups") }}
where visitor_id is not null and address_id in (select address_id from moved)
