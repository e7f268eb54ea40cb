"""One small shop, told as landing files, built three times for the whole folder: each build of dbt costs seconds.

    first    week one's files, as of AS_OF
    second   week two's files on top of it, as of LATER: late, repeated, corrected and contradicting events among them
    scratch  all files at once in another DATA_DIR, as of LATER: what `second` must equal

Each person is one rule (`people.py` tells them), and a crowd with everything mixed is drawn by a seeded generator.
"""

import importlib.util
import json
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pyarrow as pa
import pytest

from orchestration.core.identity import address_id
from orchestration.resources import models
from orchestration.resources.keys import contact_key
from orchestration.resources.landing import ingest
from orchestration.resources.warehouse import Build, Warehouse, next_batch
from orchestration.settings import Settings


def _beside(name: str):
    spec = importlib.util.spec_from_file_location(f"models_{name}", Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# the public ones; the others are steps on the way
VIEWS = ("marts.segment_members", "marts.related_articles", "marts.recommended_articles")


class Seen:
    """What an analyst sees in one build, person by person. A person goes by the address they were first known by.

    The tables are copied once: attaching the lake for each question would take longer than all the questions.
    """

    def __init__(self, warehouse: Warehouse, build: Build, key: str) -> None:
        self._key = key
        self._con = duckdb.connect()
        self._con.execute("set TimeZone = 'UTC'")
        self._con.execute("attach ':memory:' as lake")
        with warehouse.reader(at=build.snapshot_id) as con:
            named = con.execute(
                "select schema_name || '.' || table_name from duckdb_tables() "
                "where database_name = 'lake' and schema_name in ('intermediate', 'marts')"
            ).fetchall()
            for schema in ("intermediate", "marts"):
                self._con.execute(f"create schema lake.{schema}")
            for name in [*(name for (name,) in named), *VIEWS]:
                rows = con.execute(f"from lake.{name}").to_arrow_table()  # noqa: F841 (DuckDB finds it by its name)
                self._con.execute(f"create table lake.{name} as from rows")

    def rows(self, sql: str, *parameters) -> list[dict]:
        return self._con.execute(sql, list(parameters)).to_arrow_table().to_pylist()

    def columns(self, table: str) -> list[str]:
        return [row["column_name"] for row in self.rows(f"describe lake.{table}")]

    def id(self, name: str) -> str:
        return address_id(name if "@" in name else f"{name}@world.test", self._key)

    def segments(self, name: str) -> set[str]:
        rows = self.rows("select segment from lake.marts.segment_members where contact_id = ?", self.id(name))
        return {row["segment"] for row in rows}

    def contact(self, name: str) -> SimpleNamespace | None:
        rows = self.rows("select * from lake.marts.contacts where contact_id = ?", self.id(name))
        return SimpleNamespace(**rows[0]) if rows else None

    def order(self, order_id: str) -> SimpleNamespace | None:
        rows = self.rows("select * from lake.marts.orders where order_id = ?", order_id)
        return SimpleNamespace(**rows[0]) if rows else None

    def stays(self, name: str, segment: str) -> list[tuple[datetime, datetime | None]]:
        rows = self.rows(
            "select entered_at, left_at from lake.marts.segment_history where contact_id = ? and segment = ? order by 1",
            self.id(name),
            segment,
        )
        return [(row["entered_at"], row["left_at"]) for row in rows]

    def members(self) -> set[tuple[str, str]]:
        return {
            (row["segment"], row["contact_id"])
            for row in self.rows("select segment, contact_id::varchar as contact_id from lake.marts.segment_members")
        }


@dataclass
class World:
    settings: Settings
    warehouse: Warehouse
    first: Seen
    second: Seen
    scratch: Seen
    nodes: list[models.NodeResult]


@pytest.fixture(scope="session")
def people():
    """How events are told: signup, order, view, …"""
    return _beside("people")


@pytest.fixture(scope="session")
def told(people) -> SimpleNamespace:
    """The events of both weeks, and the instants they are looked at."""
    crowd = _beside("crowd")
    one, two = people.week_one(), people.week_two()
    some, others = crowd.two_weeks(people.AS_OF, people.LATER)
    return SimpleNamespace(
        AS_OF=people.AS_OF, LATER=people.LATER, weeks=[one + some, two + others], deliveries=people.DELIVERIES
    )


@pytest.fixture(scope="session")
def world(told, tmp_path_factory) -> World:
    settings, warehouse = shop(tmp_path_factory.mktemp("world"))
    key = contact_key(settings)
    builds = []
    for number, (events, as_of) in enumerate(zip(told.weeks, (told.AS_OF, told.LATER), strict=True)):
        write(settings.landing_dir, f"week-{number}", events)
        ingest(settings, warehouse)
        deliver(warehouse, key, told.deliveries[number])
        builds.append(models.build(settings, warehouse, as_of).build)

    other, other_warehouse = shop(tmp_path_factory.mktemp("scratch"))
    shutil.copytree(settings.keys_dir, other.keys_dir, dirs_exist_ok=True)
    write(other.landing_dir, "all", [event for week in reversed(told.weeks) for event in reversed(week)])
    ingest(other, other_warehouse)
    for deliveries in told.deliveries:
        deliver(other_warehouse, key, deliveries)
    scratch = models.build(other, other_warehouse, told.LATER)
    return World(
        settings,
        warehouse,
        Seen(warehouse, builds[0], key),
        Seen(warehouse, builds[1], key),
        Seen(other_warehouse, scratch.build, key),
        scratch.nodes,
    )


@pytest.fixture(scope="session")
def look():
    """Look at another build of the first DATA_DIR."""
    return lambda world, build: Seen(world.warehouse, build, contact_key(world.settings))


@pytest.fixture(scope="session")
def empty_shop():
    return lambda data_dir: shop(data_dir)[1]


@pytest.fixture(scope="session", name="write")
def write_fixture():
    return write


@pytest.fixture(scope="session", name="deliver")
def deliver_fixture():
    return lambda world, *told: deliver(world.warehouse, contact_key(world.settings), list(told))


@pytest.fixture(scope="session")
def first(world) -> Seen:
    return world.first


@pytest.fixture(scope="session")
def second(world) -> Seen:
    return world.second


def shop(data_dir: Path) -> tuple[Settings, Warehouse]:
    settings = Settings.from_env({"DATA_DIR": str(data_dir)})
    return settings, Warehouse(settings)


def write(landing: Path, name: str, events: list[tuple[str, dict]]) -> None:
    """Land (source, row) pairs, a file a source. Catalogue rows keep their order."""
    for source in {source for source, _ in events}:
        folder = landing / source
        folder.mkdir(parents=True, exist_ok=True)
        rows = [json.dumps(row) for kind, row in events if kind == source]
        (folder / f"{name}.jsonl").write_text("\n".join(rows) + "\n")


def deliver(warehouse: Warehouse, key: str, deliveries: list[dict]) -> None:
    """What the ledger tells of emails, each as a batch of its own."""
    for told in deliveries:
        row = {
            "wave_id": told["wave_id"],
            "campaign": "welcome",
            "contact_id": address_id(told["email"], key),
            "entry": 1,
            "outcome": "recipient",
            "delivery": told["delivery"],
            "codes": [],
            "offer_code": told.get("offer_code"),
            "sent_at": told["recorded_at"],
            "recorded_at": told["recorded_at"],
        }
        with warehouse.writer() as con:
            rows = pa.Table.from_pylist([row | {"batch_id": next_batch(con)}])  # noqa: F841 (DuckDB finds it by its name)
            con.execute("insert into lake.raw.deliveries by name from rows")
