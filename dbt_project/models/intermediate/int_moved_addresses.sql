-- Addresses whose owner this build may have changed. Empty where no address change came in.
with

changes as (
    select
        address_id,
        previous_address_id
    from ({{ bodies_of_this_build(ref("int_signups"), ["address_id", "previous_address_id"]) }})
    where previous_address_id is not null
)

select address_id from changes
union
select previous_address_id as address_id from changes
union
-- one change may hand on every later one of its chain, so each address that ever changed hands is looked at again
select address_id from {{ ref("int_address_owners") }}
where exists (select 1 from changes)
union
-- a contact's id is the id of their first address
select contact_id as address_id from {{ ref("int_address_owners") }}
where exists (select 1 from changes)
