"""What a launch of a campaign shows in Dagster: the metadata of its three assets, and the results of their checks."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from orchestration.components.campaign_run import CampaignRun, shown_hash
from orchestration.components.markdown import markdown_table
from orchestration.components.planning import Plan
from orchestration.components.services import Services
from orchestration.core.audience import MEANINGS
from orchestration.core.wave import Wave
from orchestration.resources.ledger_planning import counts_of
from orchestration.settings import Settings


def results(services: Services, keys: Mapping[str, dg.AssetKey], outcome: CampaignRun) -> Iterator[Any]:
    """The results of a campaign's three assets, by part, and of their checks."""
    taken_up = {"sent from before": [wave.wave_id for wave in outcome.taken_up]} if outcome.taken_up else {}
    if outcome.plan is not None:
        yield dg.MaterializeResult(
            asset_key=keys["audience"], metadata=_audience_metadata(outcome.plan) | _sample_metadata(outcome) | taken_up
        )
        yield _counts_add_up(keys["audience"], outcome.plan.counts)
    else:
        yield dg.MaterializeResult(asset_key=keys["audience"], metadata={"note": _unplanned(outcome)} | taken_up)
        # Dagster fails a step that leaves out a check, so a launch that had nothing to do gives one, too
        yield _counts_add_up(keys["audience"], outcome.waves[-1].counts if outcome.waves else counts_of({}))
    drafted = [wave for wave in outcome.waves if wave.mailchimp_campaign_id]
    if drafted:
        yield dg.MaterializeResult(asset_key=keys["draft"], metadata=_draft_metadata(services.settings, drafted[-1]))
    if outcome.sent:
        yield dg.MaterializeResult(asset_key=keys["delivery"], metadata=_delivery_metadata(services, outcome.sent[-1]))
    yield _may_be_sent(keys["draft"], outcome)


def waiting(keys: Mapping[str, dg.AssetKey], why: str) -> Iterator[Any]:
    """The results of a launch that nobody asked for, while all sends are stopped."""
    yield dg.MaterializeResult(asset_key=keys["audience"], metadata={"note": f"nobody was planned, all waits: {why}"})
    yield _counts_add_up(keys["audience"], counts_of({}))
    yield dg.AssetCheckResult(
        asset_key=keys["draft"], check_name="may_be_sent", passed=True, description="nothing drafted"
    )


def _unplanned(outcome: CampaignRun) -> str:
    """Why there is no plan."""
    waves = ", ".join(wave.wave_id for wave in outcome.waves)
    if outcome.action == "cancel":
        return f"cancelled: {waves}" if waves else "there was nothing to cancel"
    if outcome.blocked:
        return f"nobody new was planned: the email of wave {waves} may not go out, see the check may_be_sent"
    return f"nobody new was planned: the draft of wave {waves} waits for approval"


def _counts_add_up(audience: dg.AssetKey, counts: dict[str, Any]) -> dg.AssetCheckResult:
    decided = (
        counts["recipient"] + counts["holdout"] + sum(counts["excluded"].values()) + sum(counts["deferred"].values())
    )
    return dg.AssetCheckResult(
        asset_key=audience,
        check_name="counts_add_up",
        passed=decided == counts["segment_size"],
        metadata={"segment": counts["segment_size"], "decided": decided},
    )


def _may_be_sent(draft: dg.AssetKey, outcome: CampaignRun) -> dg.AssetCheckResult:
    found = outcome.blocked.findings if outcome.blocked else []
    rows = [[one.place, one.what, one.found, one.excerpt, f"{one.rule}: {one.source}", one.mend] for one in found]
    heads = ["place", "what is wrong", "found", "there", "rule and source", "what to do"]
    return dg.AssetCheckResult(
        asset_key=draft,
        check_name="may_be_sent",
        passed=not found,
        description=_described(outcome, len(found)),
        metadata={"findings": markdown_table(heads, rows)} if found else {},
    )


def _described(outcome: CampaignRun, findings: int) -> str:
    if findings:
        return f"{findings} findings; nothing was drafted"
    if outcome.plan and not outcome.plan.has_recipients:
        return "not checked: nobody is due, so there is no email to look at"
    return "nothing found"


def _audience_metadata(plan: Plan) -> dict[str, Any]:
    counts = plan.counts
    rows = [("recipient", counts["recipient"], ""), ("holdout", counts["holdout"], "")]
    rows += [
        (outcome, number, f"{reason}: {MEANINGS[reason]}")
        for outcome in ("excluded", "deferred")
        for reason, number in counts[outcome].items()
    ]
    return {
        "segment": counts["segment_size"],
        "recipients": counts["recipient"],
        "excluded": sum(counts["excluded"].values()),
        "deferred": sum(counts["deferred"].values()),
        "by reason": markdown_table(["outcome", "contacts", "reason"], rows),
        "counts": dg.MetadataValue.json({**counts, "is_written": plan.wave_id is not None}),
        "wave": plan.wave_id or "none: nothing was written",
        "as of": plan.as_of.isoformat(),
        "build": plan.build.build_id,
    }


def _sample_metadata(outcome: CampaignRun) -> dict[str, Any]:
    if outcome.plan is None or outcome.sample is None:
        return {}
    plan, sample = outcome.plan, outcome.sample
    found: dict[str, Any] = {
        "subject": sample.subject,
        "preheader": sample.preheader,
        "text of the email": dg.MetadataValue.md(f"```\n{sample.text}\n```"),
    }
    titled = {
        "articles": [[(card.title, card.code) for card in slot] for slot in plan.content.articles],
        "products": [[(card.name, card.code) for card in slot] for slot in plan.content.products],
    }
    for what, slots in titled.items():
        if any(slots):
            rows = [(number, title, plan.readers[code]) for number, slot in enumerate(slots, 1) for title, code in slot]
            found[what] = markdown_table(["slot", what, "readers"], rows)
    return found


def _draft_metadata(settings: Settings, wave: Wave) -> dict[str, Any]:
    return {
        "wave": wave.wave_id,
        "state": wave.state,
        "draft": dg.MetadataValue.url(settings.campaign_url(wave.mailchimp_campaign_id, wave.mailchimp_web_id)),
        "hash to approve": shown_hash(wave),
        "recipients": wave.counts["recipient"],
    }


def _delivery_metadata(services: Services, wave: Wave) -> dict[str, Any]:
    unheard_of = services.ledger.outcomes(wave.wave_id).get(("recipient", None, None), 0)
    late = {"not in Mailchimp's report yet": unheard_of} if unheard_of else {}
    return late | {
        "wave": wave.wave_id,
        "state": wave.state,
        "sent at": wave.sent_at.isoformat() if wave.sent_at else "",
        "recipients": wave.counts["recipient"],
    }
