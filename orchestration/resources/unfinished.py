"""What a build that failed, or was killed, leaves half done in the models' tables is taken back before the next one.

dbt commits model by model. Without this, events that only the unfinished build had seen (it may have had a later as_of) and
stays in segments that only it began or ended would be there for good.
"""

import logging

import duckdb

from orchestration.resources.warehouse import Build, Warehouse

log = logging.getLogger(__name__)

MODEL_SCHEMAS = ("staging", "intermediate", "marts")


def take_back(con: duckdb.DuckDBPyConnection, warehouse: Warehouse, last: Build | None) -> None:
    """Make the tables that builds add to what they were after `last`, the last complete build; all gone if there was none.

    `con` is a writer's. Does nothing where no build was begun since.
    """
    if not _begun_since(con, last):
        return
    log.info("The last build did not end: what it left half done is taken back.")
    if last is None:
        for schema in MODEL_SCHEMAS:
            con.execute(f"drop schema lake.{schema} cascade")
            con.execute(f"create schema lake.{schema}")
        return
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


def _begun_since(con: duckdb.DuckDBPyConnection, last: Build | None) -> bool:
    """Whether a build wrote after `last`: each makes its views anew first, and nothing else makes any."""
    (begun,) = con.execute(
        "select count(*) > 0 from lake.snapshots() where snapshot_id > ? and len(changes['views_created']) > 0",
        [-1 if last is None else last.snapshot_id],
    ).fetchone()
    return begun


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
