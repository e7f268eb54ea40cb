"""What Mailchimp says became of a wave: late, or by a clock of its own, and still each recipient's fate is right."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from orchestration.resources.mailchimp_audience import address_hash

AS_OF = datetime(2026, 11, 22, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
READERS = ["ann@shop.test", "bounce1@shop.test", "unsubscribe1@shop.test"]


class LateReport:
    """A gateway to a Mailchimp whose reports know only of some of the emails yet, and count only those."""

    def __init__(self, gateway, *known, unsubscribes_known=True):
        self._gateway = gateway
        self._known = {address_hash(address) for address in known}
        self._unsubscribes_known = unsubscribes_known

    def __getattr__(self, name):
        return getattr(self._gateway, name)

    def sent_to(self, campaign_id):
        sent = self._gateway.sent_to(campaign_id)
        return {one: status for one, status in sent.items() if one in self._known}

    def unsubscribed(self, campaign_id):
        return self._gateway.unsubscribed(campaign_id) if self._unsubscribes_known else {}

    def report(self, campaign_id):
        return {**self._gateway.report(campaign_id), "emails_sent": len(self.sent_to(campaign_id))}


@pytest.fixture
def shop(open_shop):
    shop = open_shop()
    shop.waits = replace(shop.waits, report_limit=0.05)
    return shop


def test_a_report_of_no_emails_at_all_is_late_and_no_proof_that_none_went_out(shop, caplog):
    wave_id = shop.plan(*READERS)
    late = LateReport(shop.gateway, unsubscribes_known=False)
    assert shop.resume(wave_id, gateway=late).state == "sent"
    assert set(shop.outcomes(wave_id).values()) == {"recipient"}
    for address in READERS:
        assert shop.contact(wave_id, address) in caplog.text
    assert "@" not in caplog.text
    assert shop.resume(wave_id).state == "settled"
    assert shop.outcomes(wave_id) == dict(zip(READERS, ["sent", "hard_bounce", "unsubscribed"], strict=True))
    assert shop.mailed() == READERS


def test_what_a_late_report_does_know_is_in_the_ledger_at_once(shop, caplog):
    wave_id = shop.plan(*READERS)
    late = LateReport(shop.gateway, "bounce1@shop.test")
    assert shop.resume(wave_id, gateway=late).state == "sent"
    assert shop.outcomes(wave_id) == dict(zip(READERS, ["recipient", "hard_bounce", "unsubscribed"], strict=True))
    assert "doesn't name 1 of its recipients" in caplog.text
    _, cursor = shop.ledger.deliveries_since(0)
    assert shop.resume(wave_id, gateway=late).state == "sent"
    assert shop.ledger.deliveries_since(cursor)[0].num_rows == 0  # nothing new was said
    assert shop.resume(wave_id).state == "settled"


def test_a_late_report_does_not_hold_up_the_next_wave(shop):
    first = shop.plan("ann@shop.test")
    shop.resume(first, gateway=LateReport(shop.gateway))
    second = shop.plan("bob@shop.test")
    assert shop.resume(second).state == "settled"
    assert shop.ledger.wave(first).state == "sent"


def test_whom_mailchimp_left_out_because_they_left_just_before_is_not_waited_for(shop):
    wave_id = shop.plan("ann@shop.test", "bob@shop.test")
    without_bob = LateReport(shop.gateway, "ann@shop.test")
    assert shop.resume(wave_id, gateway=without_bob).state == "sent"  # still subscribed: sent-to may only be late
    body = {"status": "unsubscribed"}
    shop.gateway._lists.update_list_member(shop.gateway.list_id, address_hash("bob@shop.test"), body)
    assert shop.resume(wave_id, gateway=without_bob).state == "settled"
    assert shop.outcomes(wave_id) == {"ann@shop.test": "sent", "bob@shop.test": "not_sent"}
    assert shop.ledger.moves(wave_id)[-1].why == "1 not_sent, 1 sent"


@pytest.mark.parametrize(
    ("mailchimp_says", "dated"),
    [
        (AS_OF + 2 * HOUR, AS_OF + 2 * HOUR + timedelta(microseconds=999_999)),
        (AS_OF - 300 * 24 * HOUR, AS_OF),  # clocks disagree: still not before the signups that the wave was planned on
    ],
    ids=["after the send", "by a clock that is behind"],
)
def test_an_unsubscribe_is_later_than_the_signups_before_it(open_shop, mailchimp_says, dated):
    shop = open_shop(lambda: mailchimp_says)
    wave_id = shop.plan(*READERS)
    assert shop.resume(wave_id).state == "settled"
    rows = shop.ledger.deliveries_since(0)[0].to_pylist()
    assert {row["delivery"]: row["recorded_at"] for row in rows} == {
        "sent": AS_OF,
        "hard_bounce": AS_OF,
        "unsubscribed": dated,
    }
