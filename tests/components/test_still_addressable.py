"""What delivery asks the warehouse: may this contact be written to, at this address, and when did they last sign up there?"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from orchestration.components.freshest import doubtful_since, last_signups, still_addressable
from orchestration.core.signup import Signup
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings

AS_OF = datetime(2026, 11, 22, 8, tzinfo=UTC)
ADA, BEN, ADAS_OLD_ADDRESS = UUID(int=1), UUID(int=2), UUID(int=3)


@pytest.fixture
def warehouse(tmp_path):
    found = Warehouse(Settings.from_env({"DATA_DIR": str(tmp_path)}))
    with found.writer() as con:
        con.execute("create table lake.marts.contacts (contact_id uuid, email varchar, is_addressable boolean)")
        con.execute("create table lake.intermediate.int_address_owners (address_id uuid, contact_id uuid)")
        con.execute("insert into lake.intermediate.int_address_owners values (?, ?)", [ADAS_OLD_ADDRESS, ADA])
        con.execute(
            "insert into lake.marts.contacts values (?, 'ada@mail.test', true), (?, 'ben@mail.test', false)", [ADA, BEN]
        )
        found.record_build(con, build_id="b1", build_no=1, as_of=AS_OF)
    return found


def unsubscribe(warehouse, *, batch_id, occurred_at):
    with warehouse.writer() as con:
        con.execute(
            'insert into lake.raw.signups (event_id, occurred_at, email, "action", batch_id) '
            "values ('u1', ?, 'ada@mail.test', 'unsubscribe', ?)",
            [occurred_at, batch_id],
        )


def test_only_who_was_addressable_in_the_last_build(warehouse):
    asked = {str(ADA): "ada@mail.test", str(BEN): "ben@mail.test"}
    assert still_addressable(warehouse, asked) == {str(ADA)}


def test_not_at_an_address_that_the_contact_has_left(warehouse):
    assert still_addressable(warehouse, {str(ADA): "old@mail.test"}) == set()


def test_not_who_unsubscribed_in_a_file_that_came_after_the_build(warehouse):
    unsubscribe(warehouse, batch_id=1, occurred_at=AS_OF - timedelta(days=1))
    assert still_addressable(warehouse, {str(ADA): "ada@mail.test"}) == set()


def test_not_who_unsubscribed_at_a_time_the_build_had_not_reached(warehouse):
    unsubscribe(warehouse, batch_id=0, occurred_at=AS_OF + timedelta(seconds=5))
    assert still_addressable(warehouse, {str(ADA): "ada@mail.test"}) == set()


def test_an_unsubscribe_that_the_build_has_seen_is_the_models_to_judge(warehouse):
    unsubscribe(warehouse, batch_id=0, occurred_at=AS_OF - timedelta(days=1))
    assert still_addressable(warehouse, {str(ADA): "ada@mail.test"}) == {str(ADA)}


def test_not_who_unsubscribed_by_an_address_they_had_before(warehouse):
    with warehouse.writer() as con:
        con.execute(
            'insert into lake.raw.signups (event_id, occurred_at, email, address_id, "action", batch_id) '
            "values ('u2', ?, 'old@mail.test', ?, 'unsubscribe', 1)",
            [AS_OF, ADAS_OLD_ADDRESS],
        )
    assert still_addressable(warehouse, {str(ADA): "ada@mail.test"}) == set()


@pytest.mark.parametrize(
    "original",
    [
        b'{"event_id": "u3", "email":"Ada@mail.test", "action": "unsubscribe"}',
        b'{"email":"ada@mail.test","action":"unsubscribe","first_name":"\xff"}',
        b"u3,ada@mail.test,unsubscribe",
    ],
)
def test_not_who_unsubscribed_in_a_row_that_was_rejected_until_somebody_lets_go_of_it(warehouse, original):
    with warehouse.writer() as con:
        con.execute(
            "insert into lake.raw.rejects (source, reason, original, status) values ('signups', 'interests: missing', ?, 'open')",
            [original],
        )
    assert still_addressable(warehouse, {str(ADA): "ada@mail.test"}) == set()
    with warehouse.writer() as con:
        con.execute("update lake.raw.rejects set status = 'dismissed'")
    assert still_addressable(warehouse, {str(ADA): "ada@mail.test"}) == {str(ADA)}


def signups(warehouse, said):
    """What was said: (address, days before the build, action, event id)."""
    with warehouse.writer() as con:
        con.execute(
            "create table lake.intermediate.int_signups ("
            "email varchar, occurred_at timestamptz, signup_action varchar, event_id varchar)"
        )
        con.executemany(
            "insert into lake.intermediate.int_signups values (?, ?, ?, ?)",
            [(email, AS_OF - timedelta(days=days), what, event_id) for email, days, what, event_id in said],
        )
        warehouse.record_build(con, build_id="b2", build_no=2, as_of=AS_OF)


def test_the_last_signup_is_that_of_the_very_address(warehouse):
    said = [("ada@mail.test", 3, "subscribe"), ("ada@mail.test", 2, "subscribe"), ("ada@mail.test", 1, "unsubscribe")]
    said += [("old@mail.test", 0, "subscribe"), ("ben@mail.test", 1, "update_preferences")]
    signups(warehouse, [(*one, "e") for one in said])
    asked = {str(ADA): "ada@mail.test", str(BEN): "ben@mail.test"}
    assert last_signups(warehouse, asked) == {str(ADA): Signup(AS_OF - timedelta(days=2))}


@pytest.mark.parametrize(
    ("said", "since"),
    [
        ([(3, "subscribe", "web-1"), (2, "subscribe", "web-2")], None),
        ([(3, "unsubscribe", "p"), (2, "subscribe", "web-1"), (1, "subscribe", "web-2")], 2),
        ([(3, "unsubscribe", "p"), (2, "subscribe", "web-1"), (1, "subscribe", "till-2")], None),
        ([(3, "unsubscribe", "p"), (2, "subscribe", "till-1"), (1, "subscribe", "web-2")], None),
        ([(4, "subscribe", "till-1"), (3, "unsubscribe", "p"), (1, "subscribe", "web-2")], 1),
        ([(3, "subscribe", "web-1"), (3, "unsubscribe", "p")], None),
    ],
    ids=["no no", "browsers only", "then a server", "first a server", "a server before the no", "at one instant"],
)
def test_what_browsers_alone_say_after_a_no_is_unconfirmed_from_the_first_of_them_on(warehouse, said, since):
    signups(warehouse, [("ada@mail.test", *one) for one in said])
    emails = {str(ADA): "ada@mail.test"}
    expected = since and AS_OF - timedelta(days=since)
    assert last_signups(warehouse, emails)[str(ADA)].unconfirmed_since == expected
    planned_before, planned_after = AS_OF - timedelta(days=3), AS_OF
    assert doubtful_since(warehouse, emails, planned_before) == ({str(ADA)} if since else set())
    assert doubtful_since(warehouse, emails, planned_after) == set()
