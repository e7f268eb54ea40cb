"""Rows that are not plain, as DuckDB meets them.

A statement has one output: the rows that land. This is the second. DuckDB calls `note` with whole vectors of the rows that break
a rule or do not have the usual fields, and never for others.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa
import pyarrow.compute as pc


class Noted:
    """What `note` was told. A row lands if it has no reason not to."""

    def __init__(self) -> None:
        self._tables: list[pa.Table] = []

    def take(self) -> pa.Table | None:
        """The rows noted since the last time (landing_file, line, reason, original, keys), or None. Rows that landed have
        neither a reason nor an original."""
        tables, self._tables = self._tables, []
        return pa.concat_tables(tables) if tables else None

    def note(
        self,
        landing_file: pa.ChunkedArray,
        line: pa.ChunkedArray,
        reason: pa.ChunkedArray,
        original: pa.ChunkedArray,
        keys: pa.ChunkedArray,
    ) -> pa.ChunkedArray:
        lands = reason.is_null()
        original = pc.if_else(lands, None, original)
        columns = {"landing_file": landing_file, "line": line, "reason": reason, "original": original, "keys": keys}
        self._tables.append(pa.table(columns))
        return lands


@contextmanager
def noting(con: duckdb.DuckDBPyConnection) -> Iterator[Noted]:
    """Have `note` on a connection for a while. Outside of any transaction, where it would be rolled back."""
    noted = Noted()
    con.create_function(
        "note",
        noted.note,
        ["varchar", "bigint", "varchar", "varchar", "varchar[]"],
        "boolean",
        type="arrow",
        side_effects=True,
        null_handling="special",
    )
    try:
        yield noted
    finally:
        con.remove_function("note")
