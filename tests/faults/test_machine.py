"""The machine fails: full disk, locked catalogue, read-only ledger, read-only DATA_DIR, a clock set back. Nothing is lost."""

import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from orchestration.demo.events import view_row
from orchestration.demo.files import json_lines, put
from orchestration.resources.ledger import Ledger
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import PROJECT_DIR

INGEST = Path(__file__).with_name("ingest_here.py")
ROWS = 20_000


@contextmanager
def read_only(path: Path):
    """Commands that are run through what is given can't write to `path`."""
    if os.geteuid() == 0:  # no permission keeps root from writing, a mount does
        yield [
            "unshare",
            "--mount",
            "sh",
            "-c",
            f"mount --bind '{path}' '{path}' && mount -o remount,bind,ro '{path}' && exec \"$@\"",
            "-",
        ]
        return
    every = [path, *path.rglob("*")]
    for one in every:
        one.chmod(one.stat().st_mode & ~0o222)
    try:
        yield []
    finally:
        for one in every:
            one.chmod(one.stat().st_mode | 0o200)


@pytest.fixture
def landing(trial, as_of):
    """A shop in which a file of 20,000 views has landed."""
    with trial() as one:
        rows = [
            view_row(f"late-{n}", as_of - timedelta(hours=1, milliseconds=n), f"art-{3 + n % 30:04}", f"v-{n * 7919}")
            for n in range(ROWS)
        ]
        put(one.settings.landing_dir / "article_views" / "late.jsonl", json_lines(rows))
        yield one


def ingest(one, *through, **env):
    env = {**os.environ, "PYTHONPATH": str(PROJECT_DIR), "DATA_DIR": str(one.settings.data_dir), **env}
    return subprocess.run([*through, sys.executable, INGEST], env=env, capture_output=True, text=True, check=False)


def landed(one) -> tuple[int, int]:
    """Rows and different events of the file that are in the warehouse."""
    with Warehouse(one.settings).latest() as con:
        return con.execute(
            "select count(*), count(distinct event_id) from raw.article_views where landing_file = 'article_views/late.jsonl'"
        ).fetchone()


def goes_on(one):
    """Once the machine is well again, all of it lands, once."""
    assert ingest(one).stdout == f"{ROWS}\n"
    assert ingest(one).stdout == "0\n"
    assert landed(one) == (ROWS, ROWS)


@pytest.mark.parametrize("most", [100_000, 200_000])
def test_a_full_disk_ends_the_ingest_with_a_clear_error_and_nothing_half_done(landing, most, count):
    failed = ingest(landing, MOST_BYTES=str(most))
    assert failed.returncode == 1
    assert "Nothing of this step was kept" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert landed(landing) == (0, 0)
    goes_on(landing)
    count("a full disk")


def test_a_catalogue_that_another_process_holds_for_half_a_minute_is_told_until_it_is_free(landing, share, count):
    holder = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('begin exclusive'); print(); input(); c.rollback()"
    with subprocess.Popen(
        [sys.executable, "-c", holder, landing.settings.catalog_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        process.stdout.readline()
        threading.Timer(30 if share == 1 else 4, lambda: (process.stdin.write("\n"), process.stdin.close())).start()
        until = time.monotonic() + 60
        while (ran := ingest(landing)).returncode and time.monotonic() < until:
            assert "another program holds its catalogue" in ran.stderr
            assert "Traceback" not in ran.stderr
            time.sleep(2)
    assert ran.stdout == f"{ROWS}\n"
    assert landed(landing) == (ROWS, ROWS)
    count("a locked catalogue")


def test_a_data_dir_that_may_not_be_written_is_told(landing, count):
    with read_only(landing.settings.data_dir) as through:
        failed = ingest(landing, *through)
    assert failed.returncode == 1
    assert str(landing.settings.data_dir) in failed.stderr
    assert "Traceback" not in failed.stderr
    goes_on(landing)
    count("a read-only DATA_DIR")


def test_a_ledger_that_may_not_be_written_stops_the_launch_before_anybody_is_written_to(
    trial, undisturbed, start_launcher, count
):
    with trial() as one:
        assert Ledger(one.settings).waves() == []  # makes the file
        with read_only(one.settings.ledger_path) as through, start_launcher(through) as launcher:
            failed = one.launch_with(launcher)
        assert "LedgerError" in failed.error
        assert one.mailbox() == {}
        one.launch_until_through()
        one.check(undisturbed.expected)
    count("a read-only ledger")


def test_a_clock_set_back_an_hour_sends_nothing_twice_and_loses_nobody(trial, undisturbed, as_of, count):
    with trial() as one:
        earlier = (as_of - timedelta(hours=1)).isoformat()
        point = undisturbed.points.index("after POST /campaigns")
        one.launch(kill_at=point)
        assert not one.launch(AS_OF=earlier).error
        one.launch(AS_OF=earlier)
        one.launch_until_through()
        one.check(undisturbed.expected)
    count("a clock set back")
