"""A person is erased while waves know them: planned, drafted, on their way, sent and not settled."""

import json
import urllib.request

import pytest

from orchestration.components import delivery
from orchestration.components.erasure import erase
from orchestration.components.services import Services
from orchestration.core.errors import LedgerError, MailchimpUnknown
from orchestration.resources.erasure_plan import under_way
from orchestration.resources.mailchimp_calls import Pauses
from orchestration.resources.mailchimp_erasure import EraserGateway

ANN, BOB = "ann@mail.test", "bob@mail.test"
DELETE = "POST /lists/{list_id}/members/{subscriber_hash}/actions/delete-permanent"


@pytest.fixture
def services(shop):
    return Services(shop.settings)


def tell(shop, rule):
    """Tell the sandbox a fault."""
    request = urllib.request.Request(f"{shop.url}/sandbox/faults", json.dumps(rule).encode())  # noqa: S310, our own
    urllib.request.urlopen(request).close()  # noqa: S310


def draft(shop, wave_id):
    return delivery.draft(
        shop.settings, shop.ledger, shop.gateway, shop.renderer, shop.campaign, wave_id, "test",
        signed_up=shop.signed_up, waits=shop.waits,
    )  # fmt: skip


def send(shop, wave_id):
    return delivery.send(
        shop.settings, shop.ledger, shop.gateway, shop.campaign, wave_id, "test",
        still_addressable=shop.still_addressable, waits=shop.waits,
    )  # fmt: skip


def approve(shop, wave_id):
    return delivery.approve(shop.ledger, wave_id, draft(shop, wave_id).draft_hash, "test", shop.settings.now())


def row_of(shop, wave_id, contact_id):
    return next(one for some in shop.ledger.recipients(wave_id) for one in some if one.contact_id == contact_id)


def test_whoever_is_in_a_wave_that_was_approved_is_taken_out_and_the_approval_stands(shop, services):
    wave_id = shop.plan(ANN, BOB)
    approve(shop, wave_id)
    ann = shop.contact(wave_id, ANN)
    erase(services, ann, who="test")
    row = row_of(shop, wave_id, ann)
    assert (row.outcome, row.reason, row.email, row.evidence) == ("excluded", "suppressed", None, "erased")
    assert shop.resume(wave_id).state == "settled"
    assert shop.mailed() == [BOB]


def test_what_they_were_to_read_goes_when_the_wave_is_over(shop, services):
    wave_id = shop.plan(ANN, BOB)
    approve(shop, wave_id)
    ann, bob = shop.contact(wave_id, ANN), shop.contact(wave_id, BOB)
    erase(services, ann, who="test")
    assert row_of(shop, wave_id, ann).slots != {}
    shop.resume(wave_id)
    erase(services, bob, who="test")
    assert [row_of(shop, wave_id, one).slots for one in (ann, bob)] == [{}, {}]


def test_a_wave_that_was_sent_can_still_be_settled(shop, services):
    wave_id = shop.plan(ANN, BOB)
    approve(shop, wave_id)
    send(shop, wave_id)
    ann = shop.contact(wave_id, ANN)
    erase(services, ann, who="test")
    assert row_of(shop, wave_id, ann).delivery == "sent"
    assert shop.resume(wave_id).state == "settled"
    assert row_of(shop, wave_id, ann).delivery == "sent"


def test_while_a_wave_may_be_on_its_way_to_them_nothing_is_erased(shop, services):
    wave_id = shop.plan(ANN, BOB)
    approve(shop, wave_id)
    shop.ledger.move(wave_id, "sending", who="test", why="a test", at=shop.settings.now())
    shop.ledger.record_intent(wave_id, "send")
    with pytest.raises(LedgerError, match=f"Wave {wave_id} may be on its way"):
        erase(services, shop.contact(wave_id, ANN), who="test")
    assert list(under_way(shop.settings)) == []
    assert shop.outcomes(wave_id) == {ANN: "recipient", BOB: "recipient"}


def test_their_claim_stays_so_that_whoever_comes_back_is_not_welcomed_twice(shop, services):
    wave_id = shop.plan(ANN, BOB)
    shop.resume(wave_id)
    ann = shop.contact(wave_id, ANN)
    erase(services, ann, who="test")
    with shop.ledger.planning("welcome") as planning:
        claims = planning.history().read_all().to_pylist()
    assert {claim["contact_id"] for claim in claims if claim["outcome"] == "recipient"} >= {ann}


@pytest.mark.parametrize("fault", ["close", "502", "500"])
def test_a_deletion_whose_answer_was_lost_is_looked_up(shop, services, fault):
    wave_id = shop.plan(ANN, BOB)
    shop.resume(wave_id)
    tell(shop, {"endpoint": DELETE, "fault": fault, "when": "after", "times": 1})
    ann = shop.contact(wave_id, ANN)
    (receipt,) = erase(services, ann, who="test")
    assert ("Mailchimp", "members deleted for good", 1) in receipt.removed
    (intent,) = shop.ledger.intents(f"erasure-{receipt.erasure_id}")
    assert (intent.call, intent.state, intent.detail) == ("delete_permanent", "done", {"address": 1})
    assert not EraserGateway(shop.settings).is_member(ANN)


def test_an_erasure_that_mailchimp_stops_is_finished_by_the_next_one_of_anybody(shop, services):
    wave_id = shop.plan(ANN, BOB)
    shop.resume(wave_id)
    ann, bob = shop.contact(wave_id, ANN), shop.contact(wave_id, BOB)
    tell(shop, {"endpoint": DELETE, "fault": "502", "times": 2})
    with pytest.raises(MailchimpUnknown):
        erase(services, ann, who="test", pauses=Pauses(0.01, 0.01, 2))
    (plan,) = under_way(shop.settings)
    assert plan.person.own_addresses == [ANN]
    assert row_of(shop, wave_id, ann).email is None
    first, second = erase(services, bob, who="test")
    assert (first.contact_ids, second.contact_ids) == ([ann], [bob])
    assert list(under_way(shop.settings)) == []
    assert shop.gateway.members_of([ANN, BOB]) == {}
    assert ANN not in (shop.settings.data_dir / "ledger.sqlite").read_bytes().decode(errors="replace")
