"""Dagster's event log with its SQLite files kept open: the same files and rows as Dagster's own storage.

Dagster's opens and closes a file for each event, and the last to close it writes its log back, with waits for the disk; a
run has some three hundred events. Here each process keeps the files open that it used last, and does not wait for the disk:
when the power fails, the last events of a run may be missing.
"""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as db
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData

KEPT = 4  # the index of all runs, the run at hand, and some that somebody looks at


class EventLog(SqliteEventLogStorage):
    """One process's way to the event log. dagster.yaml names it; a process that forks must not have used it before."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, db.Engine] = OrderedDict()
        super().__init__(base_dir, inst_data)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> "EventLog":
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[db.Connection]:
        with self._db_lock, self._engine(shard).begin() as con:
            yield con

    def _engine(self, shard: str) -> db.Engine:
        if shard not in self._engines:
            self._engines[shard] = self._opened(shard)
            while len(self._engines) > KEPT:
                _, oldest = self._engines.popitem(last=False)
                oldest.dispose()
        self._engines.move_to_end(shard)
        return self._engines[shard]

    def _opened(self, shard: str) -> db.Engine:
        engine = db.create_engine(
            self.conn_string_for_shard(shard),
            pool_size=1,  # `_db_lock` lets one thread in at a time
            connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
        )
        db.event.listen(engine, "connect", _do_not_wait_for_the_disk)
        self._initdb(engine)
        return engine

    def dispose(self) -> None:
        super().dispose()
        with self._db_lock:
            while self._engines:
                self._engines.popitem()[1].dispose()


def _do_not_wait_for_the_disk(connection: Any, _: Any) -> None:
    connection.execute("pragma synchronous = normal")
