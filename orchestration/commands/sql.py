"""`make sql`: the DuckDB shell on the warehouse, read-only, as of the last tested build. `make sql Q="select …"`: CSV."""

import csv
import os
import sys
from pathlib import Path

import duckdb

from orchestration.commands.console import command
from orchestration.core.errors import NoBuildYet
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings


def main() -> None:
    settings = Settings.from_env()
    warehouse = Warehouse(settings)
    query = os.environ.get("Q", "").strip()
    if query:
        _print_csv(warehouse, query)
    else:
        _shell(warehouse)


def _print_csv(warehouse: Warehouse, query: str) -> None:
    with warehouse.reader() as con:
        try:
            cursor = con.execute(query)
        except duckdb.Error as error:
            sys.exit(f"DuckDB says: {error}")
        writer = csv.writer(sys.stdout)
        writer.writerow([column[0] for column in cursor.description])
        while rows := cursor.fetchmany(10_000):
            writer.writerows(rows)


def _shell(warehouse: Warehouse) -> None:
    build = warehouse.last_build()
    if build is None:
        raise NoBuildYet("There is no complete, tested build yet. Run `make run` or `make once` first.")
    print(
        f"Read-only, as of build {build.build_no} ({build.as_of.isoformat()}). Try: from marts.contacts limit 5;   Leave: .quit",
        flush=True,
    )
    commands = [
        part for statement in warehouse.attach_sql(read_only=True, at=build.snapshot_id) for part in ("-cmd", statement)
    ]
    shell = Path(sys.executable).with_name("duckdb")
    os.execv(shell, [str(shell), *commands])  # noqa: S606 - the shell takes over the terminal


if __name__ == "__main__":
    command(main)
