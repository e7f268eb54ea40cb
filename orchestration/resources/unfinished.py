"""What a build that failed, or was killed, leaves half done in the models' tables is taken back before the next one.

dbt commits model by model. Without this, events that only the unfinished build had seen (it may have had a later as_of) and
stays in segments that only it began or ended would be there for good.
"""

import logging

import duckdb

from orchestration.resources.warehouse import Build, Warehouse

log = logging.getLogger(__name__)

MODEL_SCHEMAS = ("staging", "intermediate", "marts")
BEGUN = "build"  # among the cursors: the number of the build that was begun last


def begin(con: duckdb.DuckDBPyConnection, build_no: int) -> None:
    """Note that a build begins. `con` is a writer's."""
    con.execute("begin")
    con.execute("delete from lake.raw.cursors where name = ?", [BEGUN])
    con.execute("insert into lake.raw.cursors values (?, ?)", [BEGUN, build_no])
    con.execute("commit")


def take_back(con: duckdb.DuckDBPyConnection, warehouse: Warehouse, last: Build | None) -> bool:
    """Make the tables that builds add to what they were after `last`, the last complete build; all gone if there was none.

    `con` is a writer's. Gives whether a build was begun since; does nothing where none was.
    """
    if not _begun_since(con, last):
        return False
    log.info("The last build did not end: what it left half done is taken back.")
    if last is None:
        for schema in MODEL_SCHEMAS:
            con.execute(f"drop schema if exists lake.{schema} cascade")
            con.execute(f"create schema if not exists lake.{schema}")
        con.execute("delete from lake.raw.cursors where name = ?", [BEGUN])
        return True
    with warehouse.reader(at=last.snapshot_id) as then:
        added_to = _tables(then) & _tables(con)
    for schema, name, _ in sorted(added_to):
        table = f"lake.{schema}.{name}"
        # by a copy: after a delete in the same transaction the old snapshot reads empty (DuckLake 1.5)
        con.execute(f"create or replace temp table before as from {table} at (version => {last.snapshot_id})")
        con.execute("begin")
        con.execute(f"delete from {table}")
        con.execute(f"insert into {table} by name from before")
        con.execute("commit")
    con.execute("drop table if exists before")
    con.execute("delete from lake.raw.cursors where name = ?", [BEGUN])
    return True


def _begun_since(con: duckdb.DuckDBPyConnection, last: Build | None) -> bool:
    (begun,) = con.execute("select max(position) from lake.raw.cursors where name = ?", [BEGUN]).fetchone()
    return (begun or 0) > (0 if last is None else last.build_no)


def _tables(con: duckdb.DuckDBPyConnection) -> set[tuple[str, str, int]]:
    """Schema, name and id of the models' tables that a connection sees. A table that is made anew gets a new id."""
    rows = con.execute(
        """
        select schema_name, table_name, table_id
        from ducklake_table_info('lake')
        join __ducklake_metadata_lake.ducklake_schema using (schema_id)
        where end_snapshot is null and list_contains(?, schema_name)
        """,
        [list(MODEL_SCHEMAS)],
    ).fetchall()
    return set(rows)
