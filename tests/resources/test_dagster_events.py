"""Dagster's event log as we keep it: Dagster's own files, of which few are open."""

import os
import time

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage

from orchestration.resources.dagster_events import KEPT
from orchestration.resources.dagster_home import make_dagster_home
from orchestration.settings import Settings

RUNS = [f"run-{number}" for number in range(KEPT + 3)]


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    settings = Settings.from_env()
    make_dagster_home(settings)
    return settings.dagster_home


def event(run_id):
    return dg.EventLogEntry(
        error_info=None,
        level="info",
        user_message=f"said by {run_id}",
        run_id=run_id,
        timestamp=time.time(),
    )


def open_files(folder):
    found = (os.path.realpath(f"/proc/self/fd/{one}") for one in os.listdir("/proc/self/fd"))  # noqa: PTH208
    return {path for path in found if path.startswith(str(folder)) and path.endswith(".db")}


def test_what_one_process_writes_is_read_by_dagsters_own_storage_while_it_goes_on(home):
    with dg.DagsterInstance.from_config(str(home)) as instance:
        for run_id in RUNS:
            instance.event_log_storage.store_event(event(run_id))
        others = SqliteEventLogStorage(str(home / "history" / "runs"))
        said = [others.get_logs_for_run(run_id)[0].user_message for run_id in RUNS]
        assert said == [f"said by {run_id}" for run_id in RUNS]
        others.store_event(event(RUNS[0]))
        assert len(instance.event_log_storage.get_logs_for_run(RUNS[0])) == 2
        assert 0 < len(open_files(home / "history" / "runs")) <= KEPT
    assert open_files(home / "history" / "runs") == set()
