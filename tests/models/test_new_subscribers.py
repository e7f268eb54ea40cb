"""first subscribe in the last 30 days; no order, except cancelled or failed ones (DESIGN 5)"""

import pytest

NEW = "new_subscribers"


def test_the_thirtieth_day_is_out_and_a_tick_later_is_in(first):
    assert NEW not in first.segments("thirty-days")
    assert NEW in first.segments("a-tick-less-than-thirty-days")


def test_as_of_itself_is_in_and_what_comes_after_waits(first, second):
    assert NEW in first.segments("this-instant")
    assert first.contact("a-tick-after") is None
    assert NEW in second.segments("a-tick-after")


@pytest.mark.parametrize("name", ["cancelled-only", "failed-only"])
def test_an_order_that_came_to_nothing_does_not_count(first, name):
    assert NEW in first.segments(name)
    assert first.contact(name).order_count == 0


@pytest.mark.parametrize("name", ["pending-order", "refunded-order", "bought-before"])
def test_any_other_order_does(first, name):
    assert NEW not in first.segments(name)
    assert first.contact(name).order_count == 1


def test_two_spellings_of_an_address_are_one_contact(first):
    contact = first.contact("two.spellings")
    assert contact.email == "two.spellings@world.test"
    assert (contact.order_count, contact.is_subscribed) == (1, True)
    assert NEW not in first.segments("two.spellings")


def test_who_comes_back_is_not_new(first):
    assert first.contact("back-again").is_subscribed
    assert NEW not in first.segments("back-again")


def test_one_customer_id_on_two_addresses_makes_no_one_person(first):
    assert first.contact("customer-one").email == "customer-one@world.test"
    assert not first.contact("customer-one").is_subscribed
    assert first.contact("customer-two").is_subscribed
    assert first.contact("customer-two").order_count == 1


def test_who_unsubscribes_stays_in_the_segment_and_can_no_longer_be_written_to(first, second):
    assert first.contact("unsubscribes-in-week-two").is_addressable
    assert not second.contact("unsubscribes-in-week-two").is_addressable
    assert NEW in second.segments("unsubscribes-in-week-two")


def test_the_reason_names_the_event(first):
    rows = first.rows(
        "select reason from lake.marts.segment_members where contact_id = ? and segment = ?",
        first.id("same-instant-a"),
        NEW,
    )
    assert rows == [{"reason": "subscribed 2026-11-12 (tie-a-1), no order"}]


def test_an_order_ends_it(second, first, told):
    assert first.stays("orders-in-week-two", NEW) == [(told.AS_OF, None)]
    assert second.stays("orders-in-week-two", NEW) == [(told.AS_OF, told.LATER)]


def test_a_cancelling_state_without_an_address_begins_it(first, second):
    assert NEW not in first.segments("cancels-without-email")
    assert second.contact("cancels-without-email").order_count == 0
    assert NEW in second.segments("cancels-without-email")
