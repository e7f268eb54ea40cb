"""landing/ → raw.*: every new file once, all of a batch in one transaction (DESIGN 3, 4).

files ──► lines (landing_read) ──► one INSERT a source (landing_sql) ──► raw.<source>
              │ no text at all            │ a rule broken, a field unknown
              ▼                           ▼
          raw.rejects  ◄──────────────  noted            raw.landing_files: what became of each file
"""

import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import duckdb

from orchestration.core.contracts import SOURCES
from orchestration.core.errors import NoBuildYet
from orchestration.resources.landing_batch import Batch, landed_files
from orchestration.resources.landing_noted import noting
from orchestration.resources.landing_read import LandingFile, Unreadable, Unsteady
from orchestration.resources.landing_report import IngestReport
from orchestration.resources.warehouse import ALL_THREADS, Warehouse
from orchestration.settings import Settings

log = logging.getLogger(__name__)

FORMATS = ("jsonl", "jsonl.gz", "csv", "parquet")
UNFINISHED = (".tmp", ".part")
MUCH = 8 << 20  # bytes


def new_files(settings: Settings, warehouse: Warehouse) -> list[LandingFile]:
    """The files under landing/ that have not been ingested as they are now, in order of their path. Reads no content."""
    found = _on_disk(settings.landing_dir)
    if not found:
        return []
    try:
        with warehouse.latest() as con:
            landed = {(file.path, file.bytes, file.modified_ns) for file in landed_files(con)}
    except (NoBuildYet, duckdb.CatalogException):
        return found
    return [file for file in found if (file.path, file.bytes, file.modified_ns) not in landed]


def passed_over(settings: Settings) -> list[str]:
    """What under landing/ is nobody's: files of an ending that no source has, and what lies in no source's folder. Sorted.

    A folder that is no source ends in a slash. Names that say they are unfinished or hidden are left out: they are meant to be.
    """
    root = settings.landing_dir
    strays = [
        f"{entry.name}/" if entry.is_dir() else entry.name
        for entry in _entries(root)
        if not (entry.name in SOURCES and entry.is_dir())
    ]
    return sorted([*strays, *(path for name in SOURCES for path in _unknown(root, name))])


def ingest(settings: Settings, warehouse: Warehouse, files: Iterable[LandingFile] | None = None) -> IngestReport:
    """Land `files`, or every new one, in one transaction: killed in the middle, nothing has happened.

    A file that has landed is passed over. Raises WarehouseBusy; a file that can't be opened raises nothing, it is
    named in `left` and in the log.
    """
    wanted = _on_disk(settings.landing_dir) if files is None else list(files)
    if not wanted:
        return IngestReport()
    broken: dict[str, str] = {}
    left: dict[str, str] = {}
    with warehouse.writer(why="ingest") as con, noting(con) as noted:
        if sum(file.bytes for file in wanted) > MUCH:
            con.execute(ALL_THREADS)
        while True:
            noted.take()
            con.execute("begin")
            try:
                batch = Batch(con, settings, noted, [file for file in wanted if file.path not in left], broken)
                batch.report.left = left
                batch.run()
                con.execute("commit")
                return batch.report
            except Unreadable as error:
                con.execute("rollback")
                broken[error.file.path] = error.reason
            except Unsteady as error:
                con.execute("rollback")
                log.error("landing/%s %s. It is left for the next batch.", error.file.path, error.reason)
                left[error.file.path] = error.reason
            except BaseException:
                _roll_back(con)
                raise


def _roll_back(con: duckdb.DuckDBPyConnection) -> None:
    """Best effort: the connection is closed next, which rolls back too; the first error is the one to tell."""
    try:
        con.execute("rollback")
    except duckdb.Error:
        log.debug("Nothing to roll back.")


def _on_disk(root: Path) -> list[LandingFile]:
    found = [file for name in SOURCES for file in _under(root, name, name)]
    return sorted(found, key=lambda file: file.path)


def _under(root: Path, folder: str, source: str) -> Iterator[LandingFile]:
    for entry in _entries(root / folder):
        path = f"{folder}/{entry.name}"
        if entry.is_dir():
            yield from _under(root, path, source)
            continue
        format = _format(entry.name)
        if format is None:
            continue
        try:
            stat = entry.stat()
        except FileNotFoundError:
            continue
        yield LandingFile(path, source, format, stat.st_size, stat.st_mtime_ns)


def _unknown(root: Path, folder: str) -> Iterator[str]:
    for entry in _entries(root / folder):
        path = f"{folder}/{entry.name}"
        if entry.is_dir():
            yield from _unknown(root, path)
        elif _format(entry.name) is None:
            yield path


def _entries(folder: Path) -> list[os.DirEntry]:
    """What lies in a folder and is neither hidden nor unfinished."""
    try:
        found = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [one for one in found if not one.name.startswith((".", "_")) and not one.name.endswith(UNFINISHED)]


def _format(name: str) -> str | None:
    return next((known for known in FORMATS if name.endswith("." + known)), None)
