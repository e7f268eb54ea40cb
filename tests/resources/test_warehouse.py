"""The warehouse: one writer, readers that see whole builds, and nothing left open behind it."""

import subprocess
import sys
import textwrap
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from orchestration.core.errors import NoBuildYet, WarehouseBusy, WarehouseError
from orchestration.resources.keys import contact_key
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(settings_of(tmp_path))


def settings_of(folder: Path) -> Settings:
    return Settings.from_env({"DATA_DIR": str(folder / "it's data")})


def products(con: duckdb.DuckDBPyConnection) -> list[str]:
    return [sku for (sku,) in con.execute("select sku from raw.products order by sku").fetchall()]


def test_there_is_no_build_before_the_first_one(warehouse):
    assert warehouse.last_build() is None
    with pytest.raises(NoBuildYet, match="make once"), warehouse.reader():
        pass
    with pytest.raises(NoBuildYet, match="no warehouse"), warehouse.latest():
        pass
    with warehouse.writer():
        pass
    assert warehouse.last_build() is None


def test_a_catalogue_that_is_just_being_made_is_no_build_yet(tmp_path, warehouse):
    settings = settings_of(tmp_path)
    settings.data_dir.mkdir(parents=True)
    settings.catalog_path.touch()
    assert warehouse.last_build() is None


def test_readers_see_the_last_build_and_latest_sees_everything(warehouse):
    with warehouse.writer() as con:
        con.execute("insert into raw.products (sku) values ('a')")
        build = warehouse.record_build(con, build_id="b-1", build_no=1, as_of=NOON)
        con.execute("insert into raw.products (sku) values ('b')")
    assert warehouse.last_build() == build
    assert build.as_of == NOON
    with warehouse.reader() as con:
        assert products(con) == ["a"]
        with pytest.raises(duckdb.Error, match="read-only"):
            con.execute("insert into raw.products (sku) values ('c')")
    with warehouse.latest() as con:
        assert products(con) == ["a", "b"]
    with warehouse.reader(at=build.snapshot_id - 1) as con:
        assert products(con) == []


def test_a_reader_keeps_its_snapshot_while_the_writer_goes_on(warehouse):
    with warehouse.writer() as con:
        con.execute("insert into raw.products (sku) values ('a')")
        warehouse.record_build(con, build_id="b-1", build_no=1, as_of=NOON)
        with warehouse.reader() as reader:
            con.execute("insert into raw.products (sku) values ('b')")
            warehouse.record_build(con, build_id="b-2", build_no=2, as_of=NOON)
            assert products(reader) == ["a"]
        with warehouse.reader() as reader:
            assert products(reader) == ["a", "b"]


def test_the_writer_may_take_the_lock_again_and_times_are_utc(warehouse):
    with warehouse.lock(why="outer"), warehouse.lock(), warehouse.writer() as con:
        assert con.execute("select current_setting('TimeZone')").fetchone() == ("UTC",)
    with warehouse.writer():
        pass


def test_a_second_thread_waits_for_its_turn(warehouse):
    turns = []

    def write() -> None:
        with warehouse.writer(why="second"):
            turns.append("second")

    with warehouse.writer(why="first"):
        other = threading.Thread(target=write)
        other.start()
        time.sleep(0.3)
        turns.append("first")
    other.join()
    assert turns == ["first", "second"]


HOLD = """
    import sys, time
    from orchestration.resources.warehouse import Warehouse
    from orchestration.settings import Settings

    with Warehouse(Settings.from_env({"DATA_DIR": sys.argv[1]})).writer(why="a long import") as con:
        con.execute("begin")
        con.execute("insert into raw.products (sku) values ('never')")
        print("holding", flush=True)
        time.sleep(60)
"""


def test_another_process_is_told_who_writes_and_goes_on_at_once_when_that_is_killed(
    tmp_path, warehouse, caplog, monkeypatch
):
    monkeypatch.setattr("orchestration.resources.lock.PROGRESS_EVERY", 0.2)
    caplog.set_level("INFO")
    holder = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOLD), str(settings_of(tmp_path).data_dir)], stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout.readline() == b"holding\n"
        with pytest.raises(WarehouseBusy, match=rf"process {holder.pid} \(a long import\)"), warehouse.writer(wait=0.5):
            pass
        assert f"process {holder.pid} (a long import) is writing" in caplog.text
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    start = time.monotonic()
    with warehouse.writer(wait=5) as con:
        assert products(con) == []
    assert time.monotonic() - start < 4


def test_an_error_rolls_back_and_leaves_no_file_open(tmp_path, warehouse):
    with pytest.raises(ZeroDivisionError), warehouse.writer() as con:
        con.execute("begin")
        con.execute("insert into raw.products (sku) values ('a')")
        raise ZeroDivisionError
    opened = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    assert not [name for name in opened if name.startswith(str(tmp_path))]
    with warehouse.latest() as con:
        assert products(con) == []


def test_what_one_connection_leaves_behind_the_next_does_not_see(warehouse):
    with warehouse.writer() as con:
        con.execute("create temp table mine as select 1")
    with warehouse.writer() as con, pytest.raises(duckdb.CatalogException):
        con.execute("from mine")


def test_the_statements_of_attach_sql_are_enough_for_a_shell(warehouse):
    with warehouse.writer() as con:
        con.execute("insert into raw.products (sku) values ('a')")
        build = warehouse.record_build(con, build_id="b-1", build_no=1, as_of=NOON)
    with duckdb.connect() as shell:
        for statement in warehouse.attach_sql(read_only=True, at=build.snapshot_id):
            shell.execute(statement)
        assert products(shell) == ["a"]


def test_a_data_dir_that_cannot_be_written_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    settings = Settings.from_env({"DATA_DIR": str(tmp_path / "file" / "data")})
    with pytest.raises(WarehouseError, match="DATA_DIR .* can't be written"), Warehouse(settings).writer():
        pass


def test_the_contact_key_is_made_once_for_its_owner_only(tmp_path):
    settings = settings_of(tmp_path)
    key = contact_key(settings)
    assert contact_key(settings) == key
    (file,) = settings.keys_dir.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text("short")
    with pytest.raises(WarehouseError, match="backup"):
        contact_key(settings)
