"""What there is to be told right now: of runs, rejects, silent sources, stopped sends and webhooks that are off."""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import duckdb

from orchestration.components.services import Services
from orchestration.core.alerts import (
    SILENCE_WINDOW,
    Alert,
    Arrivals,
    failed_run,
    forgotten_pause,
    silence,
    stopped,
    too_many_rejects,
    webhook_off,
)
from orchestration.core.errors import NoBuildYet
from orchestration.core.feedback import BREAKERS, PAUSED
from orchestration.resources.pull_state import read_switched_off

FAILED = [dg.DagsterRunStatus.FAILURE]
ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
_REJECTS = """
    select source, sum(rows_read)::bigint, sum(rows_rejected)::bigint
    from lake.raw.landing_files where ingested_at > ? group by source order by source
"""
_ARRIVALS = """
    with arrivals as (
        select distinct source, ingested_at from lake.raw.landing_files where rows_read > 0 and ingested_at > ?
    ),
    gaps as (
        select *, ingested_at - lag(ingested_at) over (partition by source order by ingested_at) as gap from arrivals
    )
    select source, count(*), coalesce(max(gap), interval 0 second), max(ingested_at)
    from gaps group by source order by source
"""


def occurring(
    services: Services, instance: dg.DagsterInstance, *, since: datetime, told: Collection[str], now: datetime
) -> list[Alert]:
    """Everything there is to tell at `now` (the machine's clock), told already or not. `since`: when runs were looked at last.

    How long sends have been paused is told by the business clock, by which they were.
    """
    return [
        *_runs(services, instance, since, told),
        *_data(services, now),
        *_stops(services),
        *(webhook_off(number, topic) for number, topic in read_switched_off(services.settings).items()),
    ]


def _stops(services: Services) -> Iterator[Alert]:
    for stop in services.ledger.stops():
        if stop.kind in BREAKERS:
            yield stopped(stop.kind, stop.what)
        elif stop.kind == PAUSED and (alert := forgotten_pause(stop.stopped_at, services.settings.now())):
            yield alert


def _runs(services: Services, instance: dg.DagsterInstance, since: datetime, told: Collection[str]) -> Iterator[Alert]:
    """Jobs that failed since the last look, though they may have succeeded after, and those that still do."""
    failed = {
        run.job_name: run.run_id for run in instance.get_runs(dg.RunsFilter(statuses=FAILED, updated_after=since))
    }
    url = f"http://127.0.0.1:{services.settings.ui_port}"
    for job in sorted({*failed, *(key.removeprefix("run ") for key in told if key.startswith("run "))}):
        last = instance.get_runs(dg.RunsFilter(job_name=job, statuses=ENDED), limit=1)
        if job in failed:
            yield failed_run(job, failed[job], url)
        elif last and last[0].status == dg.DagsterRunStatus.FAILURE:
            yield failed_run(job, last[0].run_id, url)


def _data(services: Services, now: datetime) -> Iterator[Alert]:
    try:
        with services.warehouse.latest() as con:
            shares = con.execute(_REJECTS, [now - timedelta(days=1)]).fetchall()
            arrivals = con.execute(_ARRIVALS, [now - SILENCE_WINDOW]).fetchall()
    except (NoBuildYet, duckdb.CatalogException):
        return
    yield from filter(None, (too_many_rejects(*share) for share in shares))
    for source, count, gap, last in arrivals:
        if alert := silence(Arrivals(source, count, gap, last.astimezone(UTC)), now):
            yield alert
