"""What Dagster shows of an ingest beyond the rows: files that nobody takes."""

import json
import threading
from pathlib import Path

import dagster as dg
import pytest

from orchestration.defs.ingestion.assets import ingest_landing
from orchestration.defs.ingestion.rejects import rejects_job
from orchestration.resources.landing_disk import passed_over
from orchestration.settings import Settings

PRODUCT = {"sku": "S1", "name": "Serum", "url": "https://x.test/s1", "price": 9.5, "currency": "GBP", "in_stock": True}


@pytest.fixture
def landing(tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.delenv("LANDING", raising=False)
    folder = tmp_path / "landing"
    (folder / "products" / "2026").mkdir(parents=True)
    (folder / "products" / "a.jsonl").write_text(json.dumps(PRODUCT) + "\n")
    return folder


def ingested():
    """source → metadata of its asset."""
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([ingest_landing], instance=instance)
    return {one.asset_key.path[-1]: one.metadata for one in result.asset_materializations_for_node("ingest")}


def test_files_of_an_unknown_ending_and_folders_that_are_no_source_are_shown(landing):
    for name in ("products/b.xlsx", "products/2026/c.json", "orders.csv", "oders/d.jsonl", "orders/e.jsonl.bz2"):
        (landing / name).parent.mkdir(exist_ok=True)
        (landing / name).write_text("x")
    shown = ingested()
    assert shown["products"]["new rows"].value == 1
    assert shown["products"]["passed over"].value == 4
    assert shown["products"]["passed over, such as"].value.splitlines() == [
        "- `oders/`",
        "- `orders.csv`",
        "- `products/2026/c.json`",
        "- `products/b.xlsx`",
    ]
    assert "orders/e.jsonl.bz2" in shown["orders"]["passed over, such as"].value
    assert shown["signups"]["passed over"].value == 2  # what is in no source's folder may have been meant for any


def test_at_most_twenty_are_named(landing):
    for number in range(30):
        (landing / "products" / f"{number}.txt").write_text("x")
    shown = ingested()["products"]
    assert shown["passed over"].value == 30
    assert len(shown["passed over, such as"].value.splitlines()) == 20


def test_unfinished_and_hidden_names_are_no_strays(landing):
    for name in ("products/b.jsonl.tmp", "products/.c.swp", "products/_notes.txt", ".stfolder", "upload.part"):
        (landing / name).write_text("x")
    assert passed_over(Settings.from_env()) == []
    assert "passed over" not in ingested()["products"]


def test_a_file_that_is_still_being_written_is_shown_as_left_for_the_next_run(landing):
    growing, done = landing / "products" / "b.jsonl", threading.Event()

    def write():
        with growing.open("a") as file:
            while not done.is_set():
                file.write(json.dumps(PRODUCT) + "\n")
                file.flush()
                done.wait(0.001)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while not growing.exists():
            done.wait(0.001)
        shown = ingested()["products"]
    finally:
        done.set()
        writer.join()
    assert shown["new rows"].value == 1
    assert shown["left for the next run"].value == 1
    assert "products/b.jsonl: changed while it was read" in shown["left for the next run, such as"].value


def test_rejects_are_listed_handed_out_and_put_back_by_the_job(landing):
    (landing / "products" / "bad.jsonl").write_text(json.dumps(PRODUCT | {"sku": "S2", "price": "cheap"}) + "\n")
    ingested()
    listed = handled(action="list")["rejects"].value.records
    assert [(one.data["source"], one.data["open"], one.data["replayed"]) for one in listed] == [("products", 1, 0)]
    file = Path(handled(action="mend", source="products")["file"].value)
    file.write_text(file.read_text().replace('"price": "cheap"', '"price": "9.50"'))
    assert handled(action="replay", file=str(file))["put back"].value == 1
    assert ingested()["products"]["new rows"].value == 1
    assert [one.data["replayed"] for one in handled(action="list")["rejects"].value.records] == [1]


def handled(**config):
    """The metadata of a run of the job `rejects`."""
    result = rejects_job.execute_in_process(run_config={"ops": {"handle_rejects": {"config": config}}})
    return next(event.event_specific_data.metadata for event in result.all_events if event.is_successful_output)
