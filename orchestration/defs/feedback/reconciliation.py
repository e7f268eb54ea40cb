"""Once a day both sides are compared: raw.reconciliation, and marts.reconciliation by the build that follows."""

import dagster as dg

from orchestration.components.reconciliation import Reconciliation
from orchestration.components.services import Services
from orchestration.defs.feedback.assets import HEARD
from orchestration.defs.ingestion.jobs import models

KEY = dg.AssetKey(["raw", "reconciliation"])


@dg.asset(
    key=KEY,
    deps=[HEARD],
    group_name="feedback",
    kinds={"duckdb"},
    pool="warehouse",
    description="Contacts, waves and their states in Mailchimp and here, compared row by row: what differs, and what was done.",
    check_specs=[
        dg.AssetCheckSpec(
            "both_sides_agree", asset=KEY, description="Mailchimp and the warehouse say the same of everybody."
        )
    ],
)
def reconciliation(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    services = Services.from_env()
    outside = (
        services.settings,
        services.ledger,
        services.gateway,
        services.feedback_gateway,
        services.warehouse,
    )
    compared = Reconciliation(*outside, f"run {context.run.run_id[:8]}").compare()
    told = ", ".join(f"{number} {difference}" for difference, number in sorted(compared.differences.items()))
    return dg.MaterializeResult(
        metadata={"members compared": compared.members, "differences": told or "none"},
        check_results=[
            dg.AssetCheckResult(
                passed=not compared.differences,
                severity=dg.AssetCheckSeverity.WARN,
                description=f"{told}; see marts.reconciliation" if told else "they agree",
            )
        ],
    )


job = dg.define_asset_job(
    "reconciliation",
    selection=dg.AssetSelection.assets(KEY) | models.selection,
    description="Compare Mailchimp with the warehouse, row by row. What differs is in marts.reconciliation.",
)

daily = dg.ScheduleDefinition(
    name="daily_reconciliation",
    job=job,
    cron_schedule="30 5 * * *",
    execution_timezone="Europe/London",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
