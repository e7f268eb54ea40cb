"""What stays of a person in the lake's own bookkeeping."""

from datetime import UTC, datetime

import pytest

from orchestration.resources.erasure_purge import purge
from orchestration.resources.erasure_sqlite import scrub_in_a_process

ANN = "ann@mail.test"


@pytest.mark.parametrize("rows", [1, 30])
def test_a_table_that_is_empty_now_keeps_no_least_or_greatest_value_and_can_be_filled_again(shop, rows):
    """A row or two lie in the catalogue itself, more in a Parquet file."""
    with shop.warehouse.writer() as con:
        con.execute("create table lake.marts.people (email varchar)")
        con.execute("insert into lake.marts.people select ? from range(?)", [ANN, rows])
        con.execute("delete from lake.marts.people")
        purge(con)
    settings = shop.settings
    assert ANN.encode() in settings.catalog_path.read_bytes() + _log(settings)
    scrub_in_a_process([], [ANN], catalogue=settings.catalog_path)
    assert ANN.encode() not in settings.catalog_path.read_bytes() + _log(settings)
    with shop.warehouse.writer() as con:
        con.execute("insert into lake.marts.people values ('bob@mail.test'), ('aaron@mail.test')")
    assert shop.rows("select count(*), min(email), max(email) from marts.people where email > 'a'") == [
        (2, "aaron@mail.test", "bob@mail.test")
    ]


def test_readers_of_the_last_build_see_the_state_without_them_and_the_older_snapshots_are_gone(shop, rows):
    shop.drop("signups/a.jsonl", [rows.signup(event_id=f"s-{n}", email=f"p{n}@mail.test") for n in range(20)])
    shop.ingest()
    with shop.warehouse.writer() as con:
        shop.warehouse.record_build(con, build_id="one", build_no=1, as_of=datetime(2026, 11, 2, tzinfo=UTC))
    before = shop.warehouse.last_build()
    with shop.warehouse.writer() as con:
        con.execute("delete from lake.raw.signups where email = 'p7@mail.test'")
        purge(con)
    with shop.warehouse.reader() as con:
        assert con.execute("select count(*) from raw.signups").fetchall() == [(19,)]
        (oldest,) = con.execute("select min(snapshot_id) from lake.snapshots()").fetchone()
    after = shop.warehouse.last_build()
    assert oldest == after.snapshot_id > before.snapshot_id
    assert (after.build_no, after.batch_id, after.as_of) == (before.build_no, before.batch_id, before.as_of)


def _log(settings) -> bytes:
    path = settings.catalog_path.with_name(settings.catalog_path.name + "-wal")
    return path.read_bytes() if path.exists() else b""
