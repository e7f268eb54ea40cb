"""Addresses out of SQLite files: every text that holds one, and every freed page that still does.

It runs as a process of its own. Two SQLite libraries in one process drop each other's locks, and DuckDB brings its own
(FACTS); Dagster's and the sandbox's servers go on meanwhile. The addresses come through a pipe, where no list of processes shows
them.
"""

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from orchestration.core.erasure import Traces
from orchestration.core.errors import PennypostError

HEADER = b"SQLite format 3\0"
BUSY_SECONDS = 60
BLOCK = 1 << 20


def is_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(HEADER)) == HEADER


def scrub_in_a_process(
    paths: Iterable[Path], addresses: Iterable[str], *, only_pages: Iterable[Path] = ()
) -> dict[Path, int]:
    """How many values of each file held an address; all are vacuumed that did. Of `only_pages` no value is changed.

    Raises PennypostError that names a file that could not be freed of them.
    """
    asked = {
        "addresses": list(addresses),
        "files": [str(path) for path in paths],
        "only_pages": [str(path) for path in only_pages],
    }
    done = subprocess.run(
        [sys.executable, "-m", __name__], input=json.dumps(asked), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise PennypostError(f"An SQLite file could not be freed of a person: {done.stderr.strip().splitlines()[-1]}")
    return {Path(path): count for path, count in json.loads(done.stdout).items()}


def main() -> None:
    asked = json.load(sys.stdin)
    traces = Traces(asked["addresses"])
    told = {path: _scrub(Path(path), traces) for path in asked["files"]}
    told |= {path: _scrub(Path(path), traces, only_pages=True) for path in asked["only_pages"]}
    json.dump(told, sys.stdout)


def _scrub(path: Path, traces: Traces, *, only_pages: bool = False) -> int:
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as con:
        con.create_function("lowered", 1, lambda text: text.lower() if isinstance(text, str) else None)
        con.create_function("scrubbed", 1, traces.replaced)
        count = 0 if only_pages else sum(_replace(con, table, traces) for table in _tables(con))
        if count or _in_pages(path, traces):
            _vacuum(con)
    if _in_pages(path, traces):
        raise SystemExit(f"{path} still holds the address after a vacuum. Stop what reads it and erase again.")
    return count


def _tables(con: sqlite3.Connection) -> list[str]:
    return [name for (name,) in con.execute("select name from sqlite_master where type = 'table'")]


def _replace(con: sqlite3.Connection, table: str, traces: Traces) -> int:
    count = 0
    lowered = "lower" if all(word.isascii() for word in traces.words) else "lowered"
    for _, column, *_ in con.execute(f"pragma table_info({_quoted(table)})").fetchall():
        name = _quoted(column)
        holds = " or ".join(f"instr({lowered}({name}), ?)" for _ in traces.words)
        count += con.execute(
            f"update {_quoted(table)} set {name} = scrubbed({name}) "
            f"where typeof({name}) = 'text' and ({holds}) and scrubbed({name}) <> {name}",
            [word.lower() for word in traces.words],
        ).rowcount
    return count


def _vacuum(con: sqlite3.Connection) -> None:
    """Write the file anew, and the write-ahead log back into it; waits for readers that still need that."""
    con.execute("vacuum")
    give_up = time.monotonic() + BUSY_SECONDS
    while con.execute("pragma wal_checkpoint(truncate)").fetchone()[0]:
        if time.monotonic() > give_up:
            return
        time.sleep(0.05)


def _in_pages(path: Path, traces: Traces) -> bool:
    """Whether the bytes of the file, or of its log, say an address."""
    longest = 2 * max(map(len, traces.words), default=0) + 8
    for file in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-journal")):
        if not file.exists():
            continue
        end = b""
        with file.open("rb") as raw:
            while block := raw.read(BLOCK):
                if traces.are_in_bytes(end + block):
                    return True
                end = block[-longest:]
    return False


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


if __name__ == "__main__":
    main()
