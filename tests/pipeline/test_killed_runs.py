"""A run whose process was killed: found out, shown as failed, and in nobody's way."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg

from orchestration.resources.liveness import bury_the_dead
from orchestration.settings import PROJECT_DIR

JOBS = Path(__file__).with_name("held_job.py")


def _run(job: str) -> subprocess.Popen:
    arguments = [sys.executable, "-m", "dagster", "job", "execute", "-f", JOBS, "-a", job]
    env = {**os.environ, "PYTHONPATH": str(PROJECT_DIR)}
    return subprocess.Popen(arguments, env=env, cwd=PROJECT_DIR, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _wait_until(condition, process):
    until = time.monotonic() + 90
    while not condition():
        assert process.poll() is None or condition(), "it ended too early"
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.05)


def test_a_killed_run_is_failed_and_its_place_in_the_pool_goes_to_the_run_that_waits(place):
    settings, instance = place
    holder = _run("held")
    waiting = None
    try:
        _wait_until((settings.data_dir / "held").exists, holder)
        waiting = _run("next_one")
        _wait_until(lambda: len(_waiting(instance)) > 0, waiting)
        assert bury_the_dead(instance, settings) == []  # both are alive, also the one that only waits
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        [dead] = instance.get_runs(dg.RunsFilter(job_name="held"))
        assert dead.status == dg.DagsterRunStatus.STARTED  # it had no time to say anything
        assert bury_the_dead(instance, settings) == [dead.run_id]
        assert instance.get_run_by_id(dead.run_id).status == dg.DagsterRunStatus.FAILURE
        assert waiting.wait(timeout=60) == 0
        assert (settings.data_dir / "taken").exists()
        assert bury_the_dead(instance, settings) == []
    finally:
        for process in (holder, waiting):
            if process is not None:
                process.kill()
                process.wait()


def _waiting(instance):
    return instance.event_log_storage.get_concurrency_info("warehouse").pending_steps


def test_a_run_that_was_being_started_when_everything_was_killed_is_failed_by_the_next_start(place):
    settings, instance = place
    run = instance.create_run_for_job(_nothing, status=dg.DagsterRunStatus.STARTING)
    assert bury_the_dead(instance, settings) == []  # a daemon that is up may be starting it at this moment
    assert bury_the_dead(instance, settings, starting=True) == [run.run_id]
    assert instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.FAILURE


@dg.job
def _nothing():
    pass
