"""How the ledger's file is opened, read and written.

One transaction writes at a time. Planning a wave for a million contacts holds that place for longer than SQLite's own patience,
so whoever means to write waits here, says so, and gives up with a message of its own.
"""

import logging
import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, event, insert, select
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from orchestration.core.errors import LedgerError
from orchestration.resources.ledger_schema import SCHEMA_VERSION, identity, metadata

log = logging.getLogger(__name__)

BUSY_TIMEOUT_MS = 30_000
PATIENCE = 600.0  # seconds that a writer waits for the one before it, as for the warehouse
PROGRESS_EVERY = 5.0


class LedgerFile:
    """The file and its connections: what a ledger is made on."""

    def __init__(self, path: Path, *, patience: float = PATIENCE) -> None:
        self._path = path
        with self._errors():
            self._engine = open_engine(path, patience)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._errors(), self._engine.execution_options(begin="immediate").begin() as con:
            yield con

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._errors(), self._engine.connect() as con:
            yield con

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OperationalError as error:
            raise LedgerError(
                f"The ledger {self._path} could not be read or written: {error.orig}. Nothing of this step was kept; "
                "see that the disk has room, the file may be written and no other program holds it, then start again."
            ) from error


def open_engine(path: Path, patience: float) -> Engine:
    """An engine on the ledger's file, made with its tables if need be. Its writers wait up to `patience` seconds.

    Every connection is WAL with synchronous FULL: what was committed survives a kill and a power cut.
    """

    def begin(con: Connection) -> None:
        if con.get_execution_options().get("begin") == "immediate":
            _begin_writing(con, path, patience)
        else:
            con.exec_driver_sql("begin")

    path.parent.mkdir(parents=True, exist_ok=True)
    # Arrow readers are pulled by DuckDB's threads, so a connection may change threads; SQLite serialises its calls.
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool, connect_args={"check_same_thread": False})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", begin)
    with engine.connect() as con:
        version = con.exec_driver_sql("pragma user_version").scalar_one()
    if version < SCHEMA_VERSION:
        with engine.execution_options(begin="immediate").begin() as con:
            metadata.create_all(con)
            if con.execute(select(identity)).first() is None:
                con.execute(insert(identity).values(ledger_id=str(uuid.uuid4())))
            con.exec_driver_sql(f"pragma user_version = {SCHEMA_VERSION}")
    return engine


def _prepare(dbapi_connection: Any, _record: Any) -> None:
    dbapi_connection.isolation_level = None  # sqlite3 must not begin transactions of its own
    cursor = dbapi_connection.cursor()
    cursor.execute(f"pragma busy_timeout = {BUSY_TIMEOUT_MS}")
    cursor.execute("pragma journal_mode = wal")
    cursor.execute("pragma synchronous = full")
    cursor.execute("pragma cache_size = -262144")
    cursor.close()


def _begin_writing(con: Connection, path: Path, patience: float) -> None:
    """Take the place of the one writer first: upgrading a read later can fail without waiting."""
    started = time.monotonic()
    waited = 0.0
    while True:
        left = min(PROGRESS_EVERY, max(0.0, patience - waited))
        con.exec_driver_sql(f"pragma busy_timeout = {int(left * 1000)}")
        try:
            con.exec_driver_sql("begin immediate")
            con.exec_driver_sql(f"pragma busy_timeout = {BUSY_TIMEOUT_MS}")
            return
        except OperationalError as error:
            if getattr(error.orig, "sqlite_errorcode", None) != sqlite3.SQLITE_BUSY:
                raise
            waited = time.monotonic() - started
            if waited >= patience:
                raise LedgerError(
                    f"The ledger {path} is being written by another run, which plans or delivers a wave; waited "
                    f"{waited:.0f} s. Nothing of this step was kept: start it again when that run is done."
                ) from error
            log.info("Waiting for the ledger, %.0f s so far: another run is planning or delivering.", waited)
