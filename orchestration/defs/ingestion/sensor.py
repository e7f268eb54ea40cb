"""New files under landing/ → one run of the event-driven job."""

import json
import time
from collections.abc import Sequence

import dagster as dg

from orchestration.components.services import Services
from orchestration.core.contracts import ORDERS, SIGNUPS
from orchestration.defs.ingestion.jobs import event_driven, main
from orchestration.resources.landing_look import look
from orchestration.resources.landing_read import LandingFile
from orchestration.resources.liveness import bury_the_dead

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


# Somebody waits for the email that follows from these. The rest waits for them, or for so long: a run for every few views
# would be under way whenever somebody signs up.
HURRIED = (ORDERS.name, SIGNUPS.name)
OTHERS_WAIT_SECONDS = 60


def decide(new: Sequence[LandingFile], under_way: int, now: float) -> dg.RunRequest | dg.SkipReason:
    """One run for all that is new; none while another is under way: more events make bigger batches, not more runs.

    `now` is in seconds since the epoch. No run key: a file that a killed run did not ingest must be asked for again, and
    ingesting twice does no harm.
    """
    if not new:
        return dg.SkipReason("no new files")
    if under_way:
        return dg.SkipReason(f"new files that wait for the run under way: {len(new)}")
    waited = now - min(file.modified_ns for file in new) / 1e9
    if waited < OTHERS_WAIT_SECONDS and not any(file.source in HURRIED for file in new):
        return dg.SkipReason(f"new files that wait for an order, a signup, or a minute to pass: {len(new)}")
    return dg.RunRequest(tags={"pennypost/new_files": str(len(new))})


@dg.sensor(
    job=event_driven,
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts the event-driven job when files have landed. Also fails runs whose process was killed.",
)
def landing(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    services = Services.from_env()
    for run_id in bury_the_dead(context.instance, services.settings):
        context.log.warning("Run %s: its process was gone; failed it and freed its slots.", run_id)
    under_way = sum(
        context.instance.get_runs_count(dg.RunsFilter(job_name=job.name, statuses=UNFINISHED))
        for job in (event_driven, main)
    )
    # The cursor only saves work: it holds the folders in which all had landed, and when they changed last.
    found = look(services.settings, services.warehouse, json.loads(context.cursor or "{}"))
    context.update_cursor(json.dumps(found.folders))
    return decide(found.new, under_way, time.time())
