"""The tables of `raw`: those of the contract's sources (core.contracts), and those by which the warehouse keeps its own books."""

import duckdb

from orchestration.core.contracts import SOURCES

SCHEMAS = ("raw", "staging", "intermediate", "marts")

BOOKKEEPING: dict[str, list[tuple[str, str]]] = {
    "landing_files": [
        ("landing_file", "varchar"),
        ("source", "varchar"),
        ("sha256", "varchar"),
        ("bytes", "bigint"),
        ("modified_ns", "bigint"),
        ("rows_read", "bigint"),
        ("rows_landed", "bigint"),
        ("rows_rejected", "bigint"),
        ("unknown_fields", "map(varchar, bigint)"),
        ("duplicate_of", "varchar"),
        ("batch_id", "bigint"),
        ("ingested_at", "timestamptz"),
    ],
    "archived_files": [
        ("landing_file", "varchar"),
        ("bytes", "bigint"),
        ("modified_ns", "bigint"),
        ("archive_file", "varchar"),
        ("archived_at", "timestamptz"),
    ],
    "rejects": [
        ("landing_file", "varchar"),
        ("source", "varchar"),
        ("line", "bigint"),
        ("reason", "varchar"),
        ("original", "blob"),
        ("batch_id", "bigint"),
        ("ingested_at", "timestamptz"),
        ("status", "varchar"),
        ("status_at", "timestamptz"),
        ("replayed_in", "varchar"),
    ],
    "builds": [
        ("build_id", "varchar"),
        ("build_no", "bigint"),
        ("batch_id", "bigint"),
        ("as_of", "timestamptz"),
        ("snapshot_id", "bigint"),
        ("finished_at", "timestamptz"),
    ],
    "cursors": [
        ("name", "varchar"),
        ("position", "bigint"),
    ],
    "deliveries": [
        ("wave_id", "varchar"),
        ("campaign", "varchar"),
        ("contact_id", "uuid"),
        ("entry", "bigint"),
        ("outcome", "varchar"),
        ("reason", "varchar"),
        ("delivery", "varchar"),
        ("codes", "varchar[]"),
        ("offer_code", "varchar"),
        ("as_of", "timestamptz"),
        ("sent_at", "timestamptz"),
        ("recorded_at", "timestamptz"),
        ("batch_id", "bigint"),
    ],
    "feedback": [
        ("contact_id", "uuid"),
        ("objection", "varchar"),
        ("recorded_at", "timestamptz"),
        ("batch_id", "bigint"),
    ],
    "reconciliation": [
        ("compared_at", "timestamptz"),
        ("contact_id", "uuid"),
        ("wave_id", "varchar"),
        ("difference", "varchar"),
        ("here", "varchar"),
        ("there", "varchar"),
        ("done", "varchar"),
    ],
    "policy_checks": [
        ("kind", "varchar"),
        ("item_id", "varchar"),
        ("text_hash", "varchar"),
        ("rules_hash", "varchar"),
        (
            "findings",
            "struct(rule varchar, place varchar, found varchar, excerpt varchar, what varchar, source varchar, mend varchar)[]",
        ),
        ("checked_at", "timestamptz"),
    ],
}


def create_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Make what is missing: schemas, tables, and columns that a table of an earlier version has not yet."""
    tables = {source.name: source.columns() for source in SOURCES.values()} | BOOKKEEPING
    there = set(
        con.execute(
            "select table_name, column_name from duckdb_columns() where database_name = 'lake' and schema_name = 'raw'"
        ).fetchall()
    )
    if there >= {(name, column) for name, columns in tables.items() for column, _ in columns}:
        return
    known = {name for name, _ in there}
    con.execute("begin")
    if not there:  # a third smaller and a tenth quicker to write than the first version of Parquet
        con.execute("call lake.set_option('parquet_version', 2)")
    for schema in SCHEMAS:
        con.execute(f"create schema if not exists lake.{schema}")
    for name, columns in tables.items():
        if name not in known:
            described = ", ".join(f"{column} {kind}" for column, kind in columns)
            con.execute(f"create table lake.raw.{name} ({described})")
            continue
        for column, kind in columns:
            if (name, column) not in there:
                con.execute(f"alter table lake.raw.{name} add column {column} {kind}")
    con.execute("commit")
