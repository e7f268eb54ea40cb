"""The housekeeping job, on a real instance of Dagster with runs to forget."""

import json
from pathlib import Path

import dagster as dg
import pytest

from orchestration.components.services import Services
from orchestration.core.wave import WaveDraft, new_wave_id
from orchestration.defs.housekeeping.housekeeping import housekeeping_job
from orchestration.defs.ingestion.assets import ingest_landing
from orchestration.resources.dagster_home import make_dagster_home
from orchestration.settings import Settings

PRODUCT = {"sku": "S1", "name": "Serum", "url": "https://x.test/s1", "price": 9.5, "currency": "GBP", "in_stock": True}
AT_ONCE = {"landing_hours": 0, "snapshot_days": 0, "file_days": 0, "run_days": 0}


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A DATA_DIR with one ingested file, and the instance that ran it twice."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.delenv("LANDING", raising=False)
    services = Services(Settings.from_env())
    folder = services.settings.landing_dir / "products"
    folder.mkdir(parents=True)
    (folder / "a.jsonl").write_text(json.dumps(PRODUCT) + "\n")
    home = services.settings.dagster_home
    make_dagster_home(services.settings)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        for _ in range(3):
            assert dg.materialize([ingest_landing], instance=instance).success
        yield services, instance


def keep(instance, **terms):
    config = {"ops": {"keep_house_now": {"config": terms}}}
    assert housekeeping_job.execute_in_process(instance=instance, run_config=config).success


def runs(instance):
    return instance.get_run_ids(dg.RunsFilter(job_name="__ephemeral_asset_job__"))


def events(home: Path) -> set[str]:
    return {path.stem for path in (home / "history" / "runs").glob("*.db")} - {"index"}


def checks(instance) -> int:
    with instance.event_log_storage.index_connection() as con:
        return con.exec_driver_sql("select count(*) from asset_check_executions").scalar_one()


def test_on_its_usual_terms_nothing_young_goes(house):
    services, instance = house
    before = checks(instance)
    keep(instance)
    assert len(runs(instance)) == 3 and checks(instance) == before
    assert (services.settings.landing_dir / "products/a.jsonl").exists()


def test_old_runs_go_with_all_they_left_but_not_the_one_an_asset_was_last_made_by(house):
    services, instance = house
    newest, *older = runs(instance)
    before = checks(instance)
    keep(instance, **AT_ONCE)
    assert runs(instance) == [newest]
    assert not events(services.settings.dagster_home) & {*older}
    assert checks(instance) == before / 3
    made = instance.get_latest_materialization_event(dg.AssetKey(["raw", "products"]))
    assert made.run_id == newest
    assert not (services.settings.landing_dir / "products/a.jsonl").exists()


def test_a_snapshot_that_a_wave_was_planned_on_stays_readable_until_the_wave_is_over(house):
    services, instance = house
    with services.warehouse.writer() as con:
        build = services.warehouse.record_build(con, build_id="b-1", build_no=1, as_of=services.settings.now())
    now = services.settings.now()
    parts = {"as_of": now, "created_at": now, "who": "test", "why": "a test"}
    wave = WaveDraft(new_wave_id(now), "welcome", build_id="b-1", snapshot_id=build.snapshot_id, **parts)
    with services.ledger.planning("welcome") as planning:
        planning.write(wave, [])
    with services.warehouse.writer() as con:
        con.execute("delete from raw.products")
        services.warehouse.record_build(con, build_id="b-2", build_no=2, as_of=now)
    keep(instance, **AT_ONCE)
    with services.warehouse.reader(at=build.snapshot_id) as con:
        assert con.execute("select sku from raw.products").fetchall() == [("S1",)]
    with services.warehouse.latest() as con:
        assert build.snapshot_id in {n for (n,) in con.execute("select snapshot_id from lake.snapshots()").fetchall()}
    services.ledger.move(wave.wave_id, "cancelled", who="test", why="over", at=now)
    keep(instance, **AT_ONCE)
    with services.warehouse.latest() as con:
        assert build.snapshot_id not in {
            n for (n,) in con.execute("select snapshot_id from lake.snapshots()").fetchall()
        }


def test_a_large_log_is_begun_anew_while_its_process_goes_on_writing(house):
    services, instance = house
    log = services.settings.data_dir / "logs" / "dagster.log"
    log.parent.mkdir()
    with log.open("ab", buffering=0) as writer:
        writer.write(b"x" * (11 << 20))
        keep(instance)
        writer.write(b"and on\n")
    assert log.read_bytes() == b"and on\n"
    assert Path(f"{log}.1").stat().st_size == 11 << 20
