"""Whether the process of a Dagster run is still there.

A killed process can't say so. Each run therefore holds an operating-system lock on a file of its own, which the kernel frees
when the process dies; a run that Dagster believes started, whose lock is free, is failed here and its pool slots freed, so that
the next run goes on within seconds (DESIGN 4).
"""

import fcntl
import os
import time
from pathlib import Path

import dagster as dg

from orchestration.settings import Settings

# Between Dagster's "started" and the first line of our own op.
GRACE_SECONDS = 120
_UNDER_WAY = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
_held: dict[str, int] = {}


def vouch(context: dg.AssetExecutionContext | dg.OpExecutionContext) -> None:
    """Hold the run's lock until this process ends. Every op calls it first."""
    run_id = context.run_id
    if run_id in _held:
        return
    folder = _folder(Settings.from_env())
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / run_id, os.O_RDWR | os.O_CREAT, 0o644)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    _held[run_id] = descriptor


def bury_the_dead(instance: dg.DagsterInstance, settings: Settings) -> list[str]:
    """Fail the runs whose process is gone and free their pool slots; gives their run ids."""
    dead = [
        record.dagster_run
        for record in instance.get_run_records(dg.RunsFilter(statuses=_UNDER_WAY))
        if _is_gone(_folder(settings) / record.dagster_run.run_id, started=record.start_time)
    ]
    for run in dead:
        instance.report_run_failed(run, "The process of this run is gone. Start it again: it goes on where it was.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        (_folder(settings) / run.run_id).unlink(missing_ok=True)
    return [run.run_id for run in dead]


def _folder(settings: Settings) -> Path:
    return settings.data_dir / "runs"


def _is_gone(path: Path, *, started: float | None) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return started is not None and time.time() - started > GRACE_SECONDS
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
