"""What comes back from emails and from the audience: it is in the ledger at once, for good, and once."""

import urllib.request
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from orchestration.components.feedback import Feedback
from orchestration.components.sending import check_sending, switch, without_fresh_noes
from orchestration.core.errors import MailchimpUnknown, SendingStopped
from orchestration.core.identity import address_id
from orchestration.resources.deliveries import land_deliveries
from orchestration.resources.keys import contact_key
from orchestration.resources.ledger import Ledger
from orchestration.resources.mailchimp_audience import address_hash
from orchestration.resources.mailchimp_calls import Pauses
from orchestration.resources.mailchimp_feedback import FeedbackGateway
from orchestration.resources.warehouse import Warehouse

AS_OF = datetime(2026, 11, 22, 8, tzinfo=UTC)


@dataclass
class Listening:
    """A shop that listens to Mailchimp."""

    shop: object
    warehouse: Warehouse
    gateway: FeedbackGateway

    def poll(self, gateway=None):
        shop = self.shop
        return Feedback(
            shop.settings, shop.ledger, gateway or shop.gateway, self.gateway, self.warehouse, "test"
        ).poll()

    def noes(self):
        """contact id → objections."""
        found = {}
        for row in self.shop.ledger.objections_after(0).to_pylist():
            found.setdefault(row["contact_id"], []).append(row["objection"])
        return found

    def contact(self, address):
        return address_id(address, contact_key(self.shop.settings))

    def set_status(self, address, status):
        """As somebody does by hand in Mailchimp."""
        body = {"email_address": address, "status": status}
        self.gateway._lists.set_list_member(
            self.gateway.list_id, address_hash(address), {**body, "status_if_new": status}
        )

    def click_unsubscribe(self, address):
        [email] = [one for one in self.shop.outbox() if one["to"] == address]
        link = email["text_url"].removesuffix(".txt") + "/unsubscribe"
        urllib.request.urlopen(urllib.request.Request(link, method="POST")).close()  # noqa: S310, an address of our own

    def tell(self, rule):
        asked = urllib.request.Request(f"{self.shop.url}/sandbox/faults", rule.encode(), method="POST")  # noqa: S310
        urllib.request.urlopen(asked).close()  # noqa: S310, an address of our own


@pytest.fixture
def listening(open_shop):
    shop = open_shop()
    gateway = FeedbackGateway(shop.settings, Pauses(0.01, 0.02, 2))
    gateway.ensure_list()
    return Listening(shop, Warehouse(shop.settings), gateway)


def test_who_unsubscribes_after_the_wave_was_settled_is_known_by_the_next_poll(listening):
    shop = listening.shop
    wave_id = shop.plan("ann@shop.test", "bob@shop.test")
    assert shop.resume(wave_id).state == "settled"
    listening.poll()
    listening.click_unsubscribe("ann@shop.test")
    assert listening.poll().deliveries == 1
    assert shop.outcomes(wave_id) == {"ann@shop.test": "unsubscribed", "bob@shop.test": "sent"}
    assert listening.noes()[shop.contact(wave_id, "ann@shop.test")] == ["unsubscribed"]


def test_each_kind_of_answer_is_attributed_to_its_wave(listening):
    shop = listening.shop
    people = [
        "ann@shop.test",
        "bounce@shop.test",
        "complaint@shop.test",
        "softbounce@shop.test",
        "unsubscribe@shop.test",
    ]
    wave_id = shop.plan(*people)
    shop.resume(wave_id)
    listening.poll()
    fates = ["sent", "hard_bounce", "complained", "soft_bounce", "unsubscribed"]
    assert shop.outcomes(wave_id) == dict(zip(people, fates, strict=True))


def test_when_nothing_happened_a_poll_writes_nothing(listening):
    shop = listening.shop
    shop.resume(shop.plan("ann@shop.test", "unsubscribe@shop.test"))
    first = listening.poll()
    assert first.waves == 1
    _, cursor = shop.ledger.deliveries_since(0)
    before = shop.settings.ledger_path.read_bytes()
    again = listening.poll()
    assert (again.waves, again.deliveries, again.objections) == (0, 0, 0)
    assert shop.ledger.deliveries_since(cursor)[1] == cursor
    assert shop.settings.ledger_path.read_bytes() == before


def test_who_is_unsubscribed_or_cleaned_by_hand_is_suppressed(listening):
    for address, status in (
        ("ann@shop.test", "unsubscribed"),
        ("bob@shop.test", "cleaned"),
        ("cy@shop.test", "pending"),
    ):
        listening.set_status(address, status)
    assert listening.poll().objections == 2
    assert listening.noes() == {
        listening.contact("ann@shop.test"): ["unsubscribed"],
        listening.contact("bob@shop.test"): ["hard_bounce"],
    }
    assert listening.poll().objections == 0
    assert land_deliveries(listening.warehouse, listening.shop.ledger) == {"deliveries": 0, "feedback": 2}


def test_a_lost_answer_moves_nothing_and_the_next_poll_takes_it_all(listening):
    listening.set_status("ann@shop.test", "unsubscribed")
    listening.tell('{"endpoint": "GET /lists/{list_id}/members", "fault": "502", "nth": 2, "times": 10}')
    with pytest.raises(MailchimpUnknown):
        listening.poll()
    assert listening.noes() == {}
    assert listening.shop.ledger.looked_upto("left as unsubscribed") is None
    urllib.request.urlopen(  # noqa: S310, an address of our own
        urllib.request.Request(f"{listening.shop.url}/sandbox/faults", method="DELETE")  # noqa: S310
    ).close()
    assert listening.poll().objections == 1


def test_a_no_is_not_taken_back_by_a_later_report(listening):
    shop = listening.shop
    wave_id = shop.plan("unsubscribe@shop.test")
    shop.resume(wave_id)
    contact = shop.contact(wave_id, "unsubscribe@shop.test")
    assert shop.ledger.record_deliveries(wave_id, [(contact, "sent", AS_OF)]) == 0
    assert shop.outcomes(wave_id) == {"unsubscribe@shop.test": "unsubscribed"}


def test_a_fresh_no_is_seen_before_the_next_build(listening):
    shop, warehouse = listening.shop, listening.warehouse
    with warehouse.writer() as con:
        warehouse.record_build(con, build_id="b1", build_no=1, as_of=AS_OF)
    ann, bob = listening.contact("ann@shop.test"), listening.contact("bob@shop.test")
    assert without_fresh_noes(shop.ledger, warehouse, {ann, bob}) == {ann, bob}
    listening.set_status("ann@shop.test", "unsubscribed")
    listening.poll()
    assert without_fresh_noes(shop.ledger, warehouse, {ann, bob}) == {bob}
    # what a build has taken its models have judged
    land_deliveries(warehouse, shop.ledger)
    with warehouse.writer() as con:
        warehouse.record_build(con, build_id="b2", build_no=2, as_of=AS_OF)
    assert without_fresh_noes(shop.ledger, warehouse, {ann, bob}) == {ann, bob}


def test_a_ledger_begun_anew_beside_a_kept_warehouse_is_taken_from_its_first_change(listening):
    shop, warehouse = listening.shop, listening.warehouse
    for address in ("cy@shop.test", "dee@shop.test", "eli@shop.test"):
        listening.set_status(address, "unsubscribed")
    listening.poll()
    land_deliveries(warehouse, shop.ledger)
    with warehouse.writer() as con:
        warehouse.record_build(con, build_id="b1", build_no=1, as_of=AS_OF)
    for file in shop.settings.data_dir.glob("ledger.sqlite*"):
        file.unlink()
    shop.ledger = Ledger(shop.settings)
    listening.set_status("ann@shop.test", "unsubscribed")
    listening.poll()
    ann, bob = listening.contact("ann@shop.test"), listening.contact("bob@shop.test")
    assert without_fresh_noes(shop.ledger, warehouse, {ann, bob}) == {bob}
    assert land_deliveries(warehouse, shop.ledger) == {"deliveries": 0, "feedback": 4}


def test_too_many_bounces_stop_sending_until_they_are_released(listening):
    shop = listening.shop
    wave_id = shop.plan("ann@shop.test", *(f"bounce{number}@shop.test" for number in range(3)))
    shop.resume(wave_id)
    with pytest.raises(SendingStopped, match=f"3 hard bounces among 4 emails .* of wave {wave_id}.*action: release"):
        check_sending(shop.ledger, AS_OF)
    released = switch(shop.ledger, "release", who="Mia", why="an old list, cleaned now", now=AS_OF)
    assert released == []
    check_sending(shop.ledger, AS_OF)
    [stop] = shop.ledger.stops(open_only=False)
    assert (stop.kind, stop.released_by, stop.released_why) == ("hard_bounces", "Mia", "an old list, cleaned now")


def test_new_bounces_after_a_release_stop_it_again(listening):
    shop = listening.shop
    shop.resume(shop.plan(*(f"bounce{number}@shop.test" for number in range(3))))
    with pytest.raises(SendingStopped):
        check_sending(shop.ledger, AS_OF)
    switch(shop.ledger, "release", who="Mia", why="looked into", now=AS_OF)
    shop.campaign = shop.campaign.model_copy(update={"name": "thanks"})
    shop.resume(shop.plan(*(f"bounce{number}@shop.test" for number in range(3, 6))))
    with pytest.raises(SendingStopped, match="3 hard bounces among 3"):
        check_sending(shop.ledger, AS_OF)


def test_the_switch_pauses_and_resumes_and_wants_a_reason(listening):
    ledger = listening.shop.ledger
    with pytest.raises(Exception, match="Say why"):
        switch(ledger, "pause", who="Mia", why=" ", now=AS_OF)
    switch(ledger, "pause", who="Mia", why="wrong prices", now=AS_OF)
    with pytest.raises(
        SendingStopped, match=r"paused by Mia since 2026-11-22 08:00 UTC \(wrong prices\).*action: resume"
    ):
        check_sending(ledger, AS_OF)
    switch(ledger, "release", who="Mia", why="a release is no resume", now=AS_OF)
    with pytest.raises(SendingStopped):
        check_sending(ledger, AS_OF)
    assert switch(ledger, "resume", who="Mia", why="prices are right", now=AS_OF) == []
    check_sending(ledger, AS_OF)


def test_an_audience_that_is_emptied_stops_sending_and_suppresses_nobody(listening):
    shop = listening.shop
    people = [f"p{number}@shop.test" for number in range(12)]
    shop.resume(shop.plan(*people))
    listening.poll()
    for address in people:
        listening.set_status(address, "unsubscribed")
    assert listening.poll().is_emptied
    assert listening.noes() == {}
    with pytest.raises(SendingStopped, match="had 12 subscribed members and has 0 now"):
        check_sending(shop.ledger, AS_OF)
    switch(shop.ledger, "release", who="Mia", why="meant to be so", now=AS_OF)
    assert listening.poll().objections == 12


def test_a_complaint_counts_against_the_wave_it_answers(listening):
    shop = listening.shop
    wave_id = shop.plan("ann@shop.test", "complaint1@shop.test", "complaint2@shop.test")
    shop.resume(wave_id)
    listening.poll()
    with pytest.raises(SendingStopped, match="2 complaints among 3 emails"):
        check_sending(shop.ledger, AS_OF + timedelta(days=29))
    assert replace(shop.ledger.stops()[0], who="").kind == "complaints"
