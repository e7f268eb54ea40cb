"""Runs that the resident worker executes: each in a process of its own, which can be cancelled and killed."""

import os
import re
import runpy
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.reconstruct import ReconstructableJob
from dagster._core.launcher import LaunchRunContext

from orchestration.resources import liveness
from orchestration.resources.launcher import ask, worker_link
from orchestration.resources.liveness import bury_the_dead
from orchestration.settings import PROJECT_DIR

JOBS = Path(__file__).with_name("held_job.py")


@pytest.fixture
def worker(place):
    settings, _ = place
    arguments = [sys.executable, Path(__file__).with_name("held_worker.py")]
    env = {**os.environ, "PYTHONPATH": str(PROJECT_DIR)}
    process = subprocess.Popen(arguments, env=env, cwd=PROJECT_DIR, start_new_session=True)
    try:
        wait_until(worker_link(settings).exists)
        yield process
    finally:
        process.send_signal(signal.SIGINT)  # it takes its socket with it
        process.wait(timeout=60)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def wait_until(condition):
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.05)


def launch(instance, job):
    """Hand a run over as Dagster's daemon does, but without a code server that could start it in the worker's place."""
    run = instance.create_run_for_job(
        runpy.run_path(str(JOBS))[job],
        status=dg.DagsterRunStatus.STARTING,
        job_code_origin=ReconstructableJob.for_file(str(JOBS), job).get_python_origin(),
    )
    instance.run_launcher.launch_run(LaunchRunContext(run, workspace=None))
    return run.run_id


def process_of(instance, run_id):
    told = [entry.message for entry in instance.all_logs(run_id)]
    return int(re.search(r"Started process for run \(pid: (\d+)\)", "\n".join(told))[1])


def ends_as(instance, run_id, status):
    wait_until(lambda: instance.get_run_by_id(run_id).is_finished)
    return instance.get_run_by_id(run_id).status == status


def test_a_killed_run_is_known_at_once_and_the_next_one_is_executed(place, worker, monkeypatch):
    settings, instance = place
    held = launch(instance, "held")
    # nobody vouches for a run that is starting for longer than this, but its lock does
    monkeypatch.setattr(liveness, "STARTING_SECONDS", 0)
    assert bury_the_dead(instance, settings) == []
    wait_until((settings.data_dir / "held").exists)
    process = process_of(instance, held)
    assert process != worker.pid
    assert bury_the_dead(instance, settings) == []
    os.kill(process, signal.SIGKILL)
    wait_until(lambda: bury_the_dead(instance, settings) == [held])
    assert ends_as(instance, held, dg.DagsterRunStatus.FAILURE)
    assert ends_as(instance, launch(instance, "next_one"), dg.DagsterRunStatus.SUCCESS)
    assert (settings.data_dir / "taken").exists()


def test_a_run_killed_before_it_began_is_failed_although_it_was_only_starting(place, worker):
    settings, instance = place
    held = launch(instance, "held")
    wait_until((settings.data_dir / "held").exists)
    starting = dg.DagsterEvent(dg.DagsterEventType.RUN_STARTING.value, job_name="held")
    instance.report_dagster_event(starting, held)  # as if it were not so far yet
    os.kill(process_of(instance, held), signal.SIGKILL)
    wait_until(lambda: bury_the_dead(instance, settings, starting=True) == [held])


def test_a_run_of_the_worker_can_be_cancelled(place, worker):
    settings, instance = place
    held = launch(instance, "held")
    wait_until((settings.data_dir / "held").exists)
    assert instance.run_launcher.terminate(held)
    assert ends_as(instance, held, dg.DagsterRunStatus.CANCELED)
    assert instance.run_launcher.terminate(held) is False  # there is nothing left to cancel
    assert worker.poll() is None


def test_a_worker_whose_code_is_out_of_date_takes_no_run_and_ends_when_its_last_has_ended(place, worker):
    settings, instance = place
    held = launch(instance, "held")
    wait_until((settings.data_dir / "held").exists)
    (settings.data_dir / "changed").touch()
    assert ask(settings, "run", "another") is False
    assert worker.poll() is None
    assert instance.run_launcher.terminate(held)
    assert worker.wait(timeout=60) == 0


def test_without_a_worker_nobody_takes_the_run(place):
    settings, _ = place
    assert ask(settings, "run", "one") is False
    worker_link(settings).symlink_to(settings.data_dir / "a-worker-that-was-killed")
    assert ask(settings, "run", "one") is False
