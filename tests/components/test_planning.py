"""Who of a segment gets an email, and who does not and why, from models' tables that the test writes itself."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from orchestration.components.planning import plan
from orchestration.core.campaign import Reentry
from orchestration.core.errors import CampaignError, NoBuildYet
from orchestration.resources import ledger_file
from orchestration.resources.models_version import note_segments
from tests.components.planned_shop import NOW, Shop, campaign


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path)


def test_each_no_has_its_reason_and_the_counts_add_up(shop):
    expected = {
        shop.person(): ("recipient", None),
        shop.person(is_suppressed=True, is_subscribed=False): ("excluded", "suppressed"),
        shop.person(email=None, is_subscribed=False): ("excluded", "no_address"),
        shop.person(is_subscribed=False): ("excluded", "no_consent"),
        shop.person(basis=None): ("excluded", "no_consent"),
    }
    shop.build()
    planned = shop.plan(campaign())
    assert shop.decided(planned) == expected
    assert planned.counts == {
        "segment_size": 5,
        "recipient": 1,
        "holdout": 0,
        "excluded": {"no_address": 1, "no_consent": 2, "suppressed": 1},
        "deferred": {},
    }


def test_only_recipients_leave_their_address_in_the_ledger(shop):
    shop.person()
    shop.person(is_subscribed=False)
    shop.build()
    planned = shop.plan(campaign())
    rows = [row for batch in shop.ledger.recipients(planned.wave_id) for row in batch]
    assert [(row.outcome, row.email) for row in rows] == [("recipient", "p1@mail.test"), ("excluded", None)]
    assert [row.evidence for row in rows] == ["because of e1", "because of e2"]


def test_a_first_import_mails_nobody_unless_the_backlog_is_to_be_sent(shop):
    contact = shop.person(entered_at=NOW)
    shop.build()
    planned = shop.plan(campaign(), backlog="record")
    assert shop.decided(planned) == {contact: ("excluded", "entered_before_start")}


def test_who_enters_after_the_start_gets_it(shop):
    early = shop.person(entered_at=NOW)
    shop.build()
    shop.plan(campaign(), backlog="record")
    late = shop.person(entered_at=NOW + timedelta(hours=1))
    shop.build(number=2)
    planned = shop.plan(campaign(), backlog="record", fixed_as_of=NOW + timedelta(hours=2))
    assert shop.decided(planned) == {early: ("excluded", "entered_before_start"), late: ("recipient", None)}


def test_once_is_once(shop):
    contact = shop.person()
    shop.build()
    shop.send(shop.plan(campaign()))
    planned = shop.plan(campaign(), fixed_as_of=NOW + timedelta(days=400))
    assert shop.decided(planned) == {contact: ("excluded", "already_sent")}


@pytest.mark.parametrize(("days", "outcome"), [(13, ("excluded", "already_sent")), (14, ("recipient", None))])
def test_a_campaign_with_re_entry_comes_again_after_its_days_and_no_sooner(shop, days, outcome):
    contact = shop.person()
    shop.build()
    again = campaign(reentry=Reentry(after_days=14))
    shop.send(shop.plan(again))
    planned = shop.plan(again, fixed_as_of=NOW + timedelta(days=days))
    assert shop.decided(planned) == {contact: outcome}


def test_a_wave_under_way_holds_its_people(shop):
    contact = shop.person()
    shop.build()
    shop.plan(campaign())
    assert shop.decided(shop.plan(campaign())) == {contact: ("excluded", "already_sent")}
    other = campaign(name="thanks")
    assert shop.decided(shop.plan(other)) == {contact: ("deferred", "capped")}


def test_whom_mailchimp_refused_is_not_tried_again_until_they_say_something_newer(shop):
    refused = shop.person(answered_at=NOW - timedelta(days=1))
    other = shop.person()
    shop.build()
    first = shop.plan(campaign())
    shop.ledger.drop_recipients(first.wave_id, [(refused, "mailchimp_refused")])
    shop.send(first)
    hours = {"fixed_as_of": NOW + timedelta(hours=17), "quiet_hours": None}
    again = shop.decided(shop.plan(campaign(name="thanks"), **hours))
    assert again == {refused: ("excluded", "mailchimp_refused"), other: ("recipient", None)}
    shop.people[0][-1]["answered_at"] = NOW + timedelta(hours=1)
    shop.build(number=2)
    anew = shop.decided(shop.plan(campaign(), **hours))
    assert anew == {refused: ("recipient", None), other: ("excluded", "already_sent")}


@pytest.mark.parametrize(("hours", "outcome"), [(23, ("excluded", "mailchimp_pending")), (25, ("recipient", None))])
def test_whom_mailchimp_asks_to_confirm_is_looked_at_again_once_a_day(shop, hours, outcome):
    pending = shop.person(answered_at=NOW - timedelta(days=1))
    shop.build()
    first = shop.plan(campaign())
    shop.ledger.drop_recipients(first.wave_id, [(pending, "mailchimp_pending")])
    shop.ledger.move(first.wave_id, "cancelled", who="test", why="nobody is left", at=NOW)
    again = shop.plan(campaign(), fixed_as_of=NOW + timedelta(hours=hours), quiet_hours=None)
    assert shop.decided(again) == {pending: outcome}


def test_a_plan_that_waited_for_another_goes_by_what_is_known_when_its_turn_comes(shop, monkeypatch, caplog):
    monkeypatch.setattr(ledger_file, "PROGRESS_EVERY", 0.05)
    caplog.set_level("INFO")
    early = shop.person()
    shop.build()
    with ThreadPoolExecutor(1) as pool:
        with shop.ledger.planning("thanks"):
            waiting = pool.submit(shop.plan, campaign())
            while "Waiting for the ledger" not in caplog.text:
                assert not waiting.done()
            late = shop.person()
            shop.build(number=2)
        planned = waiting.result(timeout=30)
    assert shop.decided(planned) == {early: ("recipient", None), late: ("recipient", None)}


def test_with_a_clock_set_back_a_no_of_mailchimps_is_still_newer_than_the_signup_before_it(shop):
    refused = shop.person(answered_at=NOW - timedelta(minutes=5))
    shop.build()
    back = {"fixed_as_of": NOW - timedelta(hours=1), "quiet_hours": None}
    first = shop.plan(campaign(), **back)
    assert shop.ledger.wave(first.wave_id).as_of == NOW
    shop.ledger.drop_recipients(first.wave_id, [(refused, "mailchimp_unsubscribed")])
    shop.send(first)
    assert shop.decided(shop.plan(campaign(), **back)) == {refused: ("excluded", "mailchimp_unsubscribed")}


def test_a_cancelled_wave_frees_its_people(shop):
    contact = shop.person()
    shop.build()
    planned = shop.plan(campaign())
    shop.ledger.move(planned.wave_id, "cancelled", who="test", why="", at=NOW)
    assert shop.decided(shop.plan(campaign())) == {contact: ("recipient", None)}


@pytest.mark.parametrize(("hours", "outcome"), [(16, ("recipient", None)), (15.9, ("deferred", "capped"))])
def test_sixteen_hours_lie_between_two_emails(shop, hours, outcome):
    contact = shop.person()
    shop.build()
    shop.send(shop.plan(campaign()))
    planned = shop.plan(campaign(name="thanks"), fixed_as_of=NOW + timedelta(hours=hours), quiet_hours=None)
    assert shop.decided(planned) == {contact: outcome}


def test_three_emails_in_seven_days_are_enough(shop):
    contact = shop.person()
    shop.build()
    for number in range(3):
        at = NOW + timedelta(days=number)
        shop.send(shop.plan(campaign(name=f"c{number}"), fixed_as_of=at), at)
    fourth = campaign(name="c3")
    for days, outcome in ((3, ("deferred", "capped")), (7, ("recipient", None))):
        planned = shop.plan(fourth, fixed_as_of=NOW + timedelta(days=days))
        assert shop.decided(planned) == {contact: outcome}


@pytest.mark.parametrize(
    ("moment", "outcome"),
    [
        ("2026-11-22T20:59:00Z", ("recipient", None)),
        ("2026-11-22T21:00:00Z", ("deferred", "quiet_hours")),
        ("2026-11-23T06:59:00Z", ("deferred", "quiet_hours")),
        ("2026-11-23T07:00:00Z", ("recipient", None)),
        ("2027-07-01T20:30:00Z", ("deferred", "quiet_hours")),  # 21:30 in a British summer
    ],
)
def test_nobody_is_written_to_at_night_in_london(shop, moment, outcome):
    contact = shop.person()
    shop.build()
    planned = shop.plan(campaign(), fixed_as_of=datetime.fromisoformat(moment))
    assert shop.decided(planned) == {contact: outcome}


def test_a_holdout_is_the_share_it_says_and_the_same_people_every_time(shop):
    for _ in range(200):
        shop.person()
    shop.build()
    some = campaign(holdout=0.2)
    first = shop.plan(some)
    held = {contact for contact, (outcome, _) in shop.decided(first).items() if outcome == "holdout"}
    assert 20 <= len(held) <= 60
    shop.ledger.move(first.wave_id, "cancelled", who="test", why="", at=NOW)
    second = shop.decided(shop.plan(some))
    assert {contact for contact, (outcome, _) in second.items() if outcome == "holdout"} == held


def test_nobody_due_is_written_down_once_and_not_at_every_run(shop):
    shop.person(is_subscribed=False)
    shop.build()
    assert shop.plan(campaign()).wave_id is not None
    assert shop.plan(campaign()).wave_id is None


def test_a_no_that_was_told_before_is_counted_and_not_written_again_until_it_changes(shop):
    first = shop.person()
    silent = shop.person(is_subscribed=False)
    shop.build()
    shop.send(shop.plan(campaign()))
    waves = []
    for number in range(2, 5):
        shop.person()
        shop.build(number)
        waves.append(shop.plan(campaign()))
        shop.send(waves[-1])
    written = [[row for batch in shop.ledger.recipients(wave.wave_id) for row in batch] for wave in waves]
    assert [[row.outcome for row in rows] for rows in written] == [["recipient"]] * 3
    assert waves[-1].counts["excluded"] == {"already_sent": 3, "no_consent": 1}
    assert waves[-1].counts["segment_size"] == 5
    shop.people[1][-1].update(is_suppressed=True)
    shop.build(number=5)
    changed = shop.plan(campaign())
    assert shop.decided(changed)[silent] == ("excluded", "suppressed")
    assert len(shop.ledger.decisions_of(first)) == 1
    assert shop.plan(campaign()).wave_id is None


def test_who_enters_an_empty_segment_after_its_campaign_was_started_gets_it(shop):
    shop.build()
    assert shop.plan(campaign(), backlog="record").wave_id is None
    contact = shop.person(entered_at=NOW + timedelta(hours=1))
    shop.build(number=2)
    planned = shop.plan(campaign(), backlog="record", fixed_as_of=NOW + timedelta(hours=1))
    assert shop.decided(planned) == {contact: ("recipient", None)}


def test_a_rehearsal_leaves_nothing_behind(shop):
    shop.person()
    shop.build()
    rehearsed = plan(shop.settings, shop.ledger, shop.warehouse, campaign(), who="t", why="t", rehearse=True)
    assert rehearsed.counts["recipient"] == 1
    assert rehearsed.wave_id is None
    assert shop.ledger.waves() == []


def test_a_segment_that_is_no_model_is_told_with_those_that_are(shop):
    shop.person()
    shop.build()
    with pytest.raises(CampaignError, match="no segment 'nobody'.*new_subscribers"):
        shop.plan(campaign(segment="nobody"))


def test_a_campaign_does_not_start_before_a_build_has_its_segment(
    shop,
):
    def build(as_of, *segments):
        with shop.warehouse.writer() as con:
            note_segments(con, list(segments))
            shop.warehouse.record_build(con, build_id=f"b{as_of}", build_no=as_of.hour, as_of=as_of)

    shop.person(segment="treatment_readers")
    shop.build()
    later = NOW + timedelta(hours=1)
    build(NOW, "treatment_readers")
    with pytest.raises(CampaignError, match="no build has its segment 'new_subscribers' yet. Run the job models"):
        shop.plan(campaign(), backlog="record")
    contact = shop.person(entered_at=later)
    shop.build(2)
    build(later, "treatment_readers", "new_subscribers")
    planned = shop.plan(campaign(), backlog="record", fixed_as_of=later)
    assert shop.decided(planned) == {contact: ("excluded", "entered_before_start")}


def test_before_the_first_build_there_is_nothing_to_plan_from(shop):
    with pytest.raises(NoBuildYet, match="make once"):
        shop.plan(campaign())


def test_a_member_whom_the_contacts_lost_is_still_counted_and_told(shop):
    contact = shop.person()
    shop.build()
    with shop.warehouse.writer() as con:
        con.execute("delete from lake.marts.contacts")
        shop.warehouse.record_build(con, build_id="b2", build_no=2, as_of=NOW)
    assert shop.decided(shop.plan(campaign())) == {contact: ("excluded", "no_address")}
