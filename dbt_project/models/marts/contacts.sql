{{ config(
    materialized="incremental",
    incremental_strategy="append",
    pre_hook="{{ make_anew('int_touched_contacts', 'contact_id') }}"
) }}

-- depends_on: {{ ref("int_touched_contacts") }}

with

seen as (
    select address_id, email, occurred_at from {{ ref("int_signups") }}
    union all
    select address_id, email, occurred_at from {{ ref("int_order_events") }}
    where address_id is not null
    union all
    select address_id, email, occurred_at from {{ ref("int_article_views") }}
    where is_identified
),

addresses as (
    select
        {{ contact_id("seen") }} as contact_id,
        seen.address_id,
        any_value(seen.email) as email,
        min(seen.occurred_at) as first_seen_at
    from seen
    {{ join_contact("seen") }}
    {% if is_adding() %}
        where {{ contact_id("seen") }} in (select contact_id from {{ ref("int_touched_contacts") }})
    {% endif %}
    group by all
),

people as (
    select
        contact_id,
        min(first_seen_at) as first_seen_at
    from addresses
    group by contact_id
),

-- the address a contact is written to: the one last changed to, else their first
owners as (
    select * from {{ ref("int_address_owners") }}
),

last_addresses as (
    select
        addresses.contact_id,
        arg_max(
            {'address_id': addresses.address_id, 'email': addresses.email},
            (coalesce(owners.owned_from, timestamptz '-infinity'), coalesce(owners.event_id, ''))
        ) as last_address
    from addresses
    left join owners on addresses.address_id = owners.address_id and addresses.contact_id = owners.contact_id
    group by addresses.contact_id
),

-- none where another contact has it now
current_addresses as (
    select
        last_addresses.contact_id,
        last_addresses.last_address.email
    from last_addresses
    left join owners on last_addresses.last_address.address_id = owners.address_id and owners.owned_until = 'infinity'
    where coalesce(owners.contact_id, last_addresses.last_address.address_id) = last_addresses.contact_id
),

consents as (
    select * from {{ ref("int_consents") }}
),

order_totals as (
    select
        contact_id,
        count(*) as order_count,
        min(placed_at) as first_ordered_at,
        max(placed_at) as last_ordered_at
    from {{ ref("orders") }}
    where
        not is_void and contact_id is not null
        {% if is_adding() %}
            and contact_id in (select contact_id from {{ ref("int_touched_contacts") }})
        {% endif %}
    group by contact_id
),

suppressions as (
    select
        contact_id,
        arg_max(objection, recorded_at) as suppression_reason
    from {{ ref("int_objections") }}
    where objection in ('hard_bounce', 'complained')
    group by contact_id
)

select
    people.contact_id,
    current_addresses.email,
    consents.first_name,
    coalesce(consents.is_subscribed, false) as is_subscribed,
    consents.basis,
    suppressions.suppression_reason is not null as is_suppressed,
    suppressions.suppression_reason,
    coalesce(
        consents.is_subscribed
        and consents.basis is not null
        and suppressions.suppression_reason is null
        and current_addresses.email is not null,
        false
    ) as is_addressable,
    coalesce(consents.has_profiling_consent, false) as has_profiling_consent,
    coalesce(consents.has_health_consent, false) as has_health_consent,
    coalesce(consents.has_tracking_consent, false) as has_tracking_consent,
    coalesce(consents.is_professional, false) as is_professional,
    coalesce(consents.is_age_18_confirmed, false) as is_age_18_confirmed,
    coalesce(consents.interests, []) as interests,
    consents.first_subscribed_at,
    consents.first_subscribe_event_id,
    people.first_seen_at,
    coalesce(order_totals.order_count, 0)::bigint as order_count,
    order_totals.first_ordered_at,
    order_totals.last_ordered_at
from people
left join current_addresses on people.contact_id = current_addresses.contact_id
left join consents on people.contact_id = consents.contact_id
left join order_totals on people.contact_id = order_totals.contact_id
left join suppressions on people.contact_id = suppressions.contact_id
