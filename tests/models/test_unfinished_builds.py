"""A build that fails leaves nothing behind: not for readers, and not for the build after it."""

from datetime import timedelta

import pytest

from orchestration.core.errors import BuildFailed, PennypostError
from orchestration.resources import models
from orchestration.resources.landing import ingest
from orchestration.resources.models_version import is_made_by, note_version, project_version
from orchestration.resources.unfinished import begin, take_back
from orchestration.settings import Settings


@pytest.fixture(scope="module")
def weeks_after(world, told, people, write, deliver, look):
    """After `second`: a build far ahead of time that fails its tests, then a good one that is earlier than it."""
    failed_as_of, good_as_of = told.LATER + timedelta(days=40), told.LATER + timedelta(hours=2)
    day_after = told.LATER + timedelta(days=1)
    write(
        world.settings.landing_dir,
        "week-three",
        [
            people.signup("only-the-failed-build-saw", day_after),
            people.order("this-instant", day_after, "150.00"),
            people.signup("joins-in-week-three", told.LATER + timedelta(hours=1)),
        ],
    )
    ingest(world.settings, world.warehouse)
    # a delivery that no rule knows: its test fails after the segments were made
    deliver(
        world, {"wave_id": "wave-9", "email": people.address("reader"), "delivery": "lost", "recorded_at": day_after}
    )
    before = world.warehouse.last_build()
    with pytest.raises(BuildFailed) as failure:
        models.build(world.settings, world.warehouse, failed_as_of)
    kept = world.warehouse.last_build()
    with world.warehouse.latest() as con:
        half_done = con.execute(
            "select count(*) from lake.marts.segment_history where entered_at = ?", [failed_as_of]
        ).fetchone()
    with world.warehouse.writer() as con:
        con.execute("delete from lake.raw.deliveries where delivery = 'lost'")
    good = models.build(world.settings, world.warehouse, good_as_of)
    return failure.value, before == kept, half_done[0], look(world, good.build), good_as_of


def test_a_failed_test_is_named_and_the_build_is_not_recorded(weeks_after):
    failure, readers_saw_the_same, _, _, _ = weeks_after
    assert "accepted_values_campaign_deliveries_delivery" in str(failure)
    assert "readers go on seeing the last complete build" in str(failure)
    assert readers_saw_the_same


def test_the_next_build_may_be_earlier_and_knows_nothing_of_the_failed_one(weeks_after, world):
    _, _, half_done, good, good_as_of = weeks_after
    assert half_done > 0
    assert good.contact("only-the-failed-build-saw") is None
    assert good.rows("select * from lake.marts.campaign_deliveries where delivery = 'lost'") == []
    assert good.segments("this-instant") == {"new_subscribers"}
    assert (
        good.rows(
            "select * from lake.marts.segment_history where entered_at > ? or left_at > ?", good_as_of, good_as_of
        )
        == []
    )
    assert good.stays("joins-in-week-three", "new_subscribers") == [(good_as_of, None)]


def test_stays_that_only_the_failed_build_ended_go_on(weeks_after, world):
    _, _, _, good, good_as_of = weeks_after
    left = {
        (row["segment"], row["contact_id"])
        for row in good.rows(
            "select segment, contact_id::varchar as contact_id from lake.marts.segment_history where left_at = ?",
            good_as_of,
        )
    }
    assert left == world.second.members() - good.members()
    assert len(left) < 20
    history = "select * from lake.marts.segment_history where entered_at < ? and left_at is distinct from ?"
    unchanged = good.rows(history + " and left_at is not null", good_as_of, good_as_of)
    assert len(unchanged) == len(
        world.second.rows("select * from lake.marts.segment_history where left_at is not null")
    )


def test_an_as_of_before_the_last_build_is_refused(weeks_after, world, told):
    with pytest.raises(PennypostError, match="earlier than the last build's, 2026-11-23T10:00:00"):
        models.build(world.settings, world.warehouse, told.LATER)


def test_tables_of_an_earlier_version_of_the_models_are_made_anew_and_history_stays(weeks_after, world, look):
    _, _, _, good, good_as_of = weeks_after
    with world.warehouse.writer() as con:  # as it was before emails had codes, and before somebody corrected a rule
        con.execute("alter table lake.marts.campaign_deliveries drop column offer_code")
        con.execute("update lake.marts.orders set total = 0")
        note_version(con, 1)
    rebuilt = look(world, models.build(world.settings, world.warehouse, good_as_of).build)
    for table in ("marts.campaign_deliveries", "marts.orders", "marts.contacts", "marts.segment_history"):
        names = [name for name in good.columns(table) if name != "build_no"]
        rows = f"select {', '.join(names)} from lake.{table} order by all"
        assert rebuilt.rows(rows) == good.rows(rows), table
    with world.warehouse.writer() as con:
        assert is_made_by(con, project_version(models.DBT_DIR))


def test_of_a_first_build_that_did_not_end_nothing_stays(tmp_path, empty_shop):
    warehouse = empty_shop(tmp_path)
    with warehouse.writer() as con:
        begin(con, 1)
        con.execute("create view lake.staging.stg_orders as from lake.raw.orders")
        con.execute("create table lake.marts.segment_history as select 1 as contact_id")
        take_back(con, warehouse, None)
        left = con.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = 'lake' and schema_name <> 'raw' "
            "union all select schema_name, view_name from duckdb_views() where database_name = 'lake'"
        ).fetchall()
        assert left == []
        con.execute("create table lake.marts.segment_history as select 1 as contact_id")


def test_what_a_build_that_did_not_end_had_found_to_be_due_is_due_still(tmp_path, empty_shop, told, monkeypatch):
    warehouse = empty_shop(tmp_path)
    with warehouse.writer() as con:
        warehouse.record_build(con, build_id="first", build_no=1, as_of=told.AS_OF)
        note_version(con, project_version(models.DBT_DIR))
    given = []

    def ends(settings, command, build_vars):
        given.append(build_vars["related_due"])
        raise BuildFailed("no more memory")

    monkeypatch.setattr(models, "_dbt", ends)
    for _ in range(2):
        with pytest.raises(BuildFailed):
            models.build(Settings.from_env({"DATA_DIR": str(tmp_path)}), warehouse, told.AS_OF)
    assert given == [False, True]
