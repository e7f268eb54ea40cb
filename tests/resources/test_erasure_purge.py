"""The process that frees the lake of what was deleted, and what happens when it dies."""

import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from orchestration.core.errors import WarehouseBusy, WarehouseError
from orchestration.resources import erasure_purge
from orchestration.resources.erasure_purge import purge_in_a_process
from orchestration.resources.lock import descriptor_of, exclusive

ANN = "ann@mail.test"
TAKES_PART = """
import sys
from pathlib import Path
from orchestration.resources.lock import take_part
take_part(Path(sys.argv[1]), int(sys.argv[2]), why="rewriting files")
print("takes part", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def dies(monkeypatch, tmp_path):
    """`dies(2)`: the process aborts in the middle of its work, twice; gives the file that has a line for each time."""

    def told(times: int) -> Path:
        died = tmp_path / "died"
        monkeypatch.setattr(erasure_purge, "PROGRAM", (str(Path(__file__).with_name("purge_and_die.py")),))
        monkeypatch.setenv("DEATHS", str(times))
        monkeypatch.setenv("DIED", str(died))
        return died

    return told


@pytest.fixture
def deleted(shop, rows):
    """A shop from whose tables Ann was deleted, and whose files still have her."""
    people = [ANN, *(f"p{number}@mail.test" for number in range(30))]
    shop.drop("signups/a.jsonl", [rows.signup(event_id=email, email=email) for email in people])
    shop.drop("signups/b.jsonl", [rows.signup(event_id="bob", email="bob@mail.test")])
    shop.ingest()
    with shop.warehouse.writer() as con:
        con.execute("delete from lake.raw.signups where email = ?", [ANN])
    assert in_files(shop)
    return shop


def in_files(shop) -> bool:
    return any(ANN in str(pq.read_table(path).to_pylist()) for path in shop.settings.lake_dir.rglob("*.parquet"))


def purged(shop):
    with shop.warehouse.lock():
        return purge_in_a_process(shop.settings)


def check_only_ann_is_gone(shop):
    assert not in_files(shop)
    assert shop.rows("select count(*), count(distinct email) from raw.signups") == [(31, 31)]


def test_a_process_that_dies_once_is_started_again(deleted, dies):
    died = dies(1)
    assert purged(deleted)["snapshots"] > 0
    assert died.read_text() == "died\n"
    check_only_ann_is_gone(deleted)


def test_of_one_that_dies_each_time_it_is_said_what_to_do_and_the_next_start_finishes(deleted, dies):
    died = dies(2)
    with pytest.raises(WarehouseError, match="ended by SIGABRT, 2 times.*Nothing is lost.*Start it again"):
        purged(deleted)
    assert died.read_text() == "died\ndied\n"
    purged(deleted)
    check_only_ann_is_gone(deleted)


def test_what_would_be_the_same_again_is_told_and_not_tried_again(deleted):
    deleted.settings.catalog_path.write_bytes(b"no catalogue" * 100)
    with pytest.raises(WarehouseError, match="could not be freed of a person"):
        purged(deleted)


def test_a_process_that_takes_part_keeps_the_lock_when_the_one_that_started_it_is_gone(tmp_path):
    path = tmp_path / "warehouse.lock"
    with exclusive(path, wait=0, why="erasing a contact"):
        descriptor = descriptor_of(path)
        command = [sys.executable, "-c", TAKES_PART, str(path), str(descriptor)]
        process = subprocess.Popen(
            command, pass_fds=[descriptor], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout.readline() == "takes part\n"
    with pytest.raises(WarehouseBusy, match="written by"), exclusive(path, wait=0, why="another"):
        pass
    process.communicate()
    with exclusive(path, wait=0, why="another"):
        pass
