"""Whether the process of a Dagster run is still there.

A killed process can't say so. Each run therefore holds an operating-system lock on a file of its own, which the kernel frees
when the process dies; a run that Dagster believes under way, whose lock is free, is failed here and its pool slots freed, so that
the next run goes on within seconds (DESIGN 4).
"""

import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.in_process import InProcessExecutor

from orchestration.settings import Settings

# Between Dagster's "started" and our lock there are milliseconds; a machine under load may make more of them.
GRACE_SECONDS = 20
_held: dict[str, int] = {}


class _Vouching(InProcessExecutor):
    """Dagster's own executor, with the run's lock held before the first step, so also while it waits for a pool."""

    def execute(self, plan_context, execution_plan) -> Iterator[dg.DagsterEvent]:
        vouch(plan_context.run_id)
        yield from super().execute(plan_context, execution_plan)


@dg.executor(name="one_process")
def one_process(_: dg.InitExecutorContext) -> _Vouching:
    """All steps of a run in the run's one process, which vouches for it: a second process would cost its start-up again."""
    return _Vouching(retries=RetryMode.ENABLED)


def vouch(run_id: str) -> None:
    """Hold the run's lock until this process ends."""
    if run_id in _held:
        return
    folder = _folder(Settings.from_env())
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / run_id, os.O_RDWR | os.O_CREAT, 0o644)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    _held[run_id] = descriptor


def bury_the_dead(instance: dg.DagsterInstance, settings: Settings, *, starting: bool = False) -> list[str]:
    """Fail the runs whose process is gone and free their pool slots; gives their run ids.

    `starting` is for a moment at which no Dagster daemon is up: runs that one was just starting died with it.
    """
    folder = _folder(settings)
    left_over = {path.name for path in folder.iterdir()} if folder.exists() else set()
    statuses = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
    if starting:
        statuses.append(dg.DagsterRunStatus.STARTING)
    under_way = instance.get_run_records(dg.RunsFilter(statuses=statuses))
    dead = [
        record.dagster_run
        for record in under_way
        if record.dagster_run.status == dg.DagsterRunStatus.STARTING
        or _is_gone(folder / record.dagster_run.run_id, started=record.start_time)
    ]
    for run in dead:
        instance.report_run_failed(run, "The process of this run is gone. Start it again: it goes on where it was.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    over = left_over - {record.dagster_run.run_id for record in under_way}
    for run_id in [*over, *(run.run_id for run in dead)]:
        _sweep(folder / run_id)
    return [run.run_id for run in dead]


def _folder(settings: Settings) -> Path:
    return settings.data_dir / "runs"


def _is_gone(path: Path, *, started: float | None) -> bool:
    if not path.exists():
        return started is not None and time.time() - started > GRACE_SECONDS
    return _is_free(path)


def _is_free(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _sweep(path: Path) -> None:
    # a file this young may be between being made and being locked
    if path.exists() and time.time() - path.stat().st_mtime > GRACE_SECONDS and _is_free(path):
        path.unlink(missing_ok=True)
