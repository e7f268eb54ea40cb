"""Whether an order placed now leaves the same day, at the edges of the day, the week, the year and British summer time."""

from datetime import date, datetime, time

import pytest

from orchestration.core.dispatch import dispatch_day

CUTOFF = time(15)


@pytest.mark.parametrize(
    ("at", "day"),
    [
        ("2026-11-25T14:59:59Z", "2026-11-25"),  # a Wednesday, a second before three
        ("2026-11-25T15:00:00Z", None),
        ("2026-11-25T00:00:00Z", "2026-11-25"),
        ("2026-11-25T23:59:59Z", None),
        ("2026-11-27T12:00:00Z", "2026-11-27"),  # Friday
        ("2026-11-28T12:00:00Z", None),  # Saturday
        ("2026-11-29T12:00:00Z", None),  # Sunday
        ("2026-11-30T12:00:00Z", "2026-11-30"),  # St Andrew's Day: a holiday in Scotland only
        ("2026-12-24T12:00:00Z", "2026-12-24"),
        ("2026-12-25T12:00:00Z", None),
        ("2026-12-28T12:00:00Z", None),  # Boxing Day fell on a Saturday: its substitute
        ("2026-12-31T14:00:00Z", "2026-12-31"),
        ("2027-01-01T12:00:00Z", None),
        ("2027-01-04T12:00:00Z", "2027-01-04"),  # a holiday in Scotland only
        ("2027-03-26T12:00:00Z", None),  # Good Friday
        ("2027-03-29T12:00:00Z", None),  # Easter Monday
        ("2026-07-01T13:59:00Z", "2026-07-01"),  # 14:59 in a British summer
        ("2026-07-01T14:00:00Z", None),
        ("2026-06-30T23:30:00Z", "2026-07-01"),  # half past midnight in London
        ("2026-08-31T12:00:00Z", None),  # summer bank holiday
        ("2026-11-25T23:00:00+09:00", "2026-11-25"),  # 14:00 in London, told in Tokyo
    ],
)
def test_an_order_leaves_the_same_day_before_three_on_a_working_day_in_london(at, day):
    assert dispatch_day(datetime.fromisoformat(at), CUTOFF) == (date.fromisoformat(day) if day else None)
