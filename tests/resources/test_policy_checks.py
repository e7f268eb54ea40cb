"""Which rows of the catalogue are checked, and when again."""

from datetime import UTC, datetime

import pytest

from orchestration.resources import policy_checks
from orchestration.resources.policy_checks import check_what_is_new
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)


@pytest.fixture
def catalogue(tmp_path):
    """Lands rows, checks, and tells what was found and how many rows were looked at."""
    warehouse = Warehouse(Settings.from_env({"DATA_DIR": str(tmp_path)}))
    batch = 0

    class Catalogue:
        def land(self, *, articles=(), products=()):
            nonlocal batch
            batch += 1
            with warehouse.writer() as con:
                for article_id, title, body in articles:
                    con.execute(
                        "insert into lake.raw.articles by name select ? as article_id, 'https://s.test/a' as url, ? as title, "
                        "'' as summary, ? as body, 'f' as landing_file, 1 as landing_row, ? as batch_id",
                        [article_id, title, body, batch],
                    )
                for sku, name in products:
                    con.execute(
                        "insert into lake.raw.products by name select ? as sku, 'https://s.test/p' as url, ? as name, "
                        "'f' as landing_file, 1 as landing_row, ? as batch_id",
                        [sku, name, batch],
                    )

        def check(self):
            with warehouse.writer() as con:
                return check_what_is_new(con, NOW)

        def found(self):
            with warehouse.latest() as con:
                rows = con.execute(
                    "select item_id, unnest(findings).rule, unnest(findings).place from lake.raw.policy_checks order by all"
                ).fetchall()
                total = con.execute(
                    "select count(*), count(distinct (kind, item_id)) from lake.raw.policy_checks"
                ).fetchone()
            assert total[0] == total[1]
            return rows

    return Catalogue()


@pytest.fixture
def looked_at(monkeypatch):
    """The rows that were really held against the rules."""
    seen = []

    def counted(fields):
        seen.append(fields)
        return real(fields)

    real = policy_checks.check_catalogue
    monkeypatch.setattr(policy_checks, "check_catalogue", counted)
    return seen


def test_only_what_is_new_or_changed_is_looked_at(catalogue, looked_at):
    catalogue.land(articles=[("a", "Lips", "Balm."), ("b", "Hair", "Or finasteride.")], products=[("s", "Soap")])
    assert catalogue.check() is True
    assert catalogue.found() == [("b", "medicine_named", "body")]
    assert len(looked_at) == 3
    assert catalogue.check() is False
    catalogue.land(articles=[("a", "Lips", "Balm."), ("b", "Hair", "Or finasteride.")])  # sent again as it was
    assert catalogue.check() is False
    assert len(looked_at) == 3
    catalogue.land(articles=[("b", "Hair", "Ask your GP.")], products=[("t", "Wegovy pen")])
    assert catalogue.check() is True
    assert catalogue.found() == [("t", "medicine_named", "name")]
    assert len(looked_at) == 5


def test_other_rules_look_at_everything_again(catalogue, looked_at, monkeypatch):
    catalogue.land(articles=[("a", "Lips", "Balm."), ("b", "Hair", "Comb.")])
    catalogue.check()
    monkeypatch.setattr(policy_checks, "rules_hash", lambda: "other rules")
    assert catalogue.check() is False
    assert len(looked_at) == 4
    assert catalogue.check() is False
    assert len(looked_at) == 4


def test_an_empty_catalogue_is_fine(catalogue):
    catalogue.land()
    assert catalogue.check() is False
