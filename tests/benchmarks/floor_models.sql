-- The public tables of `marts` from the tables of `raw`, once, by hand: what bench_models.py holds the dbt models' full build
-- against. One connection, no history to add to, nothing kept that the public tables don't need: no intermediate table is
-- written to the lake but what a public view reads, views that say nothing of anybody are not looked at twice, and a list or a
-- text is only made for rows that stay. The runner sets the variable as_of, attaches the lake and makes related_reading known.

-- Event ids that came more than once: few, so their hashes tell, and only those are compared body with body.
create temp table repeated_views as
select hash(event_id) as event_hash
from lake.raw.article_views
where occurred_at <= getvariable('as_of')
group by all
having count(*) > 1;

create temp table repeated_orders as
select hash(event_id) as event_hash
from lake.raw.orders
where occurred_at <= getvariable('as_of')
group by all
having count(*) > 1;

create temp table signups as
with bodies as (
    select
        *,
        hash(event_id) in (
            select hash(event_id)
            from lake.raw.signups
            where occurred_at <= getvariable('as_of')
            group by all
            having count(*) > 1
        ) as is_repeated
    from lake.raw.signups
    where occurred_at <= getvariable('as_of')
),

winners as (
    select *
    from bodies
    where is_repeated
    qualify
        row_number() over (
            partition by event_id
            order by
                occurred_at desc,
                to_json([
                    to_json(event_id)::varchar, to_json(occurred_at)::varchar, to_json(email)::varchar, to_json("action")::varchar,
                    to_json(source)::varchar, to_json(basis)::varchar, to_json(wording_version)::varchar,
                    to_json(source_url)::varchar, to_json(first_name)::varchar, to_json(interests)::varchar,
                    to_json(profiling_consent)::varchar, to_json(health_consent)::varchar, to_json(tracking_consent)::varchar,
                    to_json(is_professional)::varchar, to_json(age_18_confirmed)::varchar, to_json(visitor_id)::varchar,
                    to_json(previous_email)::varchar
                ])::varchar desc
        ) = 1
)

select
    event_id, occurred_at, address_id, previous_address_id, email, "action" as signup_action, basis,
    nullif(trim(first_name), '') as first_name, interests, profiling_consent, health_consent, tracking_consent, is_professional,
    age_18_confirmed, case when tracking_consent then visitor_id end as visitor_id
from (
    from bodies
    where not is_repeated
    union all
    from winners
);

-- Addresses that changed hands.
create temp table owners as
with recursive

changes as (
    select event_id, address_id, previous_address_id, occurred_at
    from signups
    where signup_action = 'update_preferences' and previous_address_id is not null and previous_address_id <> address_id
),

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

found as (
    select event_id, address_id, occurred_at, previous_address_id as contact_id
    from parents
    where parent_event_id is null
    union all
    select parents.event_id, parents.address_id, parents.occurred_at, found.contact_id
    from parents
    inner join found on parents.parent_event_id = found.event_id
)

select
    address_id,
    contact_id,
    occurred_at as owned_from,
    lead(occurred_at, 1, timestamptz 'infinity') over (partition by address_id order by occurred_at, event_id) as owned_until
from found;

-- The views that say something of somebody: with an address, or lately.
create temp table views as
with repeated as (
    select *
    from lake.raw.article_views
    where hash(event_id) in (select event_hash from repeated_views) and occurred_at <= getvariable('as_of')
    qualify
        row_number() over (
            partition by event_id
            order by
                occurred_at desc,
                to_json([
                    to_json(event_id)::varchar, to_json(occurred_at)::varchar, to_json(article_id)::varchar, to_json(url)::varchar,
                    to_json(visitor_id)::varchar, to_json(email)::varchar, to_json(referrer)::varchar,
                    to_json(tracking_consent)::varchar
                ])::varchar desc
        ) = 1
),

telling as (
    select event_id, occurred_at, article_id, visitor_id, address_id, email
    from lake.raw.article_views
    where
        tracking_consent
        and occurred_at <= getvariable('as_of')
        and (address_id is not null or occurred_at > getvariable('as_of') - interval 30 day)
        and hash(event_id) not in (select event_hash from repeated_views)
    union all
    select event_id, occurred_at, article_id, visitor_id, address_id, email
    from repeated
    where tracking_consent
)

select
    telling.*,
    case when telling.address_id is not null then coalesce(owners.contact_id, telling.address_id) end as contact_id
from telling
left join owners
    on telling.address_id = owners.address_id
    and telling.occurred_at >= owners.owned_from
    and telling.occurred_at < owners.owned_until;

create temp table visitors as
select
    visitor_id,
    case when min(contact_id) = max(contact_id) then min(contact_id) end as contact_id
from (
    select visitor_id, contact_id
    from views
    where address_id is not null
    union all
    select signups.visitor_id, coalesce(owners.contact_id, signups.address_id)
    from signups
    left join owners
        on signups.address_id = owners.address_id
        and signups.occurred_at >= owners.owned_from
        and signups.occurred_at < owners.owned_until
    where signups.visitor_id is not null
)
group by visitor_id;

create temp table recent_reads as
select
    coalesce(views.contact_id, visitors.contact_id) as contact_id,
    views.article_id,
    arg_max(views.event_id, (views.occurred_at, views.event_id)) as last_event_id,
    max(views.occurred_at) as last_read_at
from views
left join visitors on case when views.address_id is null then views.visitor_id end = visitors.visitor_id
where
    views.occurred_at > getvariable('as_of') - interval 30 day
    and coalesce(views.contact_id, visitors.contact_id) is not null
group by all;

-- What each contact said.
create temp table deliveries as
select *
from lake.raw.deliveries
qualify row_number() over (partition by wave_id, contact_id order by batch_id desc, recorded_at desc) = 1;

create temp table consents as
with answers as (
    select
        coalesce(owners.contact_id, signups.address_id) as contact_id,
        signups.* exclude (address_id, previous_address_id, email, visitor_id)
    from signups
    left join owners
        on signups.address_id = owners.address_id
        and signups.occurred_at >= owners.owned_from
        and signups.occurred_at < owners.owned_until
    union all by name
    select
        contact_id,
        'unsubscribed in an email' as event_id,
        max(recorded_at) as occurred_at,
        'unsubscribe' as signup_action
    from deliveries
    where delivery in ('unsubscribed', 'complained')
    group by contact_id
),

ordered as (
    select
        *,
        row_number() over (
            partition by contact_id
            order by occurred_at, signup_action = 'unsubscribe', event_id
        ) as position
    from answers
),

last_unsubscribes as (
    select contact_id, max(position) as position
    from ordered
    where signup_action = 'unsubscribe'
    group by contact_id
),

standing as (
    select ordered.*, coalesce(ordered.position > last_unsubscribes.position, true) as stands
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
    arg_min(event_id, position) filter (where signup_action = 'subscribe') as first_subscribe_event_id
from standing
group by contact_id;

-- Orders in the state they last reached.
create temp table repeated_order_winners as
select *
from lake.raw.orders
where hash(event_id) in (select event_hash from repeated_orders) and occurred_at <= getvariable('as_of')
qualify
    row_number() over (
        partition by event_id
        order by
            occurred_at desc,
            to_json([
                to_json(event_id)::varchar, to_json(occurred_at)::varchar, to_json(order_id)::varchar, to_json(status)::varchar,
                to_json(placed_at)::varchar, to_json(email)::varchar, to_json(customer_id)::varchar, to_json(currency)::varchar,
                to_json(country)::varchar, to_json(subtotal)::varchar, to_json(discount)::varchar, to_json(shipping)::varchar,
                to_json(tax)::varchar, to_json(total)::varchar, to_json(refunded)::varchar, to_json(coupon_codes)::varchar,
                to_json(lines)::varchar
            ])::varchar desc
    ) = 1;

create temp table order_times as
select
    order_id,
    max(occurred_at) as occurred_at
from (
    select order_id, occurred_at
    from lake.raw.orders
    where occurred_at <= getvariable('as_of') and hash(event_id) not in (select event_hash from repeated_orders)
    union all
    select order_id, occurred_at from repeated_order_winners
)
group by order_id;

create temp table order_states as
with events as (
    select * exclude (customer_id, email, landing_file, batch_id, ingested_at)
    from lake.raw.orders
    where occurred_at <= getvariable('as_of') and hash(event_id) not in (select event_hash from repeated_orders)
    union all
    select * exclude (customer_id, email, landing_file, batch_id, ingested_at)
    from repeated_order_winners
)

select
    events.* exclude (lines),
    list_sum(list_transform(events.lines, lambda line: line.quantity)) as item_count,
    list_sort(list_distinct(list_filter(list_transform(events.lines, lambda line: line.sku), lambda sku: sku <> ''))) as skus
from events
inner join order_times on events.order_id = order_times.order_id and events.occurred_at = order_times.occurred_at;

-- at one and the same time the event with the greater id counts as later
delete from order_states
using (
    select order_id, max(event_id) as last_event_id
    from order_states
    group by order_id
    having count(*) > 1
) as ties
where order_states.order_id = ties.order_id and order_states.event_id < ties.last_event_id;

-- where the last state carries no address, the last that did
create temp table earlier_addresses as
select
    order_id,
    arg_max({'address_id': address_id, 'occurred_at': occurred_at}, (occurred_at, event_id)) as addressed
from (
    select order_id, event_id, occurred_at, address_id
    from lake.raw.orders
    where
        occurred_at <= getvariable('as_of')
        and address_id is not null
        and hash(event_id) not in (select event_hash from repeated_orders)
    union all
    select order_id, event_id, occurred_at, address_id
    from repeated_order_winners
    where address_id is not null
)
where
    order_id in (
        select order_id from order_states
        where address_id is null
    )
group by order_id;

create table lake.marts.orders as
with states as (
    select
        order_states.*,
        coalesce(order_states.address_id, earlier_addresses.addressed.address_id) as last_address_id,
        case when order_states.address_id is not null then order_states.occurred_at else earlier_addresses.addressed.occurred_at end
            as last_addressed_at
    from order_states
    left join earlier_addresses on order_states.order_id = earlier_addresses.order_id
)

select
    order_id,
    coalesce(owners.contact_id, last_address_id) as contact_id,
    status,
    placed_at,
    occurred_at as updated_at,
    currency,
    country,
    subtotal,
    discount,
    shipping,
    tax,
    total,
    refunded,
    (subtotal - discount - refunded)::decimal(18, 2) as goods_paid,
    status in ('cancelled', 'failed') as is_void,
    coupon_codes,
    coalesce(item_count, 0)::bigint as item_count,
    coalesce(skus, []) as skus,
    event_id as last_event_id
from states
left join owners
    on states.last_address_id = owners.address_id
    and states.last_addressed_at >= owners.owned_from
    and states.last_addressed_at < owners.owned_until;

create temp table contacts as
with seen as (
    select address_id, occurred_at, email from signups
    union all
    select address_id, occurred_at, email from views
    where address_id is not null
    union all
    select address_id, occurred_at, email from lake.raw.orders
    where
        address_id is not null
        and occurred_at <= getvariable('as_of')
        and hash(event_id) not in (select event_hash from repeated_orders)
    union all
    select address_id, occurred_at, email from repeated_order_winners
    where address_id is not null
),

addresses as (
    select
        coalesce(owners.contact_id, seen.address_id) as contact_id,
        seen.address_id,
        any_value(seen.email) as email,
        min(seen.occurred_at) as first_seen_at
    from seen
    left join owners
        on seen.address_id = owners.address_id
        and seen.occurred_at >= owners.owned_from
        and seen.occurred_at < owners.owned_until
    group by all
),

current_owners as (
    from owners
    where owned_until = 'infinity'
)

select
    addresses.contact_id,
    arg_max(
        addresses.email, (coalesce(current_owners.owned_from, timestamptz '-infinity'), addresses.address_id)
    ) filter (where coalesce(current_owners.contact_id, addresses.address_id) = addresses.contact_id) as email,
    min(addresses.first_seen_at) as first_seen_at
from addresses
left join current_owners on addresses.address_id = current_owners.address_id
group by addresses.contact_id;

create table lake.marts.contacts as
with order_totals as (
    select contact_id, count(*) as order_count, min(placed_at) as first_ordered_at, max(placed_at) as last_ordered_at
    from lake.marts.orders
    where not is_void and contact_id is not null
    group by contact_id
),

suppressions as (
    select contact_id, arg_max(delivery, recorded_at) as suppression_reason
    from deliveries
    where delivery in ('hard_bounce', 'complained')
    group by contact_id
)

select
    contacts.contact_id,
    contacts.email,
    consents.first_name,
    coalesce(consents.is_subscribed, false) as is_subscribed,
    consents.basis,
    suppressions.suppression_reason is not null as is_suppressed,
    suppressions.suppression_reason,
    coalesce(
        consents.is_subscribed and consents.basis is not null and suppressions.suppression_reason is null
        and contacts.email is not null,
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
    contacts.first_seen_at,
    coalesce(order_totals.order_count, 0) as order_count,
    order_totals.first_ordered_at,
    order_totals.last_ordered_at
from contacts
left join consents on contacts.contact_id = consents.contact_id
left join order_totals on contacts.contact_id = order_totals.contact_id
left join suppressions on contacts.contact_id = suppressions.contact_id;

-- The catalogue, and which treatments are sensitive.
create temp macro is_sensitive(treatment) as regexp_matches(
    treatment, '^(hair|alopecia|acne|rosacea|melasma|hyperhidrosis)([^a-z]|$)'
);

create temp table articles as
with latest as (
    select
        * exclude (treatments),
        coalesce(list_distinct(list_transform(treatments, lambda treatment: lower(trim(treatment)))), []) as treatments
    from lake.raw.articles
    qualify row_number() over (partition by article_id order by batch_id desc, landing_file desc, landing_row desc) = 1
)

select
    article_id,
    title,
    summary,
    body,
    treatments,
    published_at,
    status = 'publish' and published_at <= getvariable('as_of') as is_published,
    len(list_filter(treatments, lambda treatment: is_sensitive(treatment))) > 0 as has_sensitive_treatment,
    len(list_filter(treatments, lambda treatment: not is_sensitive(treatment))) > 0 as has_open_treatment
from latest;

create table lake.marts.segment_history as
with new_subscribers as (
    select
        contact_id,
        'subscribed ' || strftime(first_subscribed_at, '%Y-%m-%d') || ' (' || first_subscribe_event_id || '), no order' as reason
    from lake.marts.contacts
    where
        first_subscribed_at > getvariable('as_of') - interval 30 day
        and first_subscribed_at <= getvariable('as_of')
        and order_count = 0
),

high_value_free_delivery as (
    select
        contact_id,
        'order ' || arg_max(order_id, (placed_at, order_id))
        || ' of ' || strftime(max(placed_at), '%Y-%m-%d')
        || ': goods £' || arg_max(goods_paid, (placed_at, order_id))
        || case when count(*) > 1 then ', and ' || (count(*) - 1) || ' more' else '' end as reason
    from lake.marts.orders
    where
        placed_at > getvariable('as_of') - interval 180 day
        and placed_at <= getvariable('as_of')
        and currency = 'GBP'
        and country = 'GB'
        and status in ('processing', 'completed')
        and goods_paid > 100
        and contact_id is not null
    group by contact_id
),

treatment_readers as (
    select
        recent_reads.contact_id,
        count(*) || ' articles in 30 days, last '
        || array_to_string(
            list_transform(
                max((recent_reads.last_read_at, recent_reads.last_event_id), 2), lambda latest: latest[2]
            ),
            ' and '
        ) as reason
    from recent_reads
    inner join consents on recent_reads.contact_id = consents.contact_id
    inner join articles on recent_reads.article_id = articles.article_id
    where
        consents.has_profiling_consent
        and (articles.has_open_treatment or (articles.has_sensitive_treatment and consents.has_health_consent))
    group by recent_reads.contact_id
    having count(*) >= 2
)

select contact_id, segment, getvariable('as_of') as entered_at, null::timestamptz as left_at, reason
from (
    select contact_id, 'new_subscribers' as segment, reason from new_subscribers
    union all
    select contact_id, 'high_value_free_delivery', reason from high_value_free_delivery
    union all
    select contact_id, 'treatment_readers', reason from treatment_readers
);

create view lake.marts.segment_members as
select contact_id, segment, reason, entered_at
from lake.marts.segment_history
where left_at is null;

-- Who read what in a year, for what is read together; the function that says so is Python, and the same for both sides.
create temp table recommendable as
select
    article_id, row_number() over (order by article_id) - 1 as position, published_at, has_open_treatment, has_sensitive_treatment,
    split_part(treatments[1], '/', 1) as topic
from articles
where is_published;

create temp table related as
with seen as (
    select address_id, visitor_id, article_id, occurred_at
    from lake.raw.article_views
    where
        tracking_consent
        and occurred_at > getvariable('as_of') - interval 365 day
        and occurred_at <= getvariable('as_of')
        and hash(event_id) not in (select event_hash from repeated_views)
    union all
    select address_id, visitor_id, article_id, occurred_at
    from views
    where
        occurred_at > getvariable('as_of') - interval 365 day
        and hash(event_id) in (select event_hash from repeated_views)
),

read_by as (
    select
        case
            when seen.address_id is not null then coalesce(owners.contact_id, seen.address_id) else visitors.contact_id
        end as contact_id,
        seen.visitor_id,
        seen.article_id,
        seen.occurred_at
    from seen
    left join visitors on case when seen.address_id is null then seen.visitor_id end = visitors.visitor_id
    left join owners
        on seen.address_id = owners.address_id
        and seen.occurred_at >= owners.owned_from
        and seen.occurred_at < owners.owned_until
    where seen.address_id is not null or visitors.visitor_id is null or visitors.contact_id is not null
),

reads as (
    select
        (hash(coalesce(read_by.contact_id::varchar, read_by.visitor_id)) >> 1)::bigint as reader,
        recommendable.position,
        epoch(max(read_by.occurred_at))::bigint as last_read_at
    from read_by
    inner join recommendable on read_by.article_id = recommendable.article_id
    left join consents on read_by.contact_id = consents.contact_id
    where
        not recommendable.has_sensitive_treatment or recommendable.has_open_treatment or consents.has_health_consent
    group by all
),

catalogue as (
    select list(recommendable.article_id order by position) as ids, list(text order by position) as texts
    from recommendable
    inner join (
        select
            article_id,
            concat_ws(
                ' ', repeat(title || ' ', 3), summary, body,
                array_to_string(list_transform(treatments, lambda treatment: 'treatment/' || treatment), ' ')
            ) as text
        from articles
    ) as texts on recommendable.article_id = texts.article_id
),

found as (
    select
        catalogue.ids,
        unnest(
            related_reading(every.readers, every.positions, every.read_ats, catalogue.texts), recursive := true
        )
    from catalogue
    cross join (
        select list(reader) as readers, list(position) as positions, list(last_read_at) as read_ats
        from reads
    ) as every
)

select ids[position + 1] as article_id, rank, ids[related_position + 1] as related_article_id, score, reason
from found;

create table lake.marts.related_articles as
from related
where rank <= 20;

-- For everybody: what is popular and what is new, by turns.
create temp table common as
with allowed as (
    select for_health_consent, recommendable.*, coalesce(reader_count, 0) as reader_count
    from (values (false), (true)) as audiences (for_health_consent)
    inner join recommendable on for_health_consent or not recommendable.has_sensitive_treatment
    left join (
        select article_id, count(distinct visitor_id) as reader_count
        from views
        where occurred_at > getvariable('as_of') - interval 30 day
        group by article_id
    ) as counts on recommendable.article_id = counts.article_id
    where recommendable.published_at > getvariable('as_of') - interval 730 day
),

listed as (
    select
        for_health_consent, article_id, topic, case when reader_count > 0 then 'popular' else 'new' end as reason,
        row_number() over (
            partition by for_health_consent order by reader_count desc, published_at desc, article_id
        ) as place
    from allowed
    union all
    select
        for_health_consent, article_id, topic, 'new',
        row_number() over (partition by for_health_consent order by published_at desc, article_id)
    from allowed
    where published_at > getvariable('as_of') - interval 30 day
),

by_topic as (
    select
        *,
        row_number() over (
            partition by for_health_consent, coalesce(topic, article_id) order by place, reason desc, article_id
        ) as turn
    from (
        from listed
        qualify row_number() over (partition by for_health_consent, article_id order by place, reason desc) = 1
    )
)

select
    for_health_consent,
    row_number() over (
        partition by for_health_consent order by ceil(turn / 2), place, reason desc, article_id
    ) as rank,
    article_id,
    reason
from by_topic
qualify rank <= 10;

create temp table profiled_reads as
select recent_reads.contact_id, recent_reads.article_id, consents.has_health_consent
from recent_reads
inner join consents on recent_reads.contact_id = consents.contact_id
inner join articles on recent_reads.article_id = articles.article_id
where
    consents.has_profiling_consent
    and (not articles.has_sensitive_treatment or articles.has_open_treatment or consents.has_health_consent);

create table lake.intermediate.personal as
with readers as (
    select distinct contact_id, has_health_consent
    from profiled_reads
),

ever_read as (
    select coalesce(owners.contact_id, seen.address_id, visitors.contact_id) as contact_id, seen.article_id
    from lake.raw.article_views as seen
    left join visitors on seen.visitor_id = visitors.visitor_id
    left join owners
        on seen.address_id = owners.address_id
        and seen.occurred_at >= owners.owned_from
        and seen.occurred_at < owners.owned_until
    where
        seen.tracking_consent
        and seen.occurred_at <= getvariable('as_of')
        and coalesce(owners.contact_id, seen.address_id, visitors.contact_id) in (select contact_id from readers)
        and hash(seen.event_id) not in (select event_hash from repeated_views)
    union all
    -- of the events that came more than once, views has every one with consent
    select coalesce(views.contact_id, visitors.contact_id), views.article_id
    from views
    left join visitors on views.visitor_id = visitors.visitor_id
    where hash(views.event_id) in (select event_hash from repeated_views)
),

going_with as (
    select
        profiled_reads.contact_id,
        related.related_article_id as article_id,
        sum(related.score::decimal(18, 9))::double as score,
        arg_max(related.reason, (related.score, related.article_id)) as reason
    from profiled_reads
    inner join related on profiled_reads.article_id = related.article_id
    group by all
),

candidates as (
    from going_with
    union all
    select readers.contact_id, common.article_id, -common.rank::double, common.reason
    from readers
    inner join common on readers.has_health_consent = common.for_health_consent
    anti join going_with on readers.contact_id = going_with.contact_id and common.article_id = going_with.article_id
),

closest as (
    select candidates.*, recommendable.topic
    from candidates
    inner join recommendable on candidates.article_id = recommendable.article_id
    inner join readers on candidates.contact_id = readers.contact_id
    anti join ever_read on candidates.contact_id = ever_read.contact_id and candidates.article_id = ever_read.article_id
    where
        recommendable.published_at > getvariable('as_of') - interval 730 day
        and (not recommendable.has_sensitive_treatment or readers.has_health_consent)
    qualify row_number() over (partition by candidates.contact_id order by score desc, candidates.article_id) <= 30
),

by_topic as (
    select
        *,
        row_number() over (
            partition by contact_id, coalesce(topic, article_id) order by score desc, article_id
        ) as turn
    from closest
)

select
    contact_id,
    row_number() over (partition by contact_id order by ceil(turn / 2), score desc, article_id) as rank,
    article_id,
    reason
from by_topic
qualify rank <= 10;

create table lake.intermediate.common as from common;

create table lake.intermediate.profiled as
select distinct contact_id from profiled_reads;

create view lake.marts.recommended_articles as
from lake.intermediate.personal
union all
select contacts.contact_id, common.rank, common.article_id, common.reason
from lake.marts.contacts as contacts
inner join lake.intermediate.common as common on contacts.has_health_consent = common.for_health_consent
where contacts.is_addressable and contacts.contact_id not in (select contact_id from lake.intermediate.profiled);

-- What became of the emails.
create table lake.marts.campaign_deliveries as
select
    wave_id, contact_id, campaign, entry, outcome, reason, delivery, coalesce(codes, []) as codes, offer_code,
    redemptions.order_id as redeemed_order_id, as_of as planned_as_of, sent_at, recorded_at
from deliveries
left join (
    select upper(trim(code)) as offer_code, arg_min(order_id, (placed_at, order_id)) as order_id
    from (select order_id, placed_at, unnest(coupon_codes) as code from lake.marts.orders where not is_void)
    group by upper(trim(code))
) as redemptions using (offer_code);

create table lake.marts.campaign_performance as
with revenue as (
    select wave_id, count(*) as order_count, sum(goods_paid) as revenue_gbp
    from (
        select deliveries.wave_id, orders.goods_paid
        from lake.marts.orders as orders
        inner join deliveries
            on orders.contact_id = deliveries.contact_id
            and orders.placed_at >= deliveries.sent_at
            and orders.placed_at < deliveries.sent_at + interval 14 day
        where
            deliveries.delivery in ('sent', 'unsubscribed', 'complained')
            and not orders.is_void
            and orders.currency = 'GBP'
        qualify row_number() over (partition by orders.order_id order by deliveries.sent_at desc, deliveries.wave_id) = 1
    )
    group by wave_id
)

select
    waves.*,
    coalesce(revenue.order_count, 0) as order_count,
    coalesce(revenue.revenue_gbp, 0)::decimal(18, 2) as revenue_gbp,
    coalesce(redeemed.redeemed_count, 0) as redeemed_count,
    coalesce(redeemed.redeemed_gbp, 0)::decimal(18, 2) as redeemed_gbp
from (
    select
        wave_id,
        campaign,
        max(sent_at) as sent_at,
        count(*) filter (where outcome = 'recipient') as recipient_count,
        count(*) filter (where outcome = 'holdout') as holdout_count,
        count(*) filter (where outcome = 'excluded') as newly_excluded_count,
        count(*) filter (where outcome = 'deferred') as newly_deferred_count,
        count(*) filter (where delivery in ('sent', 'unsubscribed', 'complained')) as delivered_count,
        count(*) filter (where delivery in ('hard_bounce', 'soft_bounce')) as bounced_count,
        count(*) filter (where delivery = 'unsubscribed') as unsubscribed_count,
        count(*) filter (where delivery = 'complained') as complained_count
    from deliveries
    group by wave_id, campaign
) as waves
left join revenue on waves.wave_id = revenue.wave_id
left join (
    select deliveries.wave_id, count(*) as redeemed_count, sum(orders.goods_paid) as redeemed_gbp
    from lake.marts.campaign_deliveries as deliveries
    inner join lake.marts.orders as orders on deliveries.redeemed_order_id = orders.order_id
    where not orders.is_void and orders.currency = 'GBP'
    group by deliveries.wave_id
) as redeemed on waves.wave_id = redeemed.wave_id;
