from datetime import UTC, datetime, timedelta

import pytest

from orchestration.core.alerts import Arrivals, news, silence, stopped, too_many_rejects

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("rows", "rejects", "is_told"), [(1000, 51, True), (1000, 50, False), (20, 9, False), (10, 10, True), (0, 0, False)]
)
def test_rejects_are_told_above_a_share_and_a_number(rows, rejects, is_told):
    assert (too_many_rejects("orders", rows, rejects) is not None) == is_told


@pytest.mark.parametrize(
    ("count", "longest", "quiet_for", "is_told"),
    [
        (500, 10 * HOUR, 21 * HOUR, True),
        (500, 10 * HOUR, 20 * HOUR, False),  # a night is no silence
        (500, HOUR / 60, 5 * HOUR, False),
        (500, HOUR / 60, 7 * HOUR, True),
        (9, HOUR, 90 * HOUR, False),  # too few to know what is usual
    ],
)
def test_a_source_is_silent_when_it_is_quiet_for_twice_as_long_as_ever(count, longest, quiet_for, is_told):
    alert = silence(Arrivals("orders", count, longest, NOW - quiet_for), NOW)
    assert (alert is not None) == is_told


def test_an_occurrence_is_news_until_it_was_told():
    found = [stopped("complaints", "3 complaints"), stopped("hard_bounces", "9 hard bounces.")]
    assert news(found, {"stop complaints"}) == found[1:]
