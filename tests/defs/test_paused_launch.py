"""A launch while all sends are paused, as it shows in Dagster."""

import dagster as dg
import pytest

from orchestration.components.services import Services
from orchestration.core.feedback import PAUSED
from orchestration.sandbox.server import running


@pytest.fixture
def launch(tmp_path, monkeypatch):
    """Launch `welcome` to send, with the tags of a run."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("AS_OF", "2026-11-22T08:00:00Z")
    from orchestration.definitions import defs

    job = defs().resolve_job_def("welcome")
    config = {"ops": {"launch_welcome": {"config": {"action": "send"}}}}
    with running(tmp_path / "sandbox.sqlite") as url, dg.DagsterInstance.ephemeral() as instance:
        monkeypatch.setenv("SANDBOX_PORT", url.rpartition(":")[2])
        services = Services.from_env()
        with services.warehouse.writer():
            pass
        services.ledger.stop(PAUSED, who="Mia", what="wrong prices", at=services.settings.now())
        yield lambda **tags: job.execute_in_process(
            instance=instance, run_config=config, tags=tags, raise_on_error=False
        )


def test_a_schedule_waits_and_says_why(launch):
    result = launch(**{"dagster/schedule_name": "hourly"})
    assert result.success
    [audience] = result.asset_materializations_for_node("launch_welcome")
    assert "paused by Mia" in audience.metadata["note"].value


def test_a_person_is_told_that_it_did_not_happen(launch):
    result = launch()
    assert not result.success
    [failed] = [event for event in result.all_events if event.is_step_failure]
    assert "paused by Mia" in failed.step_failure_data.error_display_string
