"""Rows that are not plain, as DuckDB meets them.

A statement has one output: the rows that land. This is the second. DuckDB calls `note` with whole vectors of the rows that break
a rule or have other fields than the usual ones, and never for others.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from orchestration.resources.landing_read import LINES

MARKED_LINES = LINES.append(pa.field("is_alike", pa.bool_()))
ODD_A_BATCH = 0.002


class Noted:
    """What `note` was told. A row lands if it has no reason not to."""

    def __init__(self) -> None:
        self._tables: list[pa.Table] = []
        self._batches = 0
        self._odd = 0

    def marked(self, batches: Iterator[pa.RecordBatch], *, is_known: bool) -> Iterator[pa.RecordBatch]:
        """The batches with `is_alike`: whether their rows may be expected to have the same fields, if those are known. They may
        until a vector had a row with others, and for a while after: read as if it had none, it takes a hundred times as long."""
        for batch in batches:
            self._batches += 1
            is_alike = is_known and self._odd <= ODD_A_BATCH * self._batches
            yield batch.append_column(MARKED_LINES.field("is_alike"), pa.repeat(pa.scalar(is_alike), len(batch)))

    def take(self) -> pa.Table | None:
        """The rows noted since the last time (landing_file, line, reason, original, unknown), or None. Rows that landed have
        neither a reason nor an original."""
        tables, self._tables, self._batches, self._odd = self._tables, [], 0, 0
        return pa.concat_tables(tables) if tables else None

    def note(
        self,
        landing_file: pa.ChunkedArray,
        line: pa.ChunkedArray,
        reason: pa.ChunkedArray,
        original: pa.ChunkedArray,
        unknown: pa.ChunkedArray,
        is_odd: pa.ChunkedArray,
    ) -> pa.ChunkedArray:
        self._odd += pc.any(is_odd).as_py()
        lands = reason.is_null()
        original = pc.if_else(lands, None, original)
        columns = {
            "landing_file": landing_file,
            "line": line,
            "reason": reason,
            "original": original,
            "unknown": unknown,
        }
        self._tables.append(pa.table(columns))
        return lands


@contextmanager
def noting(con: duckdb.DuckDBPyConnection) -> Iterator[Noted]:
    """Have `note` on a connection for a while. Outside of any transaction, where it would be rolled back."""
    noted = Noted()
    con.create_function(
        "note",
        noted.note,
        ["varchar", "bigint", "varchar", "varchar", "varchar[]", "boolean"],
        "boolean",
        type="arrow",
        side_effects=True,
        null_handling="special",
    )
    try:
        yield noted
    finally:
        con.remove_function("note")
