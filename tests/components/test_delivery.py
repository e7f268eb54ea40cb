from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest

from orchestration.components import delivery
from orchestration.components.delivery_audience import Waits
from orchestration.core.errors import IllegalMove, LedgerError, MailchimpRefused, StaleApproval
from orchestration.resources.lock import exclusive
from orchestration.resources.mailchimp_audience import address_hash

READERS = ["ann@shop.test", "bob@shop.test", "Cat@shop.test"]


def drafted(shop, wave_id):
    return delivery.draft(
        shop.settings,
        shop.ledger,
        shop.gateway,
        shop.renderer,
        shop.campaign,
        wave_id,
        "test",
        signed_up=shop.signed_up,
        waits=shop.waits,
    )


def approved(shop, wave_id):
    wave = drafted(shop, wave_id)
    return delivery.approve(shop.ledger, wave_id, wave.draft_hash, "Ann", shop.settings.now())


def sent(shop, wave_id):
    answer = shop.still_addressable
    return delivery.send(
        shop.settings,
        shop.ledger,
        shop.gateway,
        shop.campaign,
        wave_id,
        "test",
        still_addressable=answer,
        waits=shop.waits,
    )


def cancelled(shop, wave_id):
    return delivery.cancel(
        shop.settings, shop.ledger, shop.gateway, wave_id, "Ann", why="wrong words", waits=shop.waits
    )


def test_everybody_gets_one_email_with_their_own_card(shop):
    wave_id = shop.plan(*READERS)
    wave = shop.resume(wave_id)
    assert (wave.state, wave.sent_at) == ("settled", shop.settings.now())
    assert shop.mailed() == sorted(READERS)
    assert set(shop.outcomes(wave_id).values()) == {"sent"}
    cards = {one["to"]: one["merge_fields"]["ART1"] for one in shop.outbox()}
    assert cards == {"ann@shop.test": "aaaaaaaaaa", "bob@shop.test": "bbbbbbbbbb", "Cat@shop.test": "aaaaaaaaaa"}
    assert [move.to_state for move in shop.ledger.moves(wave_id)][-1] == "settled"
    assert shop.ledger.moves(wave_id)[-1].why == "3 sent"
    assert shop.gateway.find_segments(wave_id) == []
    assert shop.ledger.intents(wave_id, states=["intent", "failed"]) == []


def test_sending_again_sends_nothing(shop):
    wave_id = shop.plan(*READERS)
    approved(shop, wave_id)
    assert sent(shop, wave_id).state == "sent"
    assert sent(shop, wave_id).state == "sent"
    shop.resume(wave_id)
    assert shop.resume(wave_id).state == "settled"
    assert sent(shop, wave_id).state == "settled"
    assert shop.mailed() == sorted(READERS)


def test_nothing_is_tracked_and_no_name_says_what_it_is_about(shop):
    wave = drafted(shop, shop.plan(*READERS))
    [campaign] = shop.gateway.find_campaigns(f"pennypost {wave.wave_id}")
    assert campaign.tracking == ()
    assert (campaign.id, campaign.web_id) == (wave.mailchimp_campaign_id, wave.mailchimp_web_id)
    assert shop.gateway.find_segments(wave.wave_id) == [wave.mailchimp_segment_id]


def test_a_draft_by_hand_waits_for_its_approval(shop):
    shop.campaign = shop.campaign.model_copy(update={"approval": "by_hand"})
    wave_id = shop.plan(*READERS)
    assert shop.resume(wave_id).state == "drafted"
    assert drafted(shop, wave_id).state == "drafted"
    with pytest.raises(IllegalMove):
        sent(shop, wave_id)
    with pytest.raises(StaleApproval):
        delivery.approve(shop.ledger, wave_id, "another", "Ann", shop.settings.now())
    assert shop.mailed() == []
    delivery.approve(shop.ledger, wave_id, shop.ledger.wave(wave_id).draft_hash, "Ann", shop.settings.now())
    assert shop.resume(wave_id).state == "settled"
    assert shop.mailed() == sorted(READERS)


def test_who_says_no_between_draft_and_send_is_left_out(shop):
    wave_id = shop.plan(*READERS, "dan@shop.test", "eve@shop.test")
    approved(shop, wave_id)
    lists, list_id = shop.gateway._lists, shop.gateway.list_id
    lists.update_list_member(list_id, address_hash("bob@shop.test"), {"status": "unsubscribed"})
    lists.delete_list_member(list_id, address_hash("dan@shop.test"))
    lists.delete_list_member_permanent(list_id, address_hash("eve@shop.test"))
    shop.unwilling.add(shop.contact(wave_id, "Cat@shop.test"))
    assert sent(shop, wave_id).state == "sent"
    assert shop.resume(wave_id).state == "settled"
    assert shop.mailed() == ["ann@shop.test"]
    assert shop.outcomes(wave_id) == {
        "ann@shop.test": "sent",
        "bob@shop.test": "mailchimp_unsubscribed",
        "Cat@shop.test": "no_longer_addressable",
        "dan@shop.test": "mailchimp_archived",
        "eve@shop.test": "mailchimp_absent",
    }
    assert shop.gateway.members()[address_hash("bob@shop.test")].status == "unsubscribed"
    assert shop.ledger.wave(wave_id).counts["recipient"] == 1


def test_nobody_mailchimp_knows_as_gone_is_made_a_member_again(shop):
    first = shop.plan("ann@shop.test", "unsubscribe1@shop.test", "bounce1@shop.test", "dan@shop.test")
    shop.resume(first)
    shop.gateway._lists.delete_list_member(shop.gateway.list_id, address_hash("dan@shop.test"))
    shop.campaign = shop.campaign.model_copy(update={"name": "treatment_reading"})
    second = shop.plan("ann@shop.test", "unsubscribe1@shop.test", "bounce1@shop.test", "dan@shop.test")
    before = {one: member.status for one, member in shop.gateway.members().items()}
    shop.resume(second)
    assert {one: member.status for one, member in shop.gateway.members().items()} == before
    assert shop.mailed(second) == ["ann@shop.test"]
    assert shop.outcomes(second) == {
        "ann@shop.test": "sent",
        "unsubscribe1@shop.test": "mailchimp_unsubscribed",
        "bounce1@shop.test": "mailchimp_cleaned",
        "dan@shop.test": "mailchimp_archived",
    }


def test_steering_addresses_end_as_they_should(shop):
    wave_id = shop.plan(
        "ann@shop.test",
        "bounce1@shop.test",
        "softbounce1@shop.test",
        "complaint1@shop.test",
        "unsubscribe1@shop.test",
        "fake1@shop.test",
        "compliance1@shop.test",
    )
    assert shop.resume(wave_id).state == "settled"
    assert shop.outcomes(wave_id) == {
        "ann@shop.test": "sent",
        "bounce1@shop.test": "hard_bounce",
        "softbounce1@shop.test": "soft_bounce",
        "complaint1@shop.test": "complained",
        "unsubscribe1@shop.test": "unsubscribed",
        "fake1@shop.test": "mailchimp_refused",
        "compliance1@shop.test": "mailchimp_refused",
    }


def test_a_wave_that_loses_everybody_is_cancelled_or_sent_to_nobody(shop):
    nobody = shop.plan("fake1@shop.test", "compliance1@shop.test")
    assert shop.resume(nobody).state == "cancelled"
    assert shop.ledger.moves(nobody)[-1].why == "nobody was left to write to"
    wave_id = shop.plan("ann@shop.test")
    approved(shop, wave_id)
    shop.unwilling.add(shop.contact(wave_id, "ann@shop.test"))
    assert shop.resume(wave_id).state == "settled"
    assert shop.ledger.moves(wave_id)[-1].why == "nothing was sent"
    assert shop.mailed() == []
    assert shop.gateway.find_campaigns(f"pennypost {wave_id}") == []


def test_two_contacts_with_one_address_get_one_email(shop):
    wave_id = shop.plan("ann@shop.test", "ANN@shop.test")
    shop.resume(wave_id)
    assert len(shop.mailed()) == 1
    assert sorted(shop.outcomes(wave_id).values()) == ["same_address", "sent"]


def test_cancelling_deletes_the_draft_and_frees_the_people(shop):
    first = shop.plan(*READERS)
    approved(shop, first)
    assert cancelled(shop, first).state == "cancelled"
    assert shop.gateway.find_campaigns(f"pennypost {first}") == []
    assert shop.gateway.find_segments(first) == []
    assert shop.resume(first).state == "cancelled"
    with pytest.raises(IllegalMove):
        sent(shop, first)
    assert shop.mailed() == []


def test_a_wave_sent_by_hand_in_mailchimp_counts_as_sent(shop):
    wave_id = shop.plan(*READERS)
    wave = approved(shop, wave_id)
    shop.gateway.send(wave.mailchimp_campaign_id)
    with pytest.raises(IllegalMove, match="Its people count as written to"):
        cancelled(shop, wave_id)
    assert shop.resume(wave_id).state == "settled"
    assert shop.mailed() == sorted(READERS)


def test_a_draft_edited_in_mailchimp_after_approval_is_not_sent(shop):
    wave_id = shop.plan(*READERS)
    wave = approved(shop, wave_id)
    _, text = shop.gateway.content(wave.mailchimp_campaign_id)
    shop.gateway.set_content(wave.mailchimp_campaign_id, "<p>Miracles! *|UNSUB|* *|LIST:ADDRESSLINE|*</p>", text)
    with pytest.raises(StaleApproval, match="changed in Mailchimp"):
        sent(shop, wave_id)
    assert cancelled(shop, wave_id).state == "cancelled"
    assert shop.mailed() == []


def test_a_draft_deleted_in_mailchimp_is_not_sent_and_the_wave_can_be_cancelled(shop):
    wave_id = shop.plan(*READERS)
    wave = approved(shop, wave_id)
    shop.gateway.delete_campaign(wave.mailchimp_campaign_id)
    with pytest.raises(MailchimpRefused, match="404"):
        sent(shop, wave_id)
    assert cancelled(shop, wave_id).state == "cancelled"
    assert shop.mailed() == []


def test_a_second_wave_is_sent_when_the_first_is_through(shop):
    first, second = shop.plan("ann@shop.test"), shop.plan("bob@shop.test")
    approved(shop, first)
    approved(shop, second)
    shop.ledger.move(first, "sending", who="test", why="due", at=shop.settings.now())
    with pytest.raises(IllegalMove, match=f"Resume {first} first"):
        sent(shop, second)
    assert shop.mailed() == []
    shop.resume(first)
    shop.resume(second)
    assert shop.mailed() == ["ann@shop.test", "bob@shop.test"]


def test_strangers_put_into_the_segment_by_hand_get_nothing(shop):
    wave_id = shop.plan(*READERS)
    wave = approved(shop, wave_id)
    shop.gateway.add_new_members([("stranger@shop.test", {})])
    shop.gateway.set_segment_members(wave.mailchimp_segment_id, ["stranger@shop.test"], ["ann@shop.test"])
    shop.resume(wave_id)
    assert shop.mailed() == sorted(READERS)


def test_the_fields_of_an_earlier_wave_do_not_leak_into_a_later_one(shop):
    shop.resume(shop.plan("ann@shop.test", "bob@shop.test"))
    shop.campaign = shop.campaign.model_copy(update={"name": "treatment_reading"})
    later = shop.plan("bob@shop.test", "ann@shop.test")
    shop.resume(later)
    cards = {one["to"]: one["merge_fields"]["ART1"] for one in shop.outbox(later)}
    assert cards == {"bob@shop.test": "aaaaaaaaaa", "ann@shop.test": "bbbbbbbbbb"}


def test_one_process_delivers_at_a_time(shop):
    wave_id = shop.plan(*READERS)
    approved(shop, wave_id)
    with (
        exclusive(shop.settings.data_dir / "delivery.lock", wait=1, why="test"),
        pytest.raises(LedgerError, match="another process is delivering"),
    ):
        in_another_thread(partial(sent, shop, wave_id))
    assert shop.mailed() == []


def in_another_thread(function):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def test_a_campaign_can_only_deliver_its_own_waves(shop):
    wave_id = shop.plan(*READERS)
    shop.campaign = shop.campaign.model_copy(update={"name": "treatment_reading"})
    with pytest.raises(LedgerError, match="is of campaign welcome, not treatment_reading"):
        shop.resume(wave_id)


def test_waits_against_the_real_mailchimp_are_well_past_its_own_limit(shop):
    real = replace(shop.settings, mailchimp_api_key="k-us21", mailchimp_list_id="l1")
    assert Waits.of(real).send_limit > 120
