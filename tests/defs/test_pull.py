"""Pulling as Dagster shows it."""

import dagster as dg
import pytest

from orchestration.defs.ingestion.pull import job, pull
from tests.components.fake_shop import open_shop


@pytest.fixture
def shop(tmp_path, monkeypatch):
    with open_shop() as shop:
        monkeypatch.setenv("DATA_DIR", str(tmp_path))
        monkeypatch.delenv("LANDING", raising=False)
        for name, value in {"URL": shop.url, "KEY": "ck_1", "SECRET": "cs_1"}.items():
            monkeypatch.setenv(f"WOOCOMMERCE_{name}", value)
        yield shop


def pulled():
    """The run's result."""
    with dg.DagsterInstance.ephemeral() as instance:
        definitions = pull()
        return definitions.resolve_job_def(job.name).execute_in_process(instance=instance)


def test_where_there_is_a_shop_it_is_asked_from_the_start(shop):
    [schedule] = pull().schedules
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING


def test_a_pull_shows_what_it_brought_and_a_webhook_that_is_off(shop):
    shop.order(1)
    shop.documents["webhooks"] = {7: {"id": 7, "topic": "order.updated", "status": "disabled"}}
    result = pulled()
    [orders] = [one for one in result.asset_materializations_for_node("shop__orders")]
    assert (orders.metadata["changed"].value, orders.metadata["rows landed"].value) == (1, 1)
    [check] = result.get_asset_check_evaluations()
    assert not check.passed and "order.updated (webhook 7)" in check.description
    [articles] = result.asset_materializations_for_node("shop__articles")
    assert "WORDPRESS_URL is not set" in articles.metadata["note"].value
