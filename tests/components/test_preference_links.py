"""The link to the preference page at the foot of an email: each reader's own, good whenever it is sent, and heard."""

import re

import httpx
import pytest

from orchestration.collector.server import running
from orchestration.components.campaign_run import run_campaign, shown_hash
from orchestration.components.services import Services
from orchestration.core.preference_link import address_of, preference_token
from orchestration.settings import Settings
from tests.components.conftest import AS_OF, WELCOME, World

KEY = {"PREFERENCES_KEY": "a key"}
READERS = ["ann@shop.test", "bob@shop.test"]
BY_HAND = WELCOME.model_copy(update={"approval": "by_hand"})


@pytest.fixture
def world(shop):
    return World(shop, **KEY).build(*READERS)


def links(world, title=""):
    """address → the link in each part of their email, other than those of Mailchimp's and the shop's."""
    found = {}
    for one in world.shop.outbox():
        if title in one["title"]:
            html, text = (httpx.get(one[part], trust_env=False).text for part in ("html_url", "text_url"))
            found[one["to"]] = [re.search(r"http[^\s\"]+/preferences(?:/[^\s\"]*)?", part)[0] for part in (html, text)]
    return found


def test_each_reader_has_their_own_link_and_a_draft_that_waits_has_the_key_of_the_day_it_is_sent(world):
    [draft] = world.run("draft", campaign=BY_HAND).waves
    later = World(world.shop, PREFERENCES_KEY="another key")
    assert shown_hash(later.ledger.wave(draft.wave_id)) == shown_hash(draft)
    later.run("send", approve=shown_hash(draft), campaign=BY_HAND)
    assert later.ledger.wave(draft.wave_id).state == "settled"
    assert world.shop.mailed() == READERS
    page = world.services.settings.preference_page
    theirs = {one: f"{page}/{preference_token(one, 'another key')}" for one in READERS}
    assert links(world) == {one: [link, link] for one, link in theirs.items()}


def test_a_draft_whose_key_is_taken_away_before_the_send_links_mailchimps_page(world):
    [draft] = world.run("draft", campaign=BY_HAND).waves
    World(world.shop).run("send", approve=shown_hash(draft), campaign=BY_HAND)
    found = links(world)
    assert sorted(found) == READERS
    assert all(link.endswith("/preferences") for parts in found.values() for link in parts)  # the sandbox's


def test_who_unsubscribes_behind_the_link_gets_nothing_that_is_sent_after_it(world):
    world.run("send")
    token = links(world)["ann@shop.test"][0].rpartition("/")[2]
    assert address_of(token, KEY["PREFERENCES_KEY"]) == "ann@shop.test"
    env = {"DATA_DIR": str(world.services.settings.data_dir), "AS_OF": "2026-11-22T09:00:00Z", **KEY}
    with running(Settings.from_env(env)) as door, httpx.Client(base_url=door, trust_env=False) as reader:
        assert "a…@shop.test" in reader.get(f"/preferences/{token}").text
        answer = reader.post(f"/preferences/{token}", data={"action": "unsubscribe"})
        assert "You will get no more emails" in answer.text

    env |= {"SANDBOX_PORT": str(world.services.settings.sandbox_port), "AS_OF": "2026-11-23T08:00:00Z"}
    tomorrow = Services(Settings.from_env({**env, "BACKLOG": "send", "QUIET_HOURS": "off"}))
    [wave] = run_campaign(tomorrow, WELCOME.model_copy(update={"name": "second"}), "send", who="test").waves
    assert world.shop.mailed(wave.wave_id) == ["bob@shop.test"]
    assert world.shop.outcomes(wave.wave_id)["ann@shop.test"] == "no_longer_addressable"
    assert wave.as_of > AS_OF
