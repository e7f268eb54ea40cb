"""One side of a benchmark in a process of its own, so that its time and its memory are its own; its figures are JSON on stdout.

one_side.py fill DATA_DIR SCALE VIEWS            write the made-up year
one_side.py build DATA_DIR MINUTES               build the dbt models as of MINUTES after the year's end
one_side.py floor DATA_DIR                       run floor_models.sql
one_side.py add DATA_DIR SCALE VIEWS EVENTS      land EVENTS more events
"""

import json
import resource
import sys
import time
from datetime import timedelta
from pathlib import Path

import duckdb
import made_up_year
from made_up_year import AS_OF, Size

from orchestration.resources import models, related_reading
from orchestration.resources.keys import contact_key
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings

FLOOR = Path(__file__).with_name("floor_models.sql")
THREADS = 2


def main(side: str, data_dir: str, *arguments: str) -> None:
    settings = Settings.from_env({"DATA_DIR": data_dir})
    began, worked = time.perf_counter(), time.process_time()
    figures = SIDES[side](settings, Warehouse(settings), *arguments)
    figures["wall"] = time.perf_counter() - began
    figures["cpu"] = time.process_time() - worked
    figures["peak_bytes"] = _peak_bytes()
    print(json.dumps(figures))


def fill(settings: Settings, warehouse: Warehouse, scale: str, views: str) -> dict:
    with warehouse.writer(why="filling a benchmark") as con:
        made_up_year.write_year(con, Size(float(scale), int(views)), contact_key(settings))
        rows = {
            source: con.execute(f"select count(*) from lake.raw.{source}").fetchone()[0]
            for source in ("orders", "signups", "article_views", "articles", "deliveries")
        }
        (contacts,) = con.execute(
            """
            select count(distinct address_id)
            from (
                select address_id from lake.raw.orders
                union all
                select address_id from lake.raw.signups
                union all
                select address_id from lake.raw.article_views where tracking_consent
            )
            """
        ).fetchone()
    return {"rows": rows, "addresses": contacts}


def add(settings: Settings, warehouse: Warehouse, scale: str, views: str, events: str) -> dict:
    with warehouse.writer(why="adding to a benchmark") as con:
        made_up_year.add_events(con, Size(float(scale), int(views)), contact_key(settings), int(events))
    return {}


def build(settings: Settings, warehouse: Warehouse, minutes: str) -> dict:
    report = models.build(settings, warehouse, AS_OF + timedelta(minutes=float(minutes)))
    return {
        "nodes": {node.unique_id: node.seconds for node in report.nodes if not node.unique_id.startswith("test.")},
        "tests": {node.unique_id: node.seconds for node in report.nodes if node.unique_id.startswith("test.")},
    }


def floor(settings: Settings, warehouse: Warehouse) -> dict:
    nodes = {}
    with warehouse.writer(why="running the floor of a benchmark") as con:
        con.execute(f"set threads = {THREADS}")
        con.execute("set preserve_insertion_order = false")
        # as much as is left of 6 GB beside what DuckDB doesn't count; it is no slower for it
        con.execute("set memory_limit = '4GB'")
        related_reading.register(con)
        con.execute(f"set variable as_of = timestamptz '{AS_OF.isoformat()}'")
        for number, statement in enumerate(duckdb.extract_statements(FLOOR.read_text())):
            began = time.perf_counter()
            con.execute(statement)
            nodes[f"{number:02}"] = time.perf_counter() - began
    return {"nodes": nodes, "tests": {}}


def _peak_bytes() -> int:
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes * (1 if sys.platform == "darwin" else 1024)


SIDES = {"fill": fill, "add": add, "build": build, "floor": floor}

if __name__ == "__main__":
    main(*sys.argv[1:])
