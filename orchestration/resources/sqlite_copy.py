"""A copy of a SQLite file that is whole at one moment, whoever writes to it meanwhile: SQLite's own online backup.

In a process of its own: a file that DuckDB has open in this one must not be opened by Python's SQLite here, since each of the
two libraries would drop the other's locks.
"""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

from orchestration.core.errors import BackupError
from orchestration.settings import PROJECT_DIR


def copy_sqlite(source: Path, target: Path) -> None:
    """Copy `source` with what its WAL holds to the new file `target` (mode 0600). Raises BackupError."""
    arguments = [sys.executable, "-m", "orchestration.resources.sqlite_copy", str(source), str(target)]
    done = subprocess.run(arguments, cwd=PROJECT_DIR, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or ["it was killed"]
        raise BackupError(f"{source} could not be copied: {said[0]}. See that it is whole and the disk has room.")


def _copy(source: str, target: str) -> None:
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    # opened for writing, since reading a WAL needs its index; nothing is written
    reading = sqlite3.connect(Path(source).as_uri() + "?mode=rw", uri=True, timeout=60)
    writing = sqlite3.connect(target)
    try:
        reading.backup(writing)
        (found,) = writing.execute("pragma quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(found)
    finally:
        writing.close()
        reading.close()


if __name__ == "__main__":
    _copy(*sys.argv[1:])
