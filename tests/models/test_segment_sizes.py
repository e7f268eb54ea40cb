"""The segments counted once more, in plain SQL over the landing files: nothing of the models is used or imitated.

Where the models carry an address forward to its owner, this walks back from each event to whom its address came from; where they
fold consent, this asks for the last answer; addresses stay addresses, and only at the end become ids.
"""

import json

import duckdb
import pytest

from orchestration.core.identity import address_id
from orchestration.resources import models
from orchestration.resources.keys import contact_key
from orchestration.resources.models_version import lacks_segment

EVENTS = """
create table told_{source} as
select * replace (lower(trim(email)) as email)
from read_json('{landing}/{source}/*.jsonl', columns = {columns})
where occurred_at <= timestamptz '{as_of}';

create table {source} as
select * from told_{source} as one
where not exists (
    select 1 from told_{source} as other
    where other.event_id = one.event_id and other.occurred_at > one.occurred_at
);
"""
COLUMNS = {
    "orders": {
        "event_id": "varchar",
        "occurred_at": "timestamptz",
        "order_id": "varchar",
        "status": "varchar",
        "placed_at": "timestamptz",
        "email": "varchar",
        "currency": "varchar",
        "country": "varchar",
        **dict.fromkeys(("subtotal", "discount", "refunded"), "decimal(18,2)"),
    },
    "signups": {
        "event_id": "varchar",
        "occurred_at": "timestamptz",
        "email": "varchar",
        "previous_email": "varchar",
        "action": "varchar",
        "visitor_id": "varchar",
        **dict.fromkeys(("profiling_consent", "health_consent", "tracking_consent"), "boolean"),
    },
    "article_views": {
        "event_id": "varchar",
        "occurred_at": "timestamptz",
        "article_id": "varchar",
        "visitor_id": "varchar",
        "email": "varchar",
        "tracking_consent": "boolean",
    },
}
PEOPLE = """
-- every (address, moment) there is, and back from there through the changes of address
create table whose as
with recursive changes as (
    select distinct event_id, occurred_at, email, lower(trim(previous_email)) as previous from signups
    where action = 'update_preferences' and lower(trim(previous_email)) <> email
),
moments as (
    select email, occurred_at from signups union select email, occurred_at from article_views where email is not null
    union select email, occurred_at from orders where email is not null
),
walk as (
    select email as said, occurred_at as at_time, email as held, occurred_at as until, '~' as until_event, 0 as step from moments
    union all
    select said, at_time, previous, changed_at, changed_event, step + 1
    from (
        select walk.said, walk.at_time, walk.step, changes.previous,
            changes.occurred_at as changed_at, changes.event_id as changed_event,
            row_number() over (
                partition by walk.said, walk.at_time order by changes.occurred_at desc, changes.event_id desc
            ) as nearest
        from walk join changes on changes.email = walk.held
            and (changes.occurred_at < walk.until or (changes.occurred_at = walk.until and changes.event_id < walk.until_event))
    )
    where nearest = 1
)
select said as email, at_time as occurred_at, arg_max(held, step) as person from walk group by all;

create table spoke as select whose.person, signups.* from signups join whose using (email, occurred_at);
"""
NEW_SUBSCRIBERS = """
select person from spoke where action = 'subscribe'
group by person having min(occurred_at) > timestamptz '{as_of}' - interval 30 day
except
select person from latest_orders where status not in ('cancelled', 'failed')
"""
ORDERS = """
create table latest_orders as
with newest as (
    select order_id, unnest(max_by(orders, (occurred_at, event_id))) from orders group by order_id
),
addressed as (
    select order_id, max_by(email, (occurred_at, event_id)) as email, max(occurred_at) as occurred_at
    from orders where email is not null group by order_id
)
select newest.*, whose.person
from (select status, placed_at, currency, country, subtotal, discount, refunded, order_id from newest) as newest
join addressed using (order_id) join whose using (email, occurred_at);
"""
HIGH_VALUE = """
select distinct person from latest_orders
where subtotal - discount - refunded >= 100.01 and currency = 'GBP' and country = 'GB' and status in ('processing', 'completed')
    and placed_at > timestamptz '{as_of}' - interval 180 day and placed_at <= timestamptz '{as_of}'
"""
READERS = """
with last_left as (select person, max(occurred_at) as left_at from spoke where action = 'unsubscribe' group by person),
answers as (
    select spoke.* from spoke left join last_left using (person)
    where action <> 'unsubscribe' and (left_at is null or occurred_at > left_at)
),
consents as (
    select person,
        max_by(profiling_consent, (occurred_at, event_id)) filter (profiling_consent is not null) as profiling,
        max_by(health_consent, (occurred_at, event_id)) filter (health_consent is not null) as health
    from answers group by person
),
tracked as (select * from article_views where tracking_consent),
seen_on as (
    select visitor_id, person from tracked join whose using (email, occurred_at)
    union select visitor_id, person from spoke where tracking_consent and visitor_id is not null
),
alone as (select visitor_id, min(person) as person from seen_on group by visitor_id having count(distinct person) = 1),
lately as (select * from tracked where occurred_at > timestamptz '{as_of}' - interval 30 day),
reads as (
    select person, article_id from lately join whose using (email, occurred_at)
    union select person, article_id from lately join alone using (visitor_id) where email is null
),
topics as (
    select article_id, lower(trim(unnest(treatments))) as topic
    from read_json('{landing}/articles/*.jsonl', columns = {{'article_id': 'varchar', 'treatments': 'varchar[]'}})
),
judged as (
    select article_id, regexp_matches(topic, '^(hair|alopecia|acne|rosacea|melasma|hyperhidrosis)([^a-z]|$)') as is_health
    from topics
)
select person from reads join consents using (person) join judged using (article_id)
where profiling and (not is_health or health)
group by person having count(distinct article_id) >= 2
"""
SEGMENTS = {"new_subscribers": NEW_SUBSCRIBERS, "high_value_free_delivery": HIGH_VALUE, "treatment_readers": READERS}


@pytest.fixture(scope="module")
def counted(world, told):
    """Segment → addresses of its members, counted over all files as of LATER."""
    con = duckdb.connect()
    con.execute("set TimeZone = 'UTC'")
    names = {"landing": world.settings.landing_dir, "as_of": told.LATER.isoformat()}
    for source, columns in COLUMNS.items():
        con.execute(EVENTS.format(source=source, columns=json.dumps(columns), **names))
    con.execute(PEOPLE)
    con.execute(ORDERS)
    return {
        segment: {person for (person,) in con.execute(query.format(**names)).fetchall()}
        for segment, query in SEGMENTS.items()
    }


@pytest.mark.parametrize("segment", SEGMENTS)
def test_each_segment_has_the_members_of_an_independent_count(world, counted, segment):
    key = contact_key(world.settings)
    expected = {address_id(person, key): person for person in counted[segment]}
    members = {contact for name, contact in world.second.members() if name == segment}
    assert len(members) > 25
    assert {expected.get(contact, contact) for contact in members} == set(expected.values())


def test_a_build_says_which_segments_it_has(world):
    with world.warehouse.latest() as con:
        assert [lacks_segment(con, name) for name in models.segments()] == [False] * 3
        assert lacks_segment(con, "thought_of_since")
