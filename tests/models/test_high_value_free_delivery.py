"""An order of the last 180 days, in GBP, to GB, processing or completed, goods over £100 (DESIGN 5)."""

import pytest

HIGH = "high_value_free_delivery"


@pytest.mark.parametrize(
    "name",
    [
        "a-penny-over",
        "discounted-over-the-line",
        "refunded-over-the-line",
        "processing",
        "a-tick-less-than-day-180",
        "placed-this-instant",
    ],
)
def test_just_inside(first, name):
    assert HIGH in first.segments(name)


@pytest.mark.parametrize(
    "name",
    [
        "at-the-line",
        "discounted-to-the-line",
        "refunded-to-the-line",
        "shipping-does-not-count",
        "two-small-ones",
        "in-euro",
        "in-ireland",
        "on-hold",
        "all-refunded",
        "day-180",
        "old-but-touched-lately",
    ],
)
def test_just_outside(first, name):
    assert HIGH not in first.segments(name)


def test_an_order_without_an_address_is_nobodys(first):
    assert first.order("nobodys").contact_id is None


def test_a_later_state_without_the_address_leaves_the_order_where_it_was(first):
    assert first.order("order-of-email-lost-on-the-way").status == "completed"
    assert HIGH in first.segments("email-lost-on-the-way")


def test_the_state_that_occurred_last_counts_not_the_one_that_arrived_last(first, second):
    assert first.order("order-of-states-out-of-order").status == "completed"
    assert second.order("order-of-late-state").status == "completed"
    assert HIGH in second.segments("late-state")


def test_a_state_that_is_not_due_waits(first, second):
    assert first.order("order-of-completed-later").status == "pending"
    assert second.order("order-of-completed-later").status == "completed"
    assert HIGH in second.segments("completed-later") - first.segments("completed-later")


def test_a_cancellation_ends_the_stay(second, told):
    assert second.stays("cancels-in-week-two", HIGH) == [(told.AS_OF, told.LATER)]


def test_an_order_goes_to_whose_address_it_last_carried(first, second):
    assert HIGH in first.segments("order-goes-to-another")
    assert HIGH in second.segments("order-is-now-mine")
    assert second.segments("order-goes-to-another") == {"new_subscribers"}
    assert second.contact("order-goes-to-another").order_count == 0


def test_the_reason_names_the_order(first):
    rows = first.rows("select reason from lake.marts.segment_members where contact_id = ?", first.id("a-penny-over"))
    assert rows == [{"reason": "order order-of-a-penny-over of 2026-11-07: goods £100.01"}]
