"""Which files have landed, asked of raw.landing_files: only about the files at hand, however many there have been."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from orchestration.resources.landing_read import LandingFile

AT_HAND = pa.schema(
    [("path", pa.string()), ("source", pa.string()), ("bytes", pa.int64()), ("modified_ns", pa.int64())]
)


@dataclass(frozen=True)
class Landed:
    """A file of which there is a record. A path has several where the file was changed after it had landed."""

    path: str
    bytes: int
    modified_ns: int
    source: str
    sha256: str
    duplicate_of: str | None


def unknown_paths(con: duckdb.DuckDBPyConnection, paths: Sequence[str]) -> list[str]:
    """Those of the paths of which no file has landed."""
    con.register("at_hand", pa.table({"path": pa.array(paths, pa.string())}))
    try:
        rows = con.execute("from at_hand anti join lake.raw.landing_files on path = landing_file").fetchall()
    finally:
        con.unregister("at_hand")
    return [path for (path,) in rows]


def unknown_files(con: duckdb.DuckDBPyConnection, files: Sequence[LandingFile]) -> list[LandingFile]:
    """Those of the files that have not landed as they are now, in the order given."""
    with at_hand(con, files):
        unknown = {
            path
            for (path,) in con.execute(
                "select path from at_hand anti join lake.raw.landing_files as landed "
                "on path = landing_file and at_hand.bytes = landed.bytes and at_hand.modified_ns = landed.modified_ns"
            ).fetchall()
        }
    return [file for file in files if file.path in unknown]


def landed_like(con: duckdb.DuckDBPyConnection, files: Sequence[LandingFile]) -> list[Landed]:
    """The records of files that have the path of one of these, or its size: only those can have its content."""
    with at_hand(con, files):
        rows = con.execute(
            "select landing_file, bytes, modified_ns, source, sha256, duplicate_of from lake.raw.landing_files "
            "where landing_file in (select path from at_hand) "
            "or (source, bytes) in (select (source, bytes) from at_hand) order by batch_id, landing_file"
        ).fetchall()
    return [Landed(*row) for row in rows]


@contextmanager
def at_hand(con: duckdb.DuckDBPyConnection, files: Sequence[LandingFile]) -> Iterator[None]:
    """Have the files as the relation `at_hand` (path, source, bytes, modified_ns) for a while."""
    columns = [[getattr(file, name) for file in files] for name in AT_HAND.names]
    con.register("at_hand", pa.table(columns, schema=AT_HAND))
    try:
        yield
    finally:
        con.unregister("at_hand")
