"""Whether the models' tables were made by the project as it is now.

Incremental tables keep what an earlier version of their SQL wrote. So the version that made them is kept beside them, and where
it is another one, everything is made anew from `raw`, but for the history of segments, which only past builds could know.
"""

import hashlib
from pathlib import Path

import duckdb

VERSION = "models"  # among the cursors: the project that made the tables; not there while one is making them anew
SEGMENT = "segment "  # among the cursors, before the name of each segment that the last build had
SUFFIXES = (".sql", ".csv")


def project_version(project: Path) -> int:
    """A number that is another one wherever the SQL, a seed or the settings of a dbt project are: 60 bits of their SHA-256."""
    digest = hashlib.sha256()
    files = [path for path in project.rglob("*") if path.suffix in SUFFIXES] + [project / "dbt_project.yml"]
    for path in sorted(files):
        digest.update(f"{path.relative_to(project)}\0".encode() + path.read_bytes() + b"\0")
    return int(digest.hexdigest()[:15], 16)


def is_made_by(con: duckdb.DuckDBPyConnection, version: int) -> bool:
    """Whether all tables are this version's."""
    return con.execute("select position from lake.raw.cursors where name = ?", [VERSION]).fetchall() == [(version,)]


def note_version(con: duckdb.DuckDBPyConnection, version: int | None) -> None:
    """Say which version made the tables; None before another one begins to. `con` is a writer's."""
    con.execute("delete from lake.raw.cursors where name = ?", [VERSION])
    if version is not None:
        con.execute("insert into lake.raw.cursors values (?, ?)", [VERSION, version])


def note_segments(con: duckdb.DuckDBPyConnection, names: list[str]) -> None:
    """Say which segments a build has, before it is recorded: the snapshot that readers see then says it too."""
    con.execute("delete from lake.raw.cursors where starts_with(name, ?)", [SEGMENT])
    con.executemany("insert into lake.raw.cursors values (?, 0)", [[SEGMENT + name] for name in names])


def lacks_segment(con: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Whether the build that a reader sees was made without a segment. One from before they were noted lacks none."""
    rows = con.execute("select name from lake.raw.cursors where starts_with(name, ?)", [SEGMENT]).fetchall()
    return bool(rows) and (SEGMENT + name,) not in rows
