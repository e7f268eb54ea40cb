"""Whether the process of a run is still there, for runs at their very beginning. Killed later: tests/pipeline."""

import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time

import dagster as dg
import pytest
from dagster._core.launcher import LaunchRunContext
from dagster._core.storage.dagster_run import DagsterRunStatus
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import GrpcServerTarget

from orchestration.resources import liveness
from orchestration.resources.dagster_home import make_dagster_home
from orchestration.resources.liveness import bury_the_dead, vouch
from orchestration.settings import PROJECT_DIR, Settings

JOBS = PROJECT_DIR / "tests" / "pipeline" / "held_job.py"


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    settings = Settings.from_env()
    make_dagster_home(settings)
    monkeypatch.setenv("DAGSTER_HOME", str(settings.dagster_home))
    return settings


@pytest.fixture
def instance(settings):
    with dg.DagsterInstance.get() as found:
        yield found


def test_nobody_ever_sees_the_lock_of_a_living_run_free(settings):
    folder = settings.data_dir / "runs"
    folder.mkdir()
    seen_free, done = set(), threading.Event()

    def look():
        while not done.is_set():
            for path in folder.iterdir():
                if not path.name.startswith(".") and liveness._is_free(path):
                    seen_free.add(path.name)

    watcher = threading.Thread(target=look)
    watcher.start()
    runs = [f"run-{number}" for number in range(200)]
    try:
        for run in runs:
            vouch(run)
    finally:
        done.set()
        watcher.join()
        for run in runs:
            os.close(liveness._held.pop(run))
    assert seen_free == set()
    assert sorted(path.name for path in folder.iterdir()) == sorted(runs)


@pytest.fixture
def code_server(settings):
    """A process that starts runs for Dagster, and its port; the runs' processes are in its group."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = [sys.executable, "-m", "dagster", "api", "grpc", "-f", JOBS, "-a", "held", "-p", str(port)]
    env = {**os.environ, "PYTHONPATH": str(PROJECT_DIR)}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(arguments, env=env, cwd=PROJECT_DIR, start_new_session=True, **quiet)
    try:
        wait_until(lambda: listens(port))
        yield process, port
    finally:
        kill(process)


def listens(port):
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


def wait_until(condition):
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.05)


def kill(process):
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_a_run_whose_code_server_was_killed_while_starting_it_is_failed_within_seconds(
    settings, instance, code_server, monkeypatch
):
    process, port = code_server
    with WorkspaceProcessContext(instance, GrpcServerTarget("localhost", port, None, "here")) as workspace:
        location = workspace.create_request_context().get_code_location("here")
        job = next(iter(location.get_repositories().values())).get_full_job("held")
        run = instance.create_run_for_job(
            runpy.run_path(str(JOBS))["held"],
            status=DagsterRunStatus.STARTING,
            remote_job_origin=job.get_remote_origin(),
            job_code_origin=job.get_python_origin(),
        )
        monkeypatch.setattr(liveness, "STARTING_SECONDS", 30)
        assert bury_the_dead(instance, settings) == []  # a daemon may be telling a code server at this moment
        monkeypatch.setattr(liveness, "STARTING_SECONDS", 0)
        # no worker is there, so the launcher turns to the code server
        instance.run_launcher.launch_run(LaunchRunContext(run, workspace.create_request_context()))
        wait_until((settings.data_dir / "held").exists)
    # as if its process were not so far yet
    starting = dg.DagsterEvent(dg.DagsterEventType.RUN_STARTING.value, job_name="held")
    instance.report_dagster_event(starting, run.run_id)
    assert instance.get_run_by_id(run.run_id).status == DagsterRunStatus.STARTING
    assert bury_the_dead(instance, settings) == []
    kill(process)
    # its own child, which was to become the run, may take a moment longer to die
    wait_until(lambda: bury_the_dead(instance, settings) == [run.run_id])
    assert instance.get_run_by_id(run.run_id).status == DagsterRunStatus.FAILURE


def test_a_run_that_no_code_server_was_told_of_is_failed_within_seconds(settings, instance, monkeypatch):
    run = instance.create_run_for_job(
        dg.JobDefinition(graph_def=dg.GraphDefinition("held")), status=DagsterRunStatus.STARTING
    )
    assert liveness.STARTING_SECONDS <= 10
    assert bury_the_dead(instance, settings) == []
    monkeypatch.setattr(liveness, "STARTING_SECONDS", 0)
    assert bury_the_dead(instance, settings) == [run.run_id]
