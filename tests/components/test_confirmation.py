"""Who said no, there or here, and signs up anew is asked by Mailchimp, once, and is not written to before they say yes."""

from datetime import UTC, datetime, timedelta

import pytest

from orchestration.core.errors import MailchimpRefused
from orchestration.core.signup import Signup
from orchestration.resources.mailchimp_audience import address_hash

AS_OF = datetime(2026, 11, 22, 8, tzinfo=UTC)
READERS = ["ann@shop.test", "bob@shop.test"]


@pytest.fixture
def shop(open_shop):
    """Both readers are members; Bob left at AS_OF."""
    shop = open_shop(lambda: AS_OF)
    shop.gateway.add_new_members([(address, {}) for address in READERS])
    set_status(shop, "bob@shop.test", "unsubscribed")
    return shop


def set_status(shop, address, status):
    """By hand in Mailchimp, or by the person themselves."""
    shop.gateway._lists.update_list_member(shop.gateway.list_id, address_hash(address), {"status": status})


def status_of(shop, address):
    return shop.gateway.members_of([address])[address_hash(address)].status


def run(shop, campaign):
    shop.campaign = shop.campaign.model_copy(update={"name": campaign})
    wave_id = shop.plan(*READERS)
    shop.resume(wave_id)
    return wave_id


def asked(shop):
    return [call for wave in shop.ledger.waves() for call in shop.ledger.intents(wave.wave_id, "ask_to_confirm")]


def test_a_newer_signup_is_asked_once_and_written_to_when_the_person_has_confirmed(shop):
    shop.signups["bob@shop.test"] = Signup(AS_OF + timedelta(hours=1))
    first = run(shop, "welcome")
    assert status_of(shop, "bob@shop.test") == "pending"
    assert shop.outcomes(first) == {"ann@shop.test": "sent", "bob@shop.test": "mailchimp_pending"}
    second = run(shop, "free_delivery_thanks")
    assert shop.outcomes(second)["bob@shop.test"] == "mailchimp_pending"
    assert [call.state for call in asked(shop)] == ["done"]
    assert "bob@shop.test" not in shop.mailed()
    set_status(shop, "bob@shop.test", "subscribed")  # Bob's own yes to Mailchimp
    third = run(shop, "treatment_reading")
    assert shop.mailed(third) == READERS


@pytest.mark.parametrize(
    "signed_up",
    [None, AS_OF - timedelta(days=1), AS_OF],
    ids=["no signup known", "before they left", "at the same moment"],
)
def test_without_a_newer_signup_nobody_is_asked(shop, signed_up):
    if signed_up is not None:
        shop.signups["bob@shop.test"] = Signup(signed_up)
    wave_id = run(shop, "welcome")
    assert status_of(shop, "bob@shop.test") == "unsubscribed"
    assert shop.outcomes(wave_id)["bob@shop.test"] == "mailchimp_unsubscribed"
    assert asked(shop) == []
    assert shop.mailed() == ["ann@shop.test"]


def test_who_says_no_again_after_being_asked_is_not_asked_again_for_the_same_signup(shop):
    shop.signups["bob@shop.test"] = Signup(AS_OF - timedelta(days=1))
    set_status(shop, "bob@shop.test", "pending")
    set_status(shop, "bob@shop.test", "unsubscribed")
    wave_id = run(shop, "welcome")
    assert shop.outcomes(wave_id)["bob@shop.test"] == "mailchimp_unsubscribed"
    assert asked(shop) == []


def test_nobody_is_asked_whom_mailchimp_does_not_know_as_having_left(shop):
    shop.signups["bob@shop.test"] = Signup(AS_OF + timedelta(hours=1))
    shop.gateway._lists.delete_list_member(shop.gateway.list_id, address_hash("bob@shop.test"))
    wave_id = run(shop, "welcome")
    assert shop.outcomes(wave_id)["bob@shop.test"] == "mailchimp_archived"
    assert status_of(shop, "bob@shop.test") == "archived"


@pytest.mark.parametrize("is_member", [True, False], ids=["a member", "unknown there"])
def test_who_said_no_here_and_was_signed_up_by_a_browser_since_is_asked_before_anything_is_sent(open_shop, is_member):
    hours = 0
    shop = open_shop(lambda: AS_OF + timedelta(hours=hours))
    shop.gateway.add_new_members([(address, {}) for address in (READERS if is_member else READERS[:1])])
    signed_up_at = AS_OF + timedelta(hours=1)
    shop.signups["bob@shop.test"] = Signup(signed_up_at, unconfirmed_since=signed_up_at)
    hours = 2
    first = run(shop, "welcome")
    assert status_of(shop, "bob@shop.test") == "pending"
    assert shop.outcomes(first) == {"ann@shop.test": "sent", "bob@shop.test": "mailchimp_pending"}
    hours = 3
    set_status(shop, "bob@shop.test", "subscribed")  # Bob's own yes to Mailchimp
    second = run(shop, "treatment_reading")
    assert shop.mailed(second) == READERS
    assert len(asked(shop)) == (1 if is_member else 0)


def test_a_confirmation_that_mailchimp_refuses_to_ask_for_leaves_them_out_all_the_same(shop, monkeypatch):
    def refused(address):
        raise MailchimpRefused("not now", status=400)

    monkeypatch.setattr(shop.gateway, "ask_to_confirm", refused)
    shop.signups["ann@shop.test"] = Signup(AS_OF + timedelta(hours=1), AS_OF + timedelta(hours=1))
    wave_id = run(shop, "welcome")
    assert shop.outcomes(wave_id)["ann@shop.test"] == "mailchimp_pending"
    assert shop.mailed() == []
