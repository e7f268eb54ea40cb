"""landing/ → raw.*: every new file once, all of a batch in one transaction (DESIGN 3, 4).

files ──► lines (landing_read) ──► one INSERT a source (landing_sql) ──► raw.<source>
              │ no text at all            │ a rule broken, a field unknown
              ▼                           ▼
          raw.rejects  ◄──────────────  noted            raw.landing_files: what became of each file
"""

import logging
from collections.abc import Iterable

import duckdb

from orchestration.resources.landing_batch import Batch
from orchestration.resources.landing_disk import on_disk
from orchestration.resources.landing_noted import noting
from orchestration.resources.landing_read import LandingFile, Unreadable, Unsteady
from orchestration.resources.landing_report import IngestReport
from orchestration.resources.warehouse import ALL_THREADS, Warehouse
from orchestration.settings import Settings

log = logging.getLogger(__name__)

MUCH = 8 << 20  # bytes


def ingest(settings: Settings, warehouse: Warehouse, files: Iterable[LandingFile] | None = None) -> IngestReport:
    """Land `files`, or every new one, in one transaction: killed in the middle, nothing has happened.

    A file that has landed is passed over. Raises WarehouseBusy; a file that can't be opened raises nothing, it is
    named in `left` and in the log.
    """
    wanted = on_disk(settings.landing_dir) if files is None else list(files)
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
