"""The lake is kept in shape, and whoever may still read a snapshot can."""

from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from orchestration.resources.lake_upkeep import tidy_lake

NONE = timedelta(0)


def tidy(shop, *, snapshots=NONE, files=NONE, referred_to=()):
    with shop.warehouse.writer() as con:
        now = datetime.now(UTC) + timedelta(seconds=1)
        return tidy_lake(con, now=now, snapshots_for=snapshots, files_for=files, referred_to=referred_to)


def parquet_files(shop) -> int:
    return len(list(shop.settings.lake_dir.rglob("*.parquet")))


def insert(shop, number: int) -> int:
    """Twenty rows, too many to lie in the catalogue; gives the snapshot with them."""
    with shop.warehouse.writer() as con:
        con.execute(f"insert into raw.products (sku, batch_id) select 's', {number} from range(20)")
        return con.execute("select id from lake.current_snapshot()").fetchone()[0]


def build(shop, number: int) -> int:
    with shop.warehouse.writer() as con:
        return shop.warehouse.record_build(
            con, build_id=f"b-{number}", build_no=number, as_of=datetime.now(UTC)
        ).snapshot_id


def rows_at(shop, snapshot: int) -> int:
    with shop.warehouse.reader(at=snapshot) as con:
        return con.execute("select count(*) from raw.products").fetchone()[0]


def test_small_files_become_one_and_every_snapshot_that_is_kept_reads_as_before(shop):
    snapshots = {number: insert(shop, number) for number in range(1, 9)}
    last = build(shop, 1)
    assert parquet_files(shop) == 8
    done = tidy(shop, snapshots=timedelta(days=7))
    assert done["files merged"] == 7 and done["snapshots expired"] == 0
    assert parquet_files(shop) <= 2  # the build's own row was flushed
    assert {number: rows_at(shop, at) for number, at in snapshots.items()} == {n: 20 * n for n in snapshots}
    assert rows_at(shop, last) == 160


def test_a_small_table_that_is_changed_again_and_again_stays_one_file(shop):
    for number in range(1, 6):
        insert(shop, number)
        with shop.warehouse.writer() as con:  # a few of its rows, fewer than make a large file worth writing anew
            con.execute(f"delete from raw.products where batch_id = {number} and rowid % 7 = 0")
        last = build(shop, number)
    before = rows_at(shop, last)
    assert 0 < before < 100
    tidy(shop)
    with shop.warehouse.latest() as con:
        files = "select file_count, delete_file_count from ducklake_table_info('lake') where table_name = 'products'"
        assert con.execute(files).fetchall() == [(1, 0)]
    assert rows_at(shop, last) == before


def test_the_last_build_and_what_a_wave_was_planned_on_are_never_expired_and_the_others_are(shop):
    first, second = insert(shop, 1), insert(shop, 2)
    build(shop, 1)
    insert(shop, 3)
    last = build(shop, 2)
    after = insert(shop, 4)
    done = tidy(shop, referred_to={second})
    assert done["snapshots expired"] > 3
    assert (rows_at(shop, second), rows_at(shop, last), rows_at(shop, after)) == (40, 60, 80)
    with pytest.raises(duckdb.Error):
        rows_at(shop, first)
    assert shop.warehouse.last_build().snapshot_id == last


def test_files_outlive_their_snapshot_so_that_whoever_reads_it_can_end(shop):
    insert(shop, 1)
    with shop.warehouse.writer() as con:
        con.execute("create or replace table marts.shown as select range as n from range(100)")
        con.execute("create or replace table marts.shown as select range as n from range(200)")
    build(shop, 1)
    assert tidy(shop, files=timedelta(days=1))["files deleted"] == 0
    expired = parquet_files(shop)
    assert tidy(shop)["files deleted"] > 0
    assert parquet_files(shop) < expired


def test_what_a_killed_writer_left_behind_goes_and_nothing_else(shop):
    insert(shop, 1)
    build(shop, 1)
    orphan = shop.settings.lake_dir / "raw" / "products" / "ducklake-left-over.parquet"
    orphan.write_bytes(b"half a file")
    tidy(shop)
    assert not orphan.exists()
    assert shop.rows("select count(*) from raw.products") == [(20,)]


def test_before_the_first_build_nothing_is_expired(shop):
    first = insert(shop, 1)
    assert tidy(shop)["snapshots expired"] == 0
    assert rows_at(shop, first) == 20
