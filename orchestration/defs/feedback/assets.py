"""What Mailchimp says → the ledger → raw.deliveries and raw.feedback: who got what, who not and why, and who said no."""

from collections.abc import Iterator

import dagster as dg

from orchestration.components.feedback import Feedback
from orchestration.components.sending import described
from orchestration.components.services import Services
from orchestration.core.errors import MailchimpError
from orchestration.resources.deliveries import land_deliveries

HEARD = dg.AssetKey(["ledger", "feedback"])
WHAT = {
    "deliveries": "What the ledger came to know of each contact in each wave since the last time.",
    "feedback": "Each no that Mailchimp told outside a wave's report since the last time: who left the audience, and how.",
}


@dg.asset(
    key=HEARD,
    group_name="feedback",
    description="Bounces, complaints, unsubscribes and changes of the audience that Mailchimp told since the last time.",
    check_specs=[
        dg.AssetCheckSpec(
            "mailchimp_answered", asset=HEARD, description="Mailchimp could be asked what became of it all."
        ),
        dg.AssetCheckSpec(
            "sending_is_on",
            asset=HEARD,
            description="Nobody paused sending, and no breaker stopped it. The job `sending` pauses, resumes and releases.",
        ),
    ],
)
def feedback(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Poll Mailchimp. Where it can't be asked nothing moves, and the models are built with what is known.

    No send goes by that alone: each asks Mailchimp for everybody's status again."""
    services = Services.from_env()
    poll = Feedback(
        services.settings,
        services.ledger,
        services.gateway,
        services.feedback_gateway,
        services.warehouse,
        f"run {context.run.run_id[:8]}",
    )
    try:
        heard, unheard = poll.poll(), ""
    except MailchimpError as error:
        heard, unheard = None, str(error)
        context.log.warning("What became of the emails could not be asked: %s", error)
    stops = services.ledger.stops()
    for stop in stops:
        context.log.warning("Sending is stopped: %s", described(stop))
    return dg.MaterializeResult(
        metadata={
            "waves read": heard.waves if heard else 0,
            "deliveries that are news": heard.deliveries if heard else 0,
            "noes that are news": heard.objections if heard else 0,
        },
        check_results=[
            dg.AssetCheckResult(
                check_name="mailchimp_answered",
                passed=not unheard,
                severity=dg.AssetCheckSeverity.WARN,
                description=unheard or "it answered",
            ),
            dg.AssetCheckResult(
                check_name="sending_is_on",
                passed=not stops,
                severity=dg.AssetCheckSeverity.WARN,
                description="; ".join(described(stop) for stop in stops) or "nothing stops it",
            ),
        ],
    )


@dg.multi_asset(
    name="land_deliveries",
    specs=[
        dg.AssetSpec(["raw", name], deps=[HEARD], group_name="feedback", description=what, kinds={"duckdb"})
        for name, what in WHAT.items()
    ],
    pool="warehouse",
)
def deliveries(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
    """Take what is new in the ledger into the warehouse."""
    services = Services.from_env()
    for name, rows in land_deliveries(services.warehouse, services.ledger).items():
        yield dg.MaterializeResult(asset_key=["raw", name], metadata={"new rows": rows})
