"""Whether the process of a Dagster run is still there.

A killed process can't say so. Each run therefore holds an operating-system lock on a file of its own, which the kernel frees
when the process dies; a run that Dagster believes under way, whose lock is free, is failed here and its pool slots freed, so that
the next run goes on within seconds (DESIGN 4).

A child of the resident worker holds it before the launch has ended. A run that Dagster's code server is only starting has no
process that could hold it: the server is asked for it.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.in_process import InProcessExecutor
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value

from orchestration.settings import Settings

# Between Dagster's "started" and our lock there are milliseconds; a machine under load may make more of them.
GRACE_SECONDS = 20
# Between Dagster's "starting" and the code server's taking it up. Whoever is slower finds the run failed, and does nothing.
STARTING_SECONDS = 5
_ASK_SECONDS = 5
_UNDER_WAY = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
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
    # The file gets its name when it is locked: nobody ever sees that of a living run unlocked.
    unnamed = folder / f".{run_id}.{os.getpid()}"
    descriptor = os.open(unnamed, os.O_RDWR | os.O_CREAT, 0o644)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    unnamed.rename(folder / run_id)
    _held[run_id] = descriptor


def bury_the_dead(instance: dg.DagsterInstance, settings: Settings, *, starting: bool = False) -> list[str]:
    """Fail the runs whose process is gone and free their pool slots; gives their run ids.

    `starting` is for a moment at which no Dagster daemon is up: runs that one was just starting died with it.
    """
    folder = _folder(settings)
    left_over = {path.name for path in folder.iterdir()} if folder.exists() else set()
    under_way = instance.get_run_records(dg.RunsFilter(statuses=_UNDER_WAY))
    dead = [record.dagster_run for record in under_way if _is_dead(record, folder, starting=starting)]
    for run in dead:
        instance.report_run_failed(run, "The process of this run is gone. Start it again: it goes on where it was.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    over = left_over - {record.dagster_run.run_id for record in under_way}
    for run_id in [*over, *(run.run_id for run in dead)]:
        _sweep(folder / run_id)
    return [run.run_id for run in dead]


def _folder(settings: Settings) -> Path:
    return settings.data_dir / "runs"


def _is_dead(record: dg.RunRecord, folder: Path, *, starting: bool) -> bool:
    path = folder / record.dagster_run.run_id
    if record.dagster_run.status == dg.DagsterRunStatus.STARTING and not path.exists():
        return starting or _is_given_up(record)
    return _is_gone(path, started=record.start_time)


def _is_given_up(record: dg.RunRecord) -> bool:
    """Whether nobody is at starting this run: its code server is gone, or knows nothing of it."""
    if time.time() - record.update_timestamp.timestamp() < STARTING_SECONDS:
        return False
    run = record.dagster_run
    if GRPC_INFO_TAG not in run.tags:
        return True  # its daemon died before it told a code server
    told = json.loads(run.tags[GRPC_INFO_TAG])
    client = DagsterGrpcClient(told.get("port"), told.get("socket"), told["host"], told.get("use_ssl", False))
    try:
        answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id), timeout=_ASK_SECONDS)
    except DagsterUserCodeUnreachableError as error:
        # one that only does not answer in time is busy
        return error.__cause__.code().name == "UNAVAILABLE"
    return not deserialize_value(answer, CanCancelExecutionResult).can_cancel


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
    # a file this young may be between being locked and being named
    if path.exists() and time.time() - path.stat().st_mtime > GRACE_SECONDS and _is_free(path):
        path.unlink(missing_ok=True)
