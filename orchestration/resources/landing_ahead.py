"""Lines read ahead: files are read in one thread while DuckDB takes in, in its own, what was read before."""

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from orchestration.resources.landing_read import LINES

AHEAD = 16


class Ahead:
    """Batches made in a thread of their own, a few ahead of whoever takes them. `error` is what stopped it, if something did.

    DuckDB takes the batches and would turn an exception into one of its own, so that the cause has to be asked for.
    """

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self.error: BaseException | None = None
        self._queue: queue.Queue[pa.RecordBatch | None] = queue.Queue(AHEAD)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._fill, args=(batches,), daemon=True)

    def __enter__(self) -> "Ahead":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def batches(self) -> Iterator[pa.RecordBatch]:
        while (batch := self._queue.get()) is not None:
            yield batch
        if self.error is not None:
            raise self.error

    @contextmanager
    def arriving(
        self, con: duckdb.DuckDBPyConnection, batches: Iterator[pa.RecordBatch], schema: pa.Schema = LINES
    ) -> Iterator[None]:
        """Have the batches as the relation `arriving` on a connection, for one statement. Raises what stopped them."""
        con.register("arriving", pa.RecordBatchReader.from_batches(schema, batches))
        try:
            yield
            # DuckDB lets go of the reader at its next statement. A register would hold the interpreter's lock meanwhile, which
            # the reader needs to be let go of.
            con.execute("select 1")
        except duckdb.Error:
            if self.error is not None:
                raise self.error from None
            raise
        finally:
            con.unregister("arriving")

    def _fill(self, batches: Iterator[pa.RecordBatch]) -> None:
        try:
            for batch in batches:
                if not self._put(batch):
                    return
        except BaseException as error:
            self.error = error
        self._put(None)

    def _put(self, batch: pa.RecordBatch | None) -> bool:
        while not self._is_over.is_set():
            try:
                self._queue.put(batch, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False
