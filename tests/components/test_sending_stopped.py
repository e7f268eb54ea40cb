"""While sending is stopped a launch says so and sends nothing; a no that came since the last build is heeded by plan and send."""

from datetime import UTC, datetime

import pytest

from orchestration.core.errors import SendingStopped
from orchestration.resources.mailchimp import Gateway

AS_OF = datetime(2026, 11, 22, 8, tzinfo=UTC)


def test_a_paused_launch_says_who_paused_and_why_and_sends_nothing_until_resumed(world):
    world.switch("pause")
    with pytest.raises(SendingStopped, match=r"paused by Mia .*\(wrong prices\)"):
        world.run("send")
    assert world.ledger.waves() == []
    assert world.shop.mailed() == []
    world.switch("resume")
    world.run("send")
    assert world.shop.mailed() == ["ann@shop.test", "bob@shop.test"]


def test_rehearse_and_draft_go_on_while_paused_and_the_draft_goes_out_after(world):
    world.switch("pause")
    assert world.run("rehearse").plan.counts["recipient"] == 2
    [wave] = world.run("draft").waves
    assert wave.state == "drafted"
    with pytest.raises(SendingStopped):
        world.run("send")
    assert world.ledger.wave(wave.wave_id).state == "drafted"
    world.switch("resume")
    world.run("send")
    assert world.shop.mailed() == ["ann@shop.test", "bob@shop.test"]


def test_what_has_left_already_is_settled_while_paused(world, monkeypatch):
    def dies(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("orchestration.components.delivery.settle", dies)
        with pytest.raises(KeyboardInterrupt):
            world.run("send")
    world.switch("pause")
    with pytest.raises(SendingStopped):
        world.run("send")
    assert [wave.state for wave in world.ledger.waves()] == ["settled"]


def test_a_pause_stops_a_wave_that_was_about_to_be_sent(world, monkeypatch):
    ask = Gateway.members_of

    def pauses(gateway, addresses):
        if "sending" in {wave.state for wave in world.ledger.waves()}:
            world.switch("pause")
        return ask(gateway, addresses)

    with monkeypatch.context() as patched:
        patched.setattr(Gateway, "members_of", pauses)
        with pytest.raises(SendingStopped):
            world.run("send")
    assert [wave.state for wave in world.ledger.waves()] == ["sending"]
    assert world.shop.mailed() == []
    world.switch("resume")
    world.run("send")
    assert world.shop.mailed() == ["ann@shop.test", "bob@shop.test"]


@pytest.mark.parametrize(
    ("objection", "reason"),
    [("hard_bounce", "suppressed"), ("complained", "suppressed"), ("unsubscribed", "no_consent")],
)
def test_a_no_that_came_after_the_build_is_heeded_by_the_plan(world, objection, reason):
    world.says_no("ann@shop.test", objection)
    counts = world.run("rehearse").plan.counts
    assert (counts["recipient"], counts["excluded"]) == (1, {reason: 1})


def test_a_no_that_came_after_the_plan_is_heeded_by_the_send(world):
    [wave] = world.run("draft").waves
    world.says_no("ann@shop.test", "complained")
    world.run("send")
    assert world.shop.mailed() == ["bob@shop.test"]
    reasons = {one.email: one.reason for batch in world.ledger.recipients(wave.wave_id) for one in batch}
    assert reasons == {"ann@shop.test": "no_longer_addressable", "bob@shop.test": None}


def test_an_audience_that_was_emptied_is_not_filled_again_by_a_launch(world):
    lists, list_id = world.services.gateway._lists, world.services.gateway.list_id
    others = [f"p{number}@shop.test" for number in range(12)]
    lists.batch_list_members(list_id, {"members": [{"email_address": one, "status": "subscribed"} for one in others]})
    world.run("draft")
    everybody = world.services.gateway.members()
    assert len(everybody) == 14
    for one in everybody:
        lists.delete_list_member_permanent(list_id, one)
    world.run("cancel")
    for action in ("draft", "send"):
        with pytest.raises(SendingStopped, match="had 12 subscribed members and has 0 now.*`action: release`"):
            world.run(action)
    assert world.services.gateway.members() == {}
