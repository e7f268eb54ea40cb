"""When sending has to stop, and which word about an email stands."""

from datetime import UTC, datetime, timedelta

import pytest

from orchestration.core.feedback import WaveAnswers, has_shrunk, replaces, trips

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)


def wave(emails, *, days_ago=1.0, campaign="welcome", wave_id="w1", **objections):
    return WaveAnswers(wave_id, campaign, NOW - timedelta(days=days_ago), emails, objections)


def kinds(*waves):
    return [trip.kind for trip in trips(waves, NOW)]


@pytest.mark.parametrize(
    ("answered", "kind"),
    [
        (wave(200, hard_bounce=4), "hard_bounces"),
        (wave(300, unsubscribed=3), "unsubscribes"),
        (wave(2000, complained=2), "complaints"),
    ],
)
def test_a_share_at_its_limit_stops_sending(answered, kind):
    assert kinds(answered) == [kind]


@pytest.mark.parametrize("answered", [wave(201, hard_bounce=4), wave(301, unsubscribed=3), wave(2001, complained=2)])
def test_a_share_below_its_limit_does_not(answered):
    assert kinds(answered) == []


@pytest.mark.parametrize("answered", [wave(10, unsubscribed=1), wave(10, hard_bounce=2), wave(10, complained=1)])
def test_one_or_two_people_in_a_small_wave_are_no_share(answered):
    assert kinds(answered) == []


def test_complaints_add_up_over_all_campaigns_for_30_days():
    old = wave(500, days_ago=31, complained=9)
    some = wave(500, days_ago=20, complained=1), wave(500, campaign="thanks", wave_id="w2", complained=1)
    assert kinds(old, *some) == ["complaints"]
    assert kinds(old, some[0]) == []


def test_small_waves_are_judged_together_with_those_of_their_campaign_before_them():
    """A welcome email goes out to one person at a time."""
    ones = [wave(1, days_ago=9 - number / 100, wave_id=f"w{number}", hard_bounce=number < 3) for number in range(150)]
    assert kinds(*ones) == ["hard_bounces"]  # the third of the first three
    late = [
        wave(1, days_ago=9 - number / 100, wave_id=f"w{number}", hard_bounce=number % 60 == 0) for number in range(150)
    ]
    assert kinds(*late) == []
    assert kinds(*ones[:2], wave(1, campaign="thanks", wave_id="x", hard_bounce=1)) == []


def test_the_stop_says_how_many_of_how_many_and_which_wave():
    [trip] = trips([wave(200, hard_bounce=5)], NOW)
    assert trip.what == "5 hard bounces among 200 emails (2.50%; the limit is 2.0%) of wave w1"


def test_a_no_is_only_replaced_by_a_stronger_one():
    assert replaces(None, "sent") and replaces("sent", "hard_bounce") and replaces("soft_bounce", "sent")
    assert replaces("unsubscribed", "complained")
    assert not replaces("unsubscribed", "sent") and not replaces("complained", "unsubscribed")
    assert not replaces("sent", "sent")


def test_an_audience_that_lost_more_than_half_has_been_emptied():
    assert has_shrunk(10, 4) and has_shrunk(1000, 0)
    assert not has_shrunk(10, 5) and not has_shrunk(4, 0) and not has_shrunk(None, 0)
