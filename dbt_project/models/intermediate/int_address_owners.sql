with recursive

changes as (
    select
        event_id,
        address_id,
        previous_address_id,
        occurred_at
    from {{ ref("int_signups") }}
    where previous_address_id is not null
),

-- the change before, through which the previous address had got its owner by then
parents as (
    select
        changes.*,
        (
            select arg_max(earlier.event_id, (earlier.occurred_at, earlier.event_id))
            from changes as earlier
            where
                earlier.address_id = changes.previous_address_id
                and (earlier.occurred_at, earlier.event_id) < (changes.occurred_at, changes.event_id)
        ) as parent_event_id
    from changes
),

owners as (
    select
        event_id,
        address_id,
        occurred_at,
        previous_address_id as contact_id
    from parents
    where parent_event_id is null
    union all
    select
        parents.event_id,
        parents.address_id,
        parents.occurred_at,
        owners.contact_id
    from parents
    inner join owners on parents.parent_event_id = owners.event_id
)

select
    event_id,
    address_id,
    contact_id,
    occurred_at as owned_from,
    lead(occurred_at, 1, timestamptz 'infinity') over (
        partition by address_id
        order by occurred_at, event_id
    ) as owned_until
from owners
