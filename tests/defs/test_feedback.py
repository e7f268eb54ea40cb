"""Feedback, the switch and its check, as they show in Dagster."""

import dagster as dg
import pytest

from orchestration.components.services import Services
from orchestration.defs.feedback.assets import deliveries, feedback
from orchestration.defs.feedback.sending import sending_job
from orchestration.sandbox.server import running


@pytest.fixture
def mailchimp(tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("AS_OF", "2026-11-22T08:00:00Z")
    with running(tmp_path / "sandbox.sqlite") as url:
        monkeypatch.setenv("SANDBOX_PORT", url.rpartition(":")[2])
        yield


def switch(action, why="wrong prices"):
    config = {"ops": {"switch_sending": {"config": {"action": action, "why": why}}}}
    with dg.DagsterInstance.ephemeral() as instance:
        return sending_job.execute_in_process(run_config=config, instance=instance, raise_on_error=False)


def checks():
    """check → (passed, what it says) of a poll."""
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([feedback, deliveries], instance=instance)
    assert result.success
    return {one.check_name: (one.passed, one.description) for one in result.get_asset_check_evaluations()}


def test_pausing_shows_on_the_feedback_asset_until_resumed(mailchimp):
    assert checks() == {"mailchimp_answered": (True, "it answered"), "sending_is_on": (True, "nothing stops it")}
    assert switch("pause").success
    passed, said = checks()["sending_is_on"]
    assert not passed
    assert "paused by run" in said
    assert "(wrong prices)" in said
    assert switch("resume", "prices are right").success
    assert checks()["sending_is_on"][0]
    [stop] = Services.from_env().ledger.stops(open_only=False)
    assert (stop.what, stop.released_why) == ("wrong prices", "prices are right")


def test_a_switch_without_a_reason_or_with_another_word_is_refused(mailchimp):
    assert not switch("pause", "").success
    with pytest.raises(dg.DagsterInvalidConfigError):
        switch("stop")


def test_when_mailchimp_refuses_the_models_are_built_all_the_same(mailchimp, monkeypatch):
    monkeypatch.setenv("MAILCHIMP_LIST_ID", "nolist")
    passed, said = checks()["mailchimp_answered"]
    assert not passed
    assert "404" in said
