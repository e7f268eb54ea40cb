{{ config(
    materialized="incremental",
    incremental_strategy="append",
    pre_hook="{{ make_anew('int_touched_contacts', 'contact_id') }}"
) }}

-- depends_on: {{ ref("int_touched_contacts") }}

-- The consent state of each contact: what they said, folded by time; at a tie an unsubscribe comes last (DESIGN 5).
with

said as (
    select
        {{ contact_id("signups") }} as contact_id,
        signups.*
    from {{ ref("int_signups") }} as signups
    {{ join_contact("signups") }}
),

-- also where a later record of the same email no longer says so
unsubscribed_by_email as (
    select
        contact_id,
        max(recorded_at) as occurred_at
    from {{ ref("int_objections") }}
    where objection in ('unsubscribed', 'complained')
    group by contact_id
),

answers as (
    select
        contact_id,
        event_id,
        occurred_at,
        signup_action,
        basis,
        first_name,
        interests,
        profiling_consent,
        health_consent,
        tracking_consent,
        is_professional,
        age_18_confirmed
    from said
    union all by name
    select
        contact_id,
        'unsubscribed in an email' as event_id,
        occurred_at,
        'unsubscribe' as signup_action
    from unsubscribed_by_email
),

ordered as (
    select
        *,
        row_number() over (
            partition by contact_id
            order by occurred_at, signup_action = 'unsubscribe', event_id
        ) as position
    from answers
    {% if is_adding() %}
        where contact_id in (select contact_id from {{ ref("int_touched_contacts") }})
    {% endif %}
),

last_unsubscribes as (
    select
        contact_id,
        max(position) as position
    from ordered
    where signup_action = 'unsubscribe'
    group by contact_id
),

standing as (
    select
        ordered.*,
        coalesce(ordered.position > last_unsubscribes.position, true) as stands
    from ordered
    left join last_unsubscribes on ordered.contact_id = last_unsubscribes.contact_id
)

select
    contact_id,
    coalesce(bool_or(signup_action = 'subscribe') filter (where stands), false) as is_subscribed,
    arg_max(basis, position) filter (where stands and signup_action = 'subscribe' and basis is not null) as basis,
    arg_max(first_name, position) filter (where stands and first_name is not null) as first_name,
    coalesce(arg_max(interests, position) filter (where stands and len(interests) > 0), []) as interests,
    coalesce(arg_max(profiling_consent, position) filter (where stands and profiling_consent is not null), false)
        as has_profiling_consent,
    coalesce(arg_max(health_consent, position) filter (where stands and health_consent is not null), false)
        as has_health_consent,
    coalesce(arg_max(tracking_consent, position) filter (where stands and tracking_consent is not null), false)
        as has_tracking_consent,
    coalesce(arg_max(is_professional, position) filter (where stands and is_professional is not null), false)
        as is_professional,
    coalesce(arg_max(age_18_confirmed, position) filter (where stands and age_18_confirmed is not null), false)
        as is_age_18_confirmed,
    min(occurred_at) filter (where signup_action = 'subscribe') as first_subscribed_at,
    arg_min(event_id, position) filter (where signup_action = 'subscribe') as first_subscribe_event_id,
    max(occurred_at) as last_answered_at
from standing
group by contact_id
