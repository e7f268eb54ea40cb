"""An email that breaks a rule is not drafted: nothing of it, and of nobody, reaches Mailchimp."""

import dagster as dg
import pytest

from orchestration.components.campaign import _assets
from orchestration.components.campaign_run import run_campaign
from orchestration.components.catalogue import all_campaigns
from orchestration.components.checked_renderer import CheckedRenderer
from orchestration.components.services import Services
from orchestration.core.campaign import Content, Rendered
from orchestration.core.errors import PolicyBlocked
from orchestration.core.policy import Identity
from orchestration.core.policy_rules import rules
from orchestration.resources.mailchimp import Gateway
from orchestration.resources.mailchimp_calls import Pauses
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings

FOOT = "Shop Ltd, company number 123, 1 Row, Town. *|LIST:ADDRESSLINE|*"
UNSUBSCRIBE = '<a href="*|UNSUB|*">Unsubscribe</a>'
[WELCOME] = [campaign for campaign in all_campaigns() if campaign.name == "welcome"]

BREAKING = {
    "medicine_named": "Ask us about b\u200bοtox",
    "medicine_hinted_at": "Anti-wrinkle injections from £99",
    "filler_dissolver_hinted_at": "Book your filler dissolving appointment",
    "minoxidil_by_mouth": "Minoxidil tablets",
    "medicine_unlicensed": "Unlicensed minoxidil",
    "medicine_without_licence_stated": "Minoxidil for you",
    "medicinal_claim": "This serum regrows hair",
    "pressure_on_procedures": "Only three lip filler slots left",
    "false_urgency": "17 people are looking at this",
    "same_day_delivery": "Same-day delivery",
    "before_and_after": "Before and after photos",
    "picture_of_before_and_after": '<img src="https://shop.test/before-after.jpg" alt="">',
    "procedures_for_the_young": "Lip filler for your prom",
    "terms_missing": "10% off with this code",
}


class SaidRenderer:
    """An email with all that must be there, and something said in it."""

    identity = Identity("Shop Ltd", "123", "1 Row, Town")

    def __init__(self, said="", foot=FOOT, unsubscribe=UNSUBSCRIBE):
        self.said, self.foot, self.unsubscribe = said, foot, unsubscribe

    def render(self, campaign, *, wave_id, content, as_of, send_at):
        html = f"<html><body><p>{self.said}</p><p>{self.foot}</p>{self.unsubscribe}</body></html>"
        return Rendered(subject="Hello", preheader="You", html=html, text=f"Hello\n{FOOT}\n*|UNSUB|*")


@pytest.fixture
def planned(shop):
    """A shop with a wave that is planned, and how to take it onward with an email."""
    warehouse = Warehouse(shop.settings)
    with warehouse.writer():
        pass
    wave_id = shop.plan("ann@shop.test")

    def onward(renderer):
        shop.renderer = CheckedRenderer(renderer, warehouse)
        return shop.resume(wave_id)

    onward.warehouse, onward.wave_id = warehouse, wave_id
    return onward


def blocked_by(onward, renderer):
    with pytest.raises(PolicyBlocked) as blocked:
        onward(renderer)
    assert all(one.source in str(blocked.value) and one.place in str(blocked.value) for one in blocked.value.findings)
    return {one.rule for one in blocked.value.findings}


def test_each_rule_blocks_a_draft_and_without_its_breach_the_email_goes_out(planned, shop):
    for rule, said in BREAKING.items():
        assert rule in blocked_by(planned, SaidRenderer(said)), said
    assert blocked_by(planned, SaidRenderer(foot="")) == {"identity_missing"}
    assert blocked_by(planned, SaidRenderer(unsubscribe="")) == {"unsubscribe_missing"}
    of_whole_emails = {"identity_missing", "unsubscribe_missing"}
    elsewhere = {"health_word_in_data", "merge_tag", "prescribing_information_missing"}
    assert BREAKING.keys() | of_whole_emails | elsewhere == rules().keys()
    # nothing was made there, not even a member
    assert shop.ledger.wave(planned.wave_id).state == "planned"
    assert shop.ledger.intents(planned.wave_id) == []
    assert shop.mailed() == []
    assert planned(SaidRenderer("Detox mask")).state == "settled"
    assert shop.mailed() == ["ann@shop.test"]


def test_names_that_tell_of_health_block(planned, shop):
    shop.campaign = shop.campaign.model_copy(update={"audience": "professionals"})
    assert blocked_by(planned, SaidRenderer("Botox training")) == {"prescribing_information_missing"}
    with pytest.raises(PolicyBlocked, match="health_word_in_data"):
        CheckedRenderer(SaidRenderer(), planned.warehouse).render(
            shop.campaign.model_copy(update={"name": "rosacea_readers"}),
            wave_id="w1",
            content=Content(),
            as_of=None,
            send_at=None,
        )


def test_an_article_that_was_changed_since_the_plan_blocks(planned, shop):
    """Its text counts, by its id on a card and by its address anywhere, though the card says nothing."""
    with planned.warehouse.writer() as con:
        for article_id, body, batch in (("a", "All is well.", 1), ("a", "Or take <b>fin</b>asteride. *|UNSUB|*", 2)):
            con.execute(
                "insert into lake.raw.articles by name select ? as article_id, 'https://shop.test/a' as url, 'About' as title, "
                "'' as summary, ? as body, []::varchar[] as treatments, now() as published_at, 'publish' as status, "
                "1 as landing_row, ? as batch_id",
                [article_id, body, batch],
            )
    with pytest.raises(PolicyBlocked) as blocked:
        planned(SaidRenderer())
    assert {(one.rule, one.place) for one in blocked.value.findings} == {
        ("medicine_named", "linked article a, body"),
        ("merge_tag", "linked article a, body"),
    }
    linking = SaidRenderer('<a href="https://shop.test/a/?utm_source=email#top">Read</a>')
    found = CheckedRenderer(linking, planned.warehouse)
    with pytest.raises(PolicyBlocked, match="linked article a"):
        found.render(shop.campaign, wave_id="w1", content=Content(), as_of=None, send_at=None)


@pytest.fixture
def world(shop, monkeypatch):
    """The real services on the shop's DATA_DIR, with one person who is due for the welcome."""
    env = {"DATA_DIR": str(shop.settings.data_dir), "SANDBOX_PORT": str(shop.settings.sandbox_port), "BACKLOG": "send"}
    env |= {"AS_OF": "2026-11-22T10:00:00+00:00"}
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    services = Services(Settings.from_env())
    services.__dict__["gateway"] = Gateway(services.settings, Pauses(0.01, 0.05, 3))
    with services.warehouse.writer() as con:
        con.execute(
            """
            create table lake.marts.contacts as select uuid '00000001-0000-0000-0000-000000000000' as contact_id,
                'ann@shop.test' as email, 'Ann' as first_name, true as is_subscribed, 'consent' as basis,
                false as is_suppressed, true as is_addressable, false as is_professional;
            create table lake.marts.segment_members as
                select contact_id, 'new_subscribers' as segment, 'e1' as reason, timestamptz '2026-11-22' as entered_at
                from lake.marts.contacts;
            create table lake.marts.segment_history as select contact_id, segment from lake.marts.segment_members;
            create table lake.intermediate.int_address_owners (address_id uuid, contact_id uuid);
            create table lake.intermediate.int_consents as
                select contact_id, timestamptz '2026-11-22' as last_answered_at from lake.marts.contacts;
            create table lake.intermediate.int_signups as
                select email, timestamptz '2026-11-22' as occurred_at, 'subscribe' as signup_action, 'e1' as event_id
                from lake.marts.contacts;
            """
        )
        services.warehouse.record_build(con, build_id="b1", build_no=1, as_of=services.settings.now())
    return services


def test_a_launch_says_what_is_wrong_and_goes_on_once_it_is_mended(world, shop):
    wrong = WELCOME.model_copy(update={"subject": "Botox and {{ offer.percent }}% off"})
    rehearsed = run_campaign(world, wrong, "rehearse", who="test")
    assert [one.rule for one in rehearsed.blocked.findings][:1] == ["medicine_named"]
    assert world.ledger.waves() == []
    for _ in range(2):  # no second wave is planned behind one that is blocked
        launched = run_campaign(world, wrong, "send", who="test")
        assert "reg. 284" in str(launched.blocked)
        assert [wave.state for wave in world.ledger.waves()] == ["planned"]
    assert shop.mailed() == []
    mended = run_campaign(world, WELCOME, "send", who="test")
    assert (mended.blocked, mended.waves[0].state) == (None, "settled")
    assert shop.mailed() == ["ann@shop.test"]


def test_dagster_shows_the_findings_as_a_failed_check_of_the_draft(world, shop):
    def launched(campaign, action):
        config = {"ops": {f"launch_{campaign.name}": {"config": {"action": action}}}}
        result = dg.materialize([_assets(campaign)], run_config=config, raise_on_error=False)
        [check] = [one for one in result.get_asset_check_evaluations() if one.check_name == "may_be_sent"]
        return result, check

    result, check = launched(WELCOME, "rehearse")
    assert (result.success, check.passed, check.description) == (True, True, "nothing found")
    wrong = WELCOME.model_copy(update={"preheader": "Treats acne"})
    for action in ("rehearse", "draft"):
        result, check = launched(wrong, action)
        assert (result.success, check.passed, check.blocking) == (False, False, True)
        table = check.metadata["findings"].value
        assert "| preheader | claims to treat or prevent a disease" in table
        assert "MHRA Guidance Note 8" in table
    # the wave that is blocked has them: nobody is due, and there is no email that could be looked at
    result, check = launched(WELCOME, "rehearse")
    assert (result.success, check.passed) == (True, True)
    assert check.description.startswith("not checked: nobody is due")


def test_an_email_for_professionals_goes_to_nobody_else(world):
    for_them = WELCOME.model_copy(update={"audience": "professionals"})
    rehearsed = run_campaign(world, for_them, "rehearse", who="test")
    assert rehearsed.plan.counts["excluded"] == {"policy": 1}
    with world.warehouse.writer() as con:
        con.execute("update lake.marts.contacts set is_professional = true")
        world.warehouse.record_build(con, build_id="b2", build_no=2, as_of=world.settings.now())
    assert run_campaign(world, for_them, "rehearse", who="test").plan.counts["recipient"] == 1
