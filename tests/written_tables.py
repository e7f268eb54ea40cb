"""Tables of the models as a test writes them itself, where dbt would take seconds."""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb


def write_tables(con: duckdb.DuckDBPyConnection, made: str, rows: Mapping[str, Sequence[Sequence[Any]]]) -> None:
    """Make the tables with the SQL `made`, and have them hold these rows and no others, by schema.table, in one transaction."""
    con.execute("begin")  # a commit costs more than all that is in it
    con.execute(made)
    for table, values in rows.items():
        con.execute(f"delete from lake.{table}")
        if values:
            marks = ", ".join(["(" + ", ".join("?" * len(values[0])) + ")"] * len(values))
            con.execute(f"insert into lake.{table} values {marks}", [cell for row in values for cell in row])
    con.execute("commit")
