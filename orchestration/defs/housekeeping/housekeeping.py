"""The job that keeps house, every hour: what must not grow without end."""

from datetime import timedelta

import dagster as dg
from pydantic import Field

from orchestration.components.housekeeping import Keep, keep_house
from orchestration.components.services import Services

USUAL = Keep()
DAY = timedelta(days=1)


class Terms(dg.Config):
    landing_hours: float = Field(
        default=USUAL.landing / timedelta(hours=1),
        ge=0,
        description="Hours after its ingest at which a landing file moves to the archive.",
    )
    snapshot_days: float = Field(
        default=USUAL.snapshots / DAY,
        ge=0,
        description="Days for which the tables can be read as they were. Those a wave was planned on stay.",
    )
    file_days: float = Field(
        default=USUAL.files / DAY,
        ge=0,
        description="Days that Parquet files stay after no snapshot needs them: a reader may have them open.",
    )
    run_days: float = Field(
        default=USUAL.runs / DAY, ge=0, description="Days for which Dagster keeps a run, its events and its logs."
    )


@dg.op(pool="warehouse")
def keep_house_now(context: dg.OpExecutionContext, config: Terms) -> None:
    keep = Keep(
        landing=timedelta(hours=config.landing_hours),
        snapshots=timedelta(days=config.snapshot_days),
        files=timedelta(days=config.file_days),
        runs=timedelta(days=config.run_days),
    )
    done = keep_house(Services.from_env(), context.instance, keep)
    context.add_output_metadata({what: count for what, count in done.items() if count} or {"done": "nothing was due"})


@dg.job(
    name="housekeeping",
    description="Archive ingested landing files, merge small files, let go of old snapshots, of old runs and of large logs.",
)
def housekeeping_job() -> None:
    keep_house_now()


hourly = dg.ScheduleDefinition(
    name="hourly_housekeeping",
    job=housekeeping_job,
    cron_schedule="35 * * * *",
    execution_timezone="Europe/London",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
