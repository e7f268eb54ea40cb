"""A backup taken while others write, what is in it, and what comes back from it."""

import os
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace

import pyarrow as pa
import pytest

from orchestration.commands.main_job import prepare
from orchestration.core.errors import BackupError, LedgerError, WarehouseBusy
from orchestration.core.wave import WaveDraft, new_wave_id
from orchestration.resources import backup, ledger_file, lock
from orchestration.resources.backup import SWITCHES, back_up
from orchestration.resources.backup_manifest import Manifest
from orchestration.resources.deliveries import land_deliveries, taken_upto
from orchestration.resources.keys import contact_key
from orchestration.resources.ledger import Ledger
from orchestration.resources.ledger_planning import COLUMNS
from orchestration.resources.restore import restore
from orchestration.resources.sqlite_copy import copy_sqlite
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import PROJECT_DIR

SIGNUP = {"event_id": "s-1", "occurred_at": "2026-11-01T10:00:00Z", "action": "subscribe", "source": "form"}


@pytest.fixture
def used(shop):
    """A warehouse whose tables lie in files, with a complete build, and a ledger with one wave."""
    shop.drop("signups/a.jsonl", [{**SIGNUP, "email": "ann@mail.test"}])
    shop.ingest()
    with shop.warehouse.writer() as con:
        con.execute("create table lake.marts.numbers as select range as number from range(100000)")
        con.execute("delete from lake.marts.numbers where number % 7 = 0")
        shop.warehouse.record_build(con, build_id="b1", build_no=1, as_of=shop.settings.now())
    shop.ledger = Ledger(shop.settings)
    shop.wave_id = plan(shop)
    return shop


def plan(shop):
    now = shop.settings.now()
    wave = WaveDraft(new_wave_id(now), "welcome", now, "b1", 1, now, "test", "a test")
    row = ("00000000-0000-0000-0000-000000000001", 1, "recipient", None, "e1", "ann@mail.test", "Ann", "{}")
    with shop.ledger.planning("welcome") as planning:
        planning.write(wave, [pa.RecordBatch.from_pylist([dict(zip(COLUMNS, row, strict=True))])])
    return wave.wave_id


def elsewhere(shop, name="again"):
    """The settings of another DATA_DIR."""
    folder = shop.settings.data_dir.parent / name
    return replace(shop.settings, data_dir=folder, landing_dir=folder / "landing")


def counted(settings):
    with Warehouse(settings).reader() as con:
        return con.execute("select count(*) from marts.numbers").fetchone()[0]


def test_what_was_backed_up_comes_back_tables_ledger_and_keys(used, tmp_path):
    made = back_up(used.settings, used.warehouse, tmp_path / "backup")
    told = restore(elsewhere(used), tmp_path / "backup")
    again = elsewhere(used)
    assert told == made == Manifest.read(tmp_path / "backup")
    assert counted(again) == counted(used.settings) == 85714
    assert Warehouse(again).last_build() == used.warehouse.last_build()
    assert [wave.wave_id for wave in Ledger(again).waves()] == [used.wave_id]
    assert contact_key(again) == contact_key(used.settings)
    assert made.waves == {"planned": 1}
    assert made.build["id"] == "b1"
    with Warehouse(again).writer() as con:
        con.execute("delete from lake.marts.numbers where number < 10")
    with used.warehouse.latest() as con:
        assert con.execute("select count(*) from marts.numbers").fetchone() == (85714,)


def test_a_file_that_had_landed_is_known_after_a_restore(used, tmp_path):
    back_up(used.settings, used.warehouse, tmp_path / "backup")
    again = replace(elsewhere(used), landing_dir=used.settings.landing_dir)
    restore(again, tmp_path / "backup")
    used.drop("signups/b.jsonl", [{**SIGNUP, "event_id": "s-2", "email": "bob@mail.test"}])
    used.settings, used.warehouse = again, Warehouse(again)
    assert used.new() == ["signups/b.jsonl"]


def test_only_its_owner_can_read_a_backup_and_only_what_the_catalogue_names_is_in_it(used, tmp_path):
    (used.settings.lake_dir / "marts" / "stray.parquet").write_text("left behind by a kill")
    switches = used.settings.data_dir / SWITCHES
    switches.parent.mkdir(parents=True)
    with sqlite3.connect(switches) as con:
        con.execute("create table jobs as select 'stopped' as status")
    for name in (
        "keys/forgotten.jsonl",
        "erasing/1.json",
        "erasures/1.json",
        "logs/dagster.log",
        "landing/orders/a.csv",
    ):
        (used.settings.data_dir / name).parent.mkdir(parents=True, exist_ok=True)
        (used.settings.data_dir / name).write_text("x")
    before = os.umask(0)
    try:
        made = back_up(used.settings, used.warehouse, tmp_path / "backup")
    finally:
        os.umask(before)
    files = {path.relative_to(tmp_path / "backup").as_posix(): path for path in (tmp_path / "backup").rglob("*")}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files.values() if path.is_file()} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files.values() if path.is_dir()} == {0o700}
    assert stat.S_IMODE((tmp_path / "backup").stat().st_mode) == 0o700
    assert {name for name, path in files.items() if path.is_file()} == {file.path for file in made.files} | {
        "manifest.json"
    }
    assert {name.split("/")[0] for name in files} == {
        "catalog.sqlite",
        "ledger.sqlite",
        "lake",
        "keys",
        "erasing",
        "erasures",
        "dagster",
        "manifest.json",
    }
    assert not any("stray" in name for name in files)
    restore(elsewhere(used), tmp_path / "backup")
    assert (elsewhere(used).keys_dir / "forgotten.jsonl").read_text() == "x"
    key = elsewhere(used).keys_dir / "contact_id.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    with sqlite3.connect(elsewhere(used).data_dir / SWITCHES) as con:
        assert con.execute("select status from jobs").fetchall() == [("stopped",)]


def test_a_backup_waits_for_whoever_writes_and_holds_what_they_wrote(used, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(lock, "PROGRESS_EVERY", 0.1)
    caplog.set_level("INFO")
    with ThreadPoolExecutor(1) as pool:
        with used.warehouse.writer(why="a long build") as con:
            waiting = pool.submit(back_up, used.settings, used.warehouse, tmp_path / "backup")
            while "Waiting for the warehouse" not in caplog.text:
                assert not waiting.done()
            assert "(a long build) is writing" in caplog.text
            assert not (tmp_path / "backup").exists()
            con.execute("insert into lake.marts.numbers select 7 from range(6)")
            used.warehouse.record_build(con, build_id="b2", build_no=2, as_of=used.settings.now())
        waiting.result(timeout=60)
    restore(elsewhere(used), tmp_path / "backup")
    assert counted(elsewhere(used)) == 85720


def test_a_backup_that_waited_too_long_leaves_with_a_message_and_nothing_behind(used, tmp_path, monkeypatch):
    monkeypatch.setattr(ledger_file, "PROGRESS_EVERY", 0.1)
    with ThreadPoolExecutor(1) as pool:
        with used.warehouse.lock(why="a long build"):
            waiting = pool.submit(back_up, used.settings, used.warehouse, tmp_path / "backup", wait=0.2)
            with pytest.raises(WarehouseBusy, match="a long build"):
                waiting.result(timeout=60)
        with used.ledger.planning("welcome"):
            waiting = pool.submit(back_up, used.settings, used.warehouse, tmp_path / "backup", wait=0.2)
            with pytest.raises(LedgerError, match="is being written by another run"):
                waiting.result(timeout=60)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_backup_taken_while_others_write_is_of_one_moment(used, tmp_path, monkeypatch):
    """Somebody writes between its two databases: the tables know nothing of the ledger that the ledger does not."""

    def write():
        now = used.settings.now()
        used.ledger.record_deliveries(used.wave_id, [("00000000-0000-0000-0000-000000000001", "sent", now)])
        land_deliveries(used.warehouse, used.ledger)

    def let_write_and_copy(source, target):
        if source == used.settings.catalog_path:
            writing.append(pool.submit(write))
            wait(writing, timeout=2)
        copy_sqlite(source, target)

    writing = []
    monkeypatch.setattr(backup, "copy_sqlite", let_write_and_copy)
    with ThreadPoolExecutor(1) as pool:
        back_up(used.settings, used.warehouse, tmp_path / "backup")
        writing[0].result(timeout=60)
    restore(elsewhere(used), tmp_path / "backup")
    with used.warehouse.latest() as con:
        assert taken_upto(con, used.ledger) == 2
    with Warehouse(elsewhere(used)).latest() as con:
        assert taken_upto(con, Ledger(elsewhere(used))) == 0
    assert Ledger(elsewhere(used)).deliveries_since(0)[1] == 1


def test_a_backup_is_refused_where_it_would_overwrite_or_be_lost_or_be_worthless(used, tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "photo.jpg").touch()
    with pytest.raises(BackupError, match="is there already"):
        back_up(used.settings, used.warehouse, tmp_path / "there")
    with pytest.raises(BackupError, match="is inside DATA_DIR"):
        back_up(used.settings, used.warehouse, used.settings.data_dir / "backup")
    with pytest.raises(BackupError, match="holds no warehouse"):
        back_up(elsewhere(used), Warehouse(elsewhere(used)), tmp_path / "backup")
    [file] = [path for path in used.settings.lake_dir.rglob("*.parquet") if not path.name.endswith("-delete.parquet")]
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(BackupError, match=f"{file.name}, which is missing or damaged"):
        back_up(used.settings, used.warehouse, tmp_path / "backup")
    file.unlink()
    with pytest.raises(BackupError, match=f"{file.name}, which is missing or damaged"):
        back_up(used.settings, used.warehouse, tmp_path / "backup")
    assert not any("partial" in path.name for path in tmp_path.iterdir())


def test_a_backup_that_was_killed_is_none_and_the_next_goes_through(used, tmp_path):
    code = dying(
        "from orchestration.resources import backup\n"
        "backup.Manifest.write = lambda *_: os._exit(9)\n"
        "backup.back_up(settings, Warehouse(settings), Path(sys.argv[1]))"
    )
    assert run(code, used.settings, tmp_path / "backup") == 9
    assert not (tmp_path / "backup").exists()
    [left] = [path for path in tmp_path.iterdir() if "partial" in path.name]
    with pytest.raises(BackupError, match="is no complete backup: it has no manifest.json"):
        restore(elsewhere(used), left)
    back_up(used.settings, used.warehouse, tmp_path / "backup")
    assert not left.exists()


def test_each_damaged_or_missing_file_is_refused_by_name_before_anything_is_written(used, tmp_path):
    made = back_up(used.settings, used.warehouse, tmp_path / "backup")
    for name in [file.path for file in made.files] + ["manifest.json"]:
        path = tmp_path / "backup" / name
        whole = path.read_bytes()
        middle = len(whole) // 2
        path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
        with pytest.raises(BackupError, match=f"{name} is damaged"):
            restore(elsewhere(used), tmp_path / "backup")
        path.unlink()
        with pytest.raises(BackupError, match=name):
            restore(elsewhere(used), tmp_path / "backup")
        path.write_bytes(whole)
    assert not elsewhere(used).data_dir.exists()
    restore(elsewhere(used), tmp_path / "backup")


def test_nothing_is_restored_over_something(used, tmp_path):
    back_up(used.settings, used.warehouse, tmp_path / "backup")
    with pytest.raises(BackupError, match="is not empty: it holds catalog.sqlite"):
        restore(used.settings, tmp_path / "backup")
    again = elsewhere(used)
    again.data_dir.write_text("")
    with pytest.raises(BackupError, match="is no folder"):
        restore(again, tmp_path / "backup")
    again.data_dir.unlink()
    with ThreadPoolExecutor(1) as pool, Warehouse(again).lock(why="the first run"):
        again.lake_dir.rmdir()
        with pytest.raises(WarehouseBusy, match="the first run"):
            pool.submit(restore, again, tmp_path / "backup").result(timeout=60)
    restore(again, tmp_path / "backup")
    assert counted(again) == 85714


def test_a_restore_killed_anywhere_is_seen_to_be_incomplete_and_a_second_one_goes_through(used, tmp_path):
    back_up(used.settings, used.warehouse, tmp_path / "backup")
    code = dying(
        "from orchestration.resources import restore\n"
        "restore.copy_file, restore.sync_folders = dies(restore.copy_file), dies(restore.sync_folders)\n"
        "Path.rename, Path.rmdir = dies(Path.rename), dies(Path.rmdir)\n"
        "restore.restore(settings, Path(sys.argv[1]))"
    )
    for number in range(1, 40, 2):
        settings = elsewhere(used, f"again-{number}")
        code_of = run(code, settings, tmp_path / "backup", number)
        if code_of == 0:
            break
        assert code_of == 9
        if (settings.data_dir / ".restoring").exists():
            with pytest.raises(BackupError, match="Run `make restore` again"):
                prepare(settings)
            restore(settings, tmp_path / "backup")
        assert counted(settings) == 85714, f"killed at point {number}"
        assert len(Ledger(settings).waves()) == 1, f"killed at point {number}"
        assert not (settings.data_dir / ".restoring").exists()
    assert number > 10


def dying(code):
    return f"""
import os, sys
from pathlib import Path
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings

def dies(function):
    def call(*args, **kwargs):
        global left
        left -= 1
        if left == 0:
            os._exit(9)  # as sudden as SIGKILL: nothing is tidied up
        return function(*args, **kwargs)
    return call

left = int(sys.argv[2])
settings = Settings.from_env()
{code}
"""


def run(code, settings, backup, number=0):
    """The exit code of a process of its own."""
    env = {**os.environ, "DATA_DIR": str(settings.data_dir), "PYTHONPATH": str(PROJECT_DIR)}
    return subprocess.run([sys.executable, "-c", code, str(backup), str(number)], env=env).returncode
