"""Rows that are not plain, as DuckDB meets them.

A statement has one output: the rows that land. This is the second. DuckDB calls `note` with whole vectors of the rows that break
a rule or do not have the usual fields, and never for others.
"""

import duckdb
import pyarrow as pa
import pyarrow.compute as pc


class Noted:
    """What `note` was told. Made for one connection, on which it defines `note`; a row lands if it has no reason not to."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._tables: list[pa.Table] = []
        con.create_function(
            "note",
            self._note,
            ["varchar", "bigint", "varchar", "varchar", "varchar[]"],
            "boolean",
            type="arrow",
            side_effects=True,
            null_handling="special",
        )

    def take(self) -> pa.Table | None:
        """The rows noted since the last time (landing_file, line, reason, original, keys), or None. Rows that landed have
        neither a reason nor an original."""
        tables, self._tables = self._tables, []
        return pa.concat_tables(tables) if tables else None

    def _note(
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
