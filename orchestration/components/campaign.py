"""One campaign file → its assets, its checks, its job and, where it has one, its schedule.

    campaigns/<name>_audience   who gets it, and who does not, and why
    campaigns/<name>_draft      the draft in Mailchimp, with a link
    campaigns/<name>_delivery   what became of it

All three come from one op, so that a launch has one set of settings: `action` and `approve`.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import dagster as dg
import pydantic
from pydantic import Field

from orchestration.components.campaign_run import CampaignRun, run_campaign, shown_hash
from orchestration.components.catalogue import all_campaigns
from orchestration.components.markdown import markdown_table
from orchestration.components.planning import Plan
from orchestration.components.services import Services
from orchestration.core.audience import DEFERRAL_REASONS, EXCLUSION_REASONS
from orchestration.core.campaign import Campaign
from orchestration.core.wave import Wave
from orchestration.resources.ledger_planning import counts_of
from orchestration.settings import Settings

GROUP = "campaigns"
TRIGGER_TAG = "pennypost/trigger"
PARTS = ("audience", "draft", "delivery")


class CampaignComponent(dg.Component):
    """A campaign, described by a `defs.yaml` that a marketer can read. The attributes are those of core.campaign.Campaign."""

    def __init__(self, campaign: Campaign) -> None:
        self.campaign = campaign

    @classmethod
    def get_model_cls(cls) -> type[pydantic.BaseModel]:
        return Campaign

    @classmethod
    def load(cls, attributes: Campaign, context: dg.ComponentLoadContext) -> "CampaignComponent":
        return cls(attributes)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        campaign = self.campaign
        assets = _assets(campaign)
        job = dg.define_asset_job(
            campaign.name,
            selection=dg.AssetSelection.assets(assets),
            description=(
                f"{campaign.description}\n\n**Materialize all** rehearses: it shows who would get it, and what it says, "
                "and sends nothing. To draft or send, choose **Open launchpad** under the arrow beside it and change `action`."
            ),
            config={"ops": {_op(campaign): {"config": {"action": "rehearse"}}}},
        )
        return dg.Definitions(assets=[assets], jobs=[job], schedules=_schedules(campaign, job))


def asset_key(campaign: str, part: str) -> dg.AssetKey:
    """The key of one of a campaign's PARTS. Its last word names the campaign: Dagster's graph shows no other."""
    return dg.AssetKey([GROUP, f"{campaign}_{part}"])


def usual_config(campaigns: Sequence[Campaign]) -> dict[str, Any]:
    """Launch settings for a job that launches these campaigns without a person."""
    return {"ops": {_op(campaign): {"config": {"action": usual_action(campaign)}} for campaign in campaigns}}


def usual_action(campaign: Campaign) -> Literal["draft", "send"]:
    """What a launch without a person does."""
    return "send" if campaign.approval == "automatic" else "draft"


def _op(campaign: Campaign) -> str:
    # Dagster wants the names of ops and jobs to differ
    return f"launch_{campaign.name}"


def _launch(campaign: Campaign) -> type[dg.Config]:
    class Launch(dg.Config):
        action: Literal["rehearse", "draft", "send", "cancel"] = Field(
            default="rehearse",  # whoever only presses a button must not have written to anybody
            description=(
                "rehearse: show who would get it and what it would say; nothing is written or sent. "
                "draft: freeze the audience and make the draft in Mailchimp, to be looked at. "
                "send: the same, and send it"
                + (". " if campaign.approval == "automatic" else ", once the draft's hash is given under `approve`. ")
                + "Launched again, it goes on where it was and sends nothing twice. "
                "cancel: take back what was planned or drafted and not sent."
            ),
        )
        approve: str | None = Field(
            default=None,
            description="The hash of a waiting draft, as the draft's metadata show it: it may go out as it is.",
        )

    return Launch


def _assets(campaign: Campaign) -> dg.AssetsDefinition:
    keys = {part: asset_key(campaign.name, part) for part in PARTS}
    upstream = [
        ["marts", "segment_members"],
        ["marts", "contacts"],
        ["marts", "segment_history"],
        *_planned_before(campaign),
    ]
    if campaign.articles is not None:
        upstream.append(["marts", "recommended_articles"])
    if campaign.products is not None:
        upstream += [["marts", "orders"], ["intermediate", "int_bought_together"], ["staging", "stg_products"]]
    launch = _launch(campaign)
    common: dict[str, Any] = {"group_name": GROUP, "tags": {TRIGGER_TAG: campaign.trigger.when}}

    @dg.multi_asset(
        name=_op(campaign),
        specs=[
            dg.AssetSpec(
                keys["audience"],
                deps=upstream,
                description=f"{campaign.description} Who is due, and who not.",
                **common,
            ),
            dg.AssetSpec(
                keys["draft"],
                deps=[keys["audience"]],
                description="The draft in Mailchimp.",
                skippable=True,
                **common,
            ),
            dg.AssetSpec(
                keys["delivery"],
                deps=[keys["draft"]],
                description="What became of each email.",
                skippable=True,
                **common,
            ),
        ],
        check_specs=[
            dg.AssetCheckSpec(
                "counts_add_up",
                asset=keys["audience"],
                description="Every member of the segment is recipient, holdout, excluded or deferred, each with a reason.",
            ),
            dg.AssetCheckSpec(
                "may_be_sent",
                asset=keys["draft"],
                blocking=True,
                description=(
                    "The email, and every page of ours that it links to, keeps the rules of core/policy.yaml. "
                    "Where it doesn't, nothing is drafted."
                ),
            ),
        ],
    )
    def launch_campaign(context: dg.AssetExecutionContext, config: launch) -> Iterator[Any]:
        services = Services.from_env()
        who = context.run.tags.get("dagster/user") or f"run {context.run.run_id[:8]}"
        outcome = run_campaign(services, campaign, config.action, who=who, approve=config.approve)
        yield from _results(services, keys, outcome)
        yield _may_be_sent(keys["draft"], outcome)
        if outcome.blocked is not None:
            raise outcome.blocked  # the run's error then says what to mend

    return launch_campaign


def _planned_before(campaign: Campaign) -> list[dg.AssetKey]:
    """The audiences of campaigns that come first: whoever is due for two gets the one with the higher priority."""
    earlier = [other for other in all_campaigns() if (other.priority, other.name) < (campaign.priority, campaign.name)]
    return [asset_key(other.name, "audience") for other in earlier]


def _results(services: Services, keys: dict[str, dg.AssetKey], outcome: CampaignRun) -> Iterator[Any]:
    taken_up = {"sent from before": [wave.wave_id for wave in outcome.taken_up]} if outcome.taken_up else {}
    if outcome.plan is not None:
        yield dg.MaterializeResult(
            asset_key=keys["audience"], metadata=_audience_metadata(outcome.plan) | _sample_metadata(outcome) | taken_up
        )
        yield _counts_add_up(keys["audience"], outcome.plan.counts)
    else:
        yield dg.MaterializeResult(asset_key=keys["audience"], metadata={"note": _unplanned(outcome)} | taken_up)
        # Dagster fails a step that leaves out a check, so a launch that had nothing to do gives one, too
        yield _counts_add_up(keys["audience"], outcome.waves[-1].counts if outcome.waves else counts_of(()))
    drafted = [wave for wave in outcome.waves if wave.mailchimp_campaign_id]
    if drafted:
        yield dg.MaterializeResult(asset_key=keys["draft"], metadata=_draft_metadata(services.settings, drafted[-1]))
    if outcome.sent:
        yield dg.MaterializeResult(asset_key=keys["delivery"], metadata=_delivery_metadata(services, outcome.sent[-1]))


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
        description=f"{len(found)} findings; nothing was drafted" if found else "nothing found",
        metadata={"findings": markdown_table(heads, rows)} if found else {},
    )


def _audience_metadata(plan: Plan) -> dict[str, Any]:
    counts = plan.counts
    rows = [("recipient", "", counts["recipient"]), ("holdout", "", counts["holdout"])]
    rows += [("excluded", reason, number) for reason, number in counts["excluded"].items()]
    rows += [("deferred", reason, number) for reason, number in counts["deferred"].items()]
    meanings = EXCLUSION_REASONS | DEFERRAL_REASONS
    return {
        "segment": counts["segment_size"],
        "recipients": counts["recipient"],
        "excluded": sum(counts["excluded"].values()),
        "deferred": sum(counts["deferred"].values()),
        "by reason": dg.MetadataValue.md(
            "| outcome | contacts | reason |\n|---|---|---|\n"
            + "\n".join(
                f"| {outcome} | {number} | {f'{reason}: {meanings.get(reason)}' if reason else ''} |"
                for outcome, reason, number in rows
            )
        ),
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
            found[what] = dg.MetadataValue.md(
                f"| slot | {what} | readers |\n|---|---|---|\n"
                + "\n".join(
                    f"| {number + 1} | {title} | {plan.readers[code]} |"
                    for number, slot in enumerate(slots)
                    for title, code in slot
                )
            )
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


def _schedules(campaign: Campaign, job: Any) -> list[dg.ScheduleDefinition]:
    if campaign.trigger.cron is None:
        return []
    return [
        dg.ScheduleDefinition(
            name=f"{campaign.name}_schedule",
            job=job,
            cron_schedule=campaign.trigger.cron,
            execution_timezone="Europe/London",
            run_config=usual_config([campaign]),
            default_status=dg.DefaultScheduleStatus.RUNNING,
        )
    ]
