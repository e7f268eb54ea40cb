"""How a run gets its process: handed to the resident worker, which has everything imported; else Dagster's own way.

    daemon ── "run <id>" ──► worker ── fork ──► child: holds the run's lock, then answers, then executes the run
           ◄──── "yes" ──────────────────────┘

The socket is where `DATA_DIR/worker` points to: a socket's own path may not be long. A worker that is not there, or whose code is
out of date, answers nothing or "no", and Dagster's code server starts the run, six seconds slower.
"""

import socket
from pathlib import Path
from typing import Literal

from dagster import DagsterInstance
from dagster._core.errors import DagsterLaunchFailedError
from dagster._core.launcher import DefaultRunLauncher, LaunchRunContext
from dagster._core.storage.tags import GRPC_INFO_TAG

from orchestration.settings import Settings

ANSWER_SECONDS = 20.0
YES, NO = b"yes", b"no"


class WorkerLauncher(DefaultRunLauncher):
    """Dagster's own launcher, with the resident worker asked first. dagster.yaml names it."""

    @classmethod
    def from_config_value(cls, inst_data, config_value) -> "WorkerLauncher":
        return cls(inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Raises DagsterLaunchFailedError where the worker took the run and said nothing: nobody else may start it then."""
        run = context.dagster_run
        try:
            taken = ask(Settings.from_env(), "run", run.run_id)
        except TimeoutError as error:
            raise DagsterLaunchFailedError(f"The worker did not answer within {ANSWER_SECONDS:.0f} s.") from error
        if taken:
            self._run_ids.add(run.run_id)
        else:
            super().launch_run(context)

    def terminate(self, run_id: str) -> bool:
        instance: DagsterInstance = self._instance
        run = instance.get_run_by_id(run_id)
        if run is None or run.is_finished or GRPC_INFO_TAG in run.tags:
            return super().terminate(run_id)
        instance.report_run_canceling(run)
        try:
            return ask(Settings.from_env(), "cancel", run_id)
        except TimeoutError:
            return False


def worker_link(settings: Settings) -> Path:
    """A link to the worker's socket."""
    return settings.data_dir / "worker"


def ask(settings: Settings, what: Literal["run", "cancel"], run_id: str) -> bool:
    """Whether the worker took it. Raises TimeoutError when it was asked and it isn't known."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(ANSWER_SECONDS)
        try:
            asking.connect(str(worker_link(settings).readlink()))
            asking.sendall(f"{what} {run_id}\n".encode())
        except OSError:
            return False
        try:
            return asking.recv(len(YES)) == YES
        except ConnectionError:
            return False
