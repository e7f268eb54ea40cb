"""`action: cancel` as a marketer launches it in Dagster."""

import dagster as dg
import pytest

from orchestration.components import delivery
from orchestration.components.campaign import CampaignComponent, asset_key
from orchestration.core.errors import IllegalMove

READERS = ["ann@shop.test", "bob@shop.test"]


@pytest.fixture
def launch(shop, monkeypatch):
    """Launch the shop's campaign with an action; gives the note on its audience."""
    for name, value in (("DATA_DIR", shop.settings.data_dir), ("SANDBOX_PORT", shop.settings.sandbox_port)):
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("AS_OF", shop.settings.fixed_as_of.isoformat())
    defs = CampaignComponent(shop.campaign).build_defs(dg.ComponentTree.for_test().load_context)

    def launched(action):
        node = f"launch_{shop.campaign.name}"
        config = {"ops": {node: {"config": {"action": action}}}}
        with dg.DagsterInstance.ephemeral() as instance:
            result = dg.materialize(list(defs.assets), run_config=config, instance=instance)
        assert all(check.passed for check in result.get_asset_check_evaluations())
        told = {one.asset_key: one.metadata for one in result.asset_materializations_for_node(node)}
        return told[asset_key(shop.campaign.name, "audience")]["note"].value

    return launched


def drafted(shop, wave_id):
    people = {"signed_up": shop.signed_up, "waits": shop.waits}
    return delivery.draft(
        shop.settings, shop.ledger, shop.gateway, shop.renderer, shop.campaign, wave_id, "Ann", **people
    )


def test_cancel_takes_back_what_is_planned_drafted_or_approved_in_mailchimp_too(shop, launch):
    planned, waiting, approved = (shop.plan(f"ann@{name}.test") for name in ("a", "b", "c"))
    drafted(shop, waiting)
    delivery.approve(shop.ledger, approved, drafted(shop, approved).draft_hash, "Ann", shop.settings.now())
    assert launch("cancel") == f"cancelled: {planned}, {waiting}, {approved}"
    for wave_id in (planned, waiting, approved):
        assert shop.ledger.wave(wave_id).state == "cancelled"
        assert shop.ledger.moves(wave_id)[-1].why == "cancelled by hand"
        assert shop.gateway.find_campaigns(f"pennypost {wave_id}") == []
        assert shop.gateway.find_segments(wave_id) == []
        assert {one.released for batch in shop.ledger.recipients(wave_id) for one in batch} == {True}
    assert shop.mailed() == []


def test_cancel_leaves_what_was_sent_and_other_campaigns_alone(shop, launch):
    sent = shop.plan(*READERS)
    shop.resume(sent)
    own = shop.campaign
    shop.campaign = own.model_copy(update={"name": "treatment_reading"})
    other = shop.plan(*READERS)
    shop.campaign = own
    assert launch("cancel") == "there was nothing to cancel"
    assert shop.ledger.wave(sent).state == "settled"
    assert shop.ledger.wave(other).state == "planned"


def test_a_draft_that_somebody_sent_in_mailchimp_cannot_be_taken_back_and_says_so(shop, launch):
    wave_id = shop.plan(*READERS)
    shop.gateway.send(drafted(shop, wave_id).mailchimp_campaign_id)
    with pytest.raises(IllegalMove, match="Its people count as written to"):
        launch("cancel")
    assert shop.ledger.wave(wave_id).state == "drafted"
