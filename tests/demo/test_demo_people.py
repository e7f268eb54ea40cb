"""Each hand-made contact shows the rule it is there for, counted from the files with the standard library alone."""

from datetime import datetime
from decimal import Decimal

import pytest

from orchestration.demo.people import people, span

PEOPLE = {person["id"]: person for person in people()}


def _orders_of(landed, email):
    latest = {}
    for row in sorted(landed.rows["orders"], key=lambda row: row["occurred_at"]):
        if row["email"] and row["email"].lower() == email:
            latest[row["order_id"]] = row
    return list(latest.values())


def _charged(order):
    return Decimal(str(order["subtotal"])) - Decimal(str(order["discount"])) - Decimal(str(order["refunded"]))


@pytest.mark.parametrize("name", PEOPLE)
def test_a_hand_made_contact_is_in_the_segments_its_entry_names_and_mailable_or_not(name, count):
    person = PEOPLE[name]
    found = {segment for segment, members in count.segments.items() if person["email"] in members}
    assert found == set(person["in"]), person["shows"]
    assert (person["email"] in count.mailable) == person["mailable"], person["shows"]


def test_every_hand_made_contact_says_what_it_shows_and_has_its_own_address():
    assert all(len(person["shows"]) > 30 for person in PEOPLE.values())
    addresses = [person["email"] for person in PEOPLE.values() if person["email"]]
    assert len(addresses) == len(set(addresses))


@pytest.mark.parametrize(
    ("name", "charged"),
    [
        ("order-100-00", "100.00"),
        ("order-100-01", "100.01"),
        ("refund-under", "91.00"),
        ("refund-still-over", "200.00"),
        ("discount-under", "96.30"),
        ("never-asked", "179.00"),
    ],
)
def test_the_orders_around_the_free_delivery_line_come_to_the_sum_they_are_there_for(name, charged, landed):
    (order,) = _orders_of(landed, PEOPLE[name]["email"])
    assert _charged(order) == Decimal(charged)


def test_each_order_adds_up(landed):
    for order in landed.rows["orders"]:
        money = {name: Decimal(str(order[name])) for name in ("subtotal", "discount", "shipping", "total", "refunded")}
        lines = sum(Decimal(str(line["unit_price"])) * line["quantity"] for line in order["lines"])
        assert lines == money["subtotal"]
        assert money["total"] == money["subtotal"] - money["discount"] + money["shipping"]
        assert (money["shipping"] == 0) == (money["subtotal"] - money["discount"] > 100)
        assert money["refunded"] <= money["total"]


def test_the_refund_comes_after_the_order_was_over_the_line(landed):
    rows = [row for row in landed.rows["orders"] if row["email"] == PEOPLE["refund-under"]["email"]]
    sums = [_charged(row) for row in sorted(rows, key=lambda row: row["occurred_at"])]
    assert sums == [118, 118, 118, 91]


def test_the_signups_around_the_thirtieth_day_lie_on_either_side_of_it(landed, now):
    ages = {
        row["email"]: now - datetime.fromisoformat(row["occurred_at"])
        for row in landed.rows["signups"]
        if row["email"] in (PEOPLE["day-30-inside"]["email"], PEOPLE["day-30-exactly"]["email"])
    }
    assert sorted(age.total_seconds() / 86400 for age in ages.values()) == [29.75, 30.0]


def test_the_two_spellings_differ_in_the_files(landed):
    written = {
        row["email"]
        for source in ("signups", "orders")
        for row in landed.rows[source]
        if row["email"] and "two.spellings" in row["email"].lower()
    }
    assert written == {" Two.Spellings@Mail.TEST ", "TWO.SPELLINGS@mail.test"}


def test_the_shared_device_has_two_known_readers_and_views_of_nobody(landed):
    views = [row for row in landed.rows["article_views"] if row["visitor_id"] == "v-shared-tablet"]
    assert {row["email"] for row in views} == {"pat.norcross@post.test", "jo.norcross@post.test", None}


def test_the_later_known_visitor_read_before_anyone_knew_them(landed):
    views = [row for row in landed.rows["article_views"] if row["visitor_id"] == "v-known-later"]
    views.sort(key=lambda row: row["occurred_at"])
    assert [row["email"] for row in views] == [None, None, None, "mina.farrow@mail.test"]


def test_a_signup_of_the_future_is_dated_after_the_seeding(landed, now):
    (row,) = [row for row in landed.rows["signups"] if row["email"] == PEOPLE["future-dated"]["email"]]
    assert datetime.fromisoformat(row["occurred_at"]) > now


def test_the_duplicated_order_stands_in_two_files(landed):
    ids = [row["event_id"] for row in landed.rows["orders"] if row["email"] == PEOPLE["duplicated"]["email"]]
    assert len(ids) == 2 * len(set(ids)) == 6


def test_every_address_that_steers_the_sandbox_is_mailed_by_some_campaign(count):
    steering = ("bounce", "complaint", "unsubscribe", "fake", "compliance")
    mailed = set().union(*count.segments.values()) & count.mailable
    for word in steering:
        assert any(address.startswith(f"{word}.") for address in mailed), word


@pytest.mark.parametrize("text", ["", "3", "2 d", "d3", "1w", "1d2h"])
def test_a_length_of_time_that_makes_no_sense_is_refused(text):
    with pytest.raises(ValueError, match="29d 18h"):
        span(text)
