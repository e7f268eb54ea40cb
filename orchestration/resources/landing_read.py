"""Files under landing/ as streams of lines in Arrow batches, each file read once: hashed, unpacked and split on the way.

What is no text at all is set aside here: lines that are not UTF-8, lines too long to hold, and files that can't be unpacked.
"""

import hashlib
import io
import os
import queue
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

BLOCK = 1 << 20
LONGEST_LINE = 16 << 20
AHEAD = 16
BOM = b"\xef\xbb\xbf"
# No text of a shop has a NUL in it, and one in a table fails every later small insert into DuckLake's catalogue (ducklake 1.0).
NUL = rb"\x00|(^|[^\\])(\\\\)*\\u0000"
LINE_FEED, OPENING_BRACE, BACKSLASH = b"\n{\\"

# Said to be JSON, a text need not be parsed to become it; whether it is, is seen when it is read.
TEXT = pa.json_(pa.large_string())
LINES = pa.schema([("landing_file", pa.dictionary(pa.int32(), pa.string())), ("line", pa.int64()), ("text", TEXT)])


@dataclass(frozen=True)
class LandingFile:
    """A file under landing/. `path` is relative to it, source folder included; `modified_ns` since the epoch."""

    path: str
    source: str
    format: str
    bytes: int
    modified_ns: int


@dataclass
class Reading:
    """What one pass over a file found out beside its lines."""

    file: LandingFile
    sha256: str = ""
    rows_read: int = 0
    is_cut: bool = False
    rejects: int = 0
    unknown_fields: dict[str, int] = field(default_factory=dict)
    set_aside: list[tuple[int | None, str, bytes]] = field(default_factory=list)

    def reject(self, line: int | None, reason: str, original: bytes) -> None:
        self.rows_read += 1
        self.set_aside.append((line, reason, original))


class Unreadable(Exception):
    """A file is not what its name says: nothing of it can be trusted, it becomes one reject."""

    def __init__(self, file: LandingFile, reason: str) -> None:
        super().__init__(reason)
        self.file = file
        self.reason = reason


class Unsteady(Exception):
    """A file went away, can't be opened, or changed while it was read: it is left for the next batch."""

    def __init__(self, file: LandingFile, reason: str) -> None:
        super().__init__(reason)
        self.file = file
        self.reason = reason


def lines(root: Path, reading: Reading) -> Iterator[pa.RecordBatch]:
    """The non-blank lines of a file, with their numbers. Fills `reading` as it goes; its hash is there at the end."""
    file = reading.file
    try:
        with (root / file.path).open("rb", buffering=0) as raw:
            hashed = _Hashed(raw)
            blocks = _unpacked(hashed, reading) if file.format == "jsonl.gz" else iter(lambda: hashed.read(BLOCK), b"")
            yield from _split(blocks, reading)
            hashed.drain()
            reading.sha256 = hashed.sha256.hexdigest()
            check_steady(file, os.fstat(raw.fileno()))
    except OSError as error:
        raise Unsteady(file, f"can't be read: {error.strerror or error}") from error


def sha256(root: Path, file: LandingFile) -> str:
    """The hash of a file's bytes as they lie on disk."""
    try:
        with (root / file.path).open("rb") as raw:
            digest = hashlib.file_digest(raw, "sha256").hexdigest()
            check_steady(file, os.fstat(raw.fileno()))
            return digest
    except OSError as error:
        raise Unsteady(file, f"can't be read: {error.strerror or error}") from error


def check_steady(file: LandingFile, now: os.stat_result) -> None:
    """Make sure that what was read is what was listed. Raises Unsteady."""
    if (now.st_size, now.st_mtime_ns) != (file.bytes, file.modified_ns):
        raise Unsteady(file, "changed while it was read; files must be renamed into place when they are complete")


class _Hashed(io.RawIOBase):
    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw = raw
        self.sha256 = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        block = self._raw.read(size)
        self.sha256.update(block)
        return block

    def drain(self) -> None:
        while self.read(BLOCK):
            pass


def _unpacked(hashed: _Hashed, reading: Reading) -> Iterator[bytes]:
    """The unpacked blocks of a gzip file of one or more members. Cut short, what came before the cut is taken."""
    if reading.file.bytes == 0:
        return
    unpack = zlib.decompressobj(wbits=31)
    packed = b""
    try:
        while packed := packed or hashed.read(BLOCK):
            if unpack.eof:
                packed = packed.lstrip(b"\0")
                unpack = zlib.decompressobj(wbits=31)
                continue
            if block := unpack.decompress(packed, BLOCK):
                yield block
            packed = unpack.unused_data if unpack.eof else unpack.unconsumed_tail
        if not unpack.eof:
            yield unpack.flush()
            reading.is_cut = True
    except zlib.error as error:
        raise Unreadable(reading.file, f"the file is no gzip, or damaged ({error})") from error


def _split(blocks: Iterator[bytes], reading: Reading) -> Iterator[pa.RecordBatch]:
    """Whole lines, a batch for each block; a line that goes on in the next block waits for it."""
    waiting: list[bytes] = []
    number = 0
    is_first = True
    for block in blocks:
        if is_first:
            block = block.removeprefix(BOM)
            is_first = False
        end = block.rfind(b"\n") + 1
        if not end:
            waiting.append(block)
            continue
        batch, number = _batch([*waiting, memoryview(block)[:end]], number, reading)
        waiting = [block[end:]]
        yield batch
    last = b"".join(waiting)
    if reading.is_cut:
        reading.reject(number + 1, "the gzip file is cut short here", last)
    elif last:
        yield _batch([last], number, reading)[0]


def _batch(pieces: list[bytes | memoryview], before: int, reading: Reading) -> tuple[pa.RecordBatch, int]:
    """The non-blank lines of a text in pieces, which follow line `before`, and the number of its last line.

    The lines are slices of one buffer, not copies, so each keeps its line feed. All memory is Arrow's own: DuckDB lets go of a
    batch in a thread of its own, and memory that is Python's has to wait for the interpreter's lock then, which the thread that
    runs the next statement may hold while it waits for that thread (duckdb 1.5.5, seen as a hang).
    """
    text = _own_memory(pieces)
    letters = np.frombuffer(text, dtype=np.uint8)
    ends = np.flatnonzero(letters == LINE_FEED) + 1
    if not len(ends) or ends[-1] < len(letters):
        ends = np.append(ends, len(letters))
    offsets = pa.allocate_buffer(8 * (len(ends) + 1))
    bounds = np.frombuffer(offsets, dtype=np.int64)
    bounds[0] = 0
    bounds[1:] = ends
    raw = pa.Array.from_buffers(pa.large_binary(), len(ends), [None, offsets, text])
    numbers = pc.cumulative_sum(pa.repeat(pa.scalar(1, pa.int64()), len(ends)), start=before)
    if reading.file.format != "csv" and not (letters[bounds[:-1]] == OPENING_BRACE).all():
        is_text = pc.invert(pc.match_substring_regex(raw, rb"^[ \t\r\v\f]*\n?$"))
        raw, numbers = raw.filter(is_text), numbers.filter(is_text)
    if len(letters) > LONGEST_LINE:
        is_long = pc.greater(pc.binary_length(raw), LONGEST_LINE)
        raw, numbers = _set_aside(raw, numbers, is_long, "the line is longer than 16 MB", reading)
    if letters.min() == 0 or (letters == BACKSLASH).any():
        has_nul = pc.match_substring_regex(raw, b"\0" if reading.file.format == "csv" else NUL)
        raw, numbers = _set_aside(raw, numbers, has_nul, "the line holds a NUL character", reading)
    try:
        lines = raw.cast(pa.large_string())
    except pa.ArrowInvalid:
        raw, numbers = _set_aside(raw, numbers, _not_utf8(raw), "the line is not UTF-8", reading)
        lines = raw.cast(pa.large_string())
    reading.rows_read += len(lines)
    names = pa.DictionaryArray.from_arrays(
        pa.repeat(pa.scalar(0, pa.int32()), len(lines)), pa.array([reading.file.path])
    )
    texts = pa.ExtensionArray.from_storage(TEXT, lines)
    return pa.record_batch([names, numbers, texts], schema=LINES), before + len(ends)


def _own_memory(pieces: list[bytes | memoryview]) -> pa.Buffer:
    buffer = pa.allocate_buffer(sum(map(len, pieces)))
    view = memoryview(buffer).cast("B")
    start = 0
    for piece in pieces:
        view[start : start + len(piece)] = piece
        start += len(piece)
    return buffer


def _set_aside(
    raw: pa.Array, numbers: pa.Array, is_bad: pa.Array, reason: str, reading: Reading
) -> tuple[pa.Array, pa.Array]:
    for number, original in zip(numbers.filter(is_bad).to_pylist(), raw.filter(is_bad).to_pylist(), strict=True):
        reading.reject(number, reason, original.removesuffix(b"\n"))
    is_good = pc.invert(is_bad)
    return raw.filter(is_good), numbers.filter(is_good)


def _not_utf8(raw: pa.Array) -> pa.Array:
    lines = pa.table({"raw": raw})
    with duckdb.connect() as con:
        con.register("lines", lines)
        answer = con.execute("select try(decode(raw)) is null as is_bad from lines").to_arrow_table()
    return answer["is_bad"].combine_chunks()


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
