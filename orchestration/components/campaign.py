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

from orchestration.components.campaign_results import results, waiting
from orchestration.components.campaign_run import run_campaign
from orchestration.components.catalogue import all_campaigns
from orchestration.components.services import Services
from orchestration.core.campaign import Campaign
from orchestration.core.errors import SendingStopped

GROUP = "campaigns"
TRIGGER_TAG = "pennypost/trigger"
PARTS = ("audience", "draft", "delivery")
# the tags of Dagster's own on runs that no person started
STARTED_BY_ITSELF = {"dagster/sensor_name", "dagster/schedule_name"}


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
        try:
            outcome = run_campaign(services, campaign, config.action, who=who, approve=config.approve)
        except SendingStopped as stopped:
            if STARTED_BY_ITSELF.isdisjoint(context.run.tags):
                raise  # whoever asked for it is told that it did not happen
            context.log.warning(str(stopped))
            yield from waiting(keys, str(stopped))
            return
        yield from results(services, keys, outcome)
        if outcome.blocked is not None:
            raise outcome.blocked  # the run's error then says what to mend

    return launch_campaign


def _planned_before(campaign: Campaign) -> list[dg.AssetKey]:
    """The audiences of campaigns that come first: whoever is due for two gets the one with the higher priority."""
    earlier = [other for other in all_campaigns() if (other.priority, other.name) < (campaign.priority, campaign.name)]
    return [asset_key(other.name, "audience") for other in earlier]


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
