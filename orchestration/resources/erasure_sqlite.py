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
from orchestration.resources.quoting import quoted_name

HEADER = b"SQLite format 3\0"
BUSY_SECONDS = 60
BLOCK = 1 << 20
# DuckLake (1.0) keeps the least and the greatest value of a column also where no row of the table is left.
_STATISTICS = """
    update ducklake_table_column_stats set min_value = null, max_value = null
    where scrubbed(min_value) <> min_value or scrubbed(max_value) <> max_value
"""


def is_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(HEADER)) == HEADER


def scrub_in_a_process(paths: Iterable[Path], addresses: Iterable[str], *, catalogue: Path) -> dict[Path, int]:
    """How many values of each file held an address; all are vacuumed that did. Of DuckLake's catalogue, whose rows are DuckLake's
    to delete, only statistics are.

    Raises PennypostError that names a file that could not be freed of them.
    """
    asked = {
        "addresses": list(addresses),
        "files": [str(path) for path in paths],
        "catalogue": [str(path) for path in [catalogue] if path.exists()],
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
    told |= {path: _scrub(Path(path), traces, catalogue=True) for path in asked["catalogue"]}
    json.dump(told, sys.stdout)


def _scrub(path: Path, traces: Traces, *, catalogue: bool = False) -> int:
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as con:
        con.create_function("lowered", 1, lambda text: text.lower() if isinstance(text, str) else None)
        con.create_function("scrubbed", 1, lambda text: traces.replaced(text) if isinstance(text, str) else text)
        count = con.execute(_STATISTICS).rowcount if catalogue else _replace(con, traces)
        if count or _in_pages(path, traces):
            _vacuum(con, path)
    return count


def _replace(con: sqlite3.Connection, traces: Traces) -> int:
    """Take the addresses out of every text of every table. Gives how many values held one."""
    count = 0
    lowered = "lower" if all(word.isascii() for word in traces.words) else "lowered"
    columns = con.execute(
        "select tables.name, columns.name from sqlite_master as tables, pragma_table_info(tables.name) as columns "
        "where tables.type = 'table'"
    ).fetchall()
    for table, column in columns:
        name = quoted_name(column)
        holds = " or ".join(f"instr({lowered}({name}), ?)" for _ in traces.words)
        count += con.execute(
            f"update {quoted_name(table)} set {name} = scrubbed({name}) "
            f"where typeof({name}) = 'text' and ({holds}) and scrubbed({name}) <> {name}",
            [word.lower() for word in traces.words],
        ).rowcount
    return count


def _vacuum(con: sqlite3.Connection, path: Path) -> None:
    """Write the file anew, and the write-ahead log back into it, which waits for readers that still need that."""
    con.execute("vacuum")
    give_up = time.monotonic() + BUSY_SECONDS
    while con.execute("pragma wal_checkpoint(truncate)").fetchone()[0]:
        if time.monotonic() > give_up:
            raise SystemExit(f"{path} has been read for {BUSY_SECONDS} s. Stop what reads it, and erase again.")
        time.sleep(0.05)


def _in_pages(path: Path, traces: Traces) -> bool:
    """Whether the bytes of the file, or of its log, say an address, also as a part of a longer word: in a page, values stand
    side by side."""
    words = [word.lower().encode() for word in traces.words]
    longest = max(map(len, words), default=0)
    for file in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-journal")):
        if not file.exists():
            continue
        end = b""
        with file.open("rb") as raw:
            while block := raw.read(BLOCK):
                text = (end + block).lower()
                if any(word in text for word in words):
                    return True
                end = text[-longest:]
    return False


if __name__ == "__main__":
    main()
