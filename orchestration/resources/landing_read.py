"""Files under landing/ as streams of lines in Arrow batches, each file read once: hashed, unpacked and split on the way.

What is no text at all is set aside here: lines that are not UTF-8, lines too long to hold, and files that can't be unpacked.
"""

import hashlib
import io
import os
import zlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

BLOCK = 1 << 20
LONGEST_LINE = 16 << 20
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
            fill = _filling(_unpacked(hashed, reading)) if file.format == "jsonl.gz" else hashed.readinto
            yield from _split(fill, reading)
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


class _Hashed:
    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw = raw
        self.sha256 = hashlib.sha256()

    def read(self, size: int) -> bytes:
        block = self._raw.read(size)
        self.sha256.update(block)
        return block

    def readinto(self, space: memoryview) -> int:
        length = self._raw.readinto(space)
        self.sha256.update(space[:length])
        return length

    def drain(self) -> None:
        while self.read(BLOCK):
            pass


def _unpacked(hashed: _Hashed, reading: Reading) -> Iterator[bytes]:
    """The unpacked blocks of a gzip file of one or more members. Cut short, what came before the cut is taken."""
    if reading.file.bytes == 0:
        return
    try:
        reading.is_cut = yield from gunzipped(hashed.read)
    except zlib.error as error:
        raise Unreadable(reading.file, f"the file is no gzip, or damaged ({error})") from error


def gunzipped(read: Callable[[int], bytes]) -> Generator[bytes, None, bool]:
    """The unpacked blocks, none of them empty, of the gzip members that `read` gives. Returns whether the last is cut short; what
    came before the cut is there. Raises zlib.error at what is no gzip, or damaged."""
    unpack = zlib.decompressobj(wbits=31)
    packed = b""
    while packed := packed or read(BLOCK):
        if unpack.eof:
            if packed := packed.lstrip(b"\0"):  # a file may be filled up with zeros behind its last member
                unpack = zlib.decompressobj(wbits=31)
            continue
        if block := unpack.decompress(packed, BLOCK):
            yield block
        packed = unpack.unused_data if unpack.eof else unpack.unconsumed_tail
    if rest := unpack.flush():
        yield rest
    return not unpack.eof


def _filling(blocks: Iterator[bytes]) -> Callable[[memoryview], int]:
    rest = b""

    def fill(space: memoryview) -> int:
        nonlocal rest
        block = rest or next(blocks, b"")
        length = min(len(block), len(space))
        space[:length], rest = block[:length], block[length:]
        return length

    return fill


def _split(fill: Callable[[memoryview], int], reading: Reading) -> Iterator[pa.RecordBatch]:
    """Whole lines, a batch for each time a piece of memory was filled; what is left over begins the next piece, which is the
    larger for it, so that even an endless line is copied a few times only."""
    number = start = 0
    left = memoryview(b"")
    while True:
        text = pa.allocate_buffer(len(left) + max(BLOCK, len(left)))
        space = memoryview(text).cast("B")
        space[: len(left)] = left
        length = len(left) + fill(space[len(left) :])
        if number == 0:
            start = len(BOM) if space[: min(length, len(BOM))] == BOM else 0
        ends = np.flatnonzero(np.frombuffer(text, np.uint8, length) == LINE_FEED) + 1
        if length == len(left):
            break
        if len(ends):
            yield _batch(text, start, ends, number, reading)
            number += len(ends)
            start = 0
        left = space[ends[-1] if len(ends) else 0 : length]
    if reading.is_cut:
        reading.reject(number + 1, "the gzip file is cut short here", bytes(space[start:length]))
    elif length > start:
        yield _batch(text, start, np.array([length]), number, reading)


def _batch(text: pa.Buffer, start: int, ends: np.ndarray, before: int, reading: Reading) -> pa.RecordBatch:
    """The non-blank ones of the lines of a text that end at `ends`, the first of them beginning at `start` and following line
    `before`.

    The lines are slices of one buffer, not copies, so each keeps its line feed. All memory is Arrow's own: DuckDB lets go of a
    batch in a thread of its own, and memory that is Python's has to wait for the interpreter's lock then, which the thread that
    runs the next statement may hold while it waits for that thread (duckdb 1.5.5, seen as a hang).
    """
    letters = np.frombuffer(text, np.uint8, ends[-1])
    offsets = pa.allocate_buffer(8 * (len(ends) + 1))
    bounds = np.frombuffer(offsets, dtype=np.int64)
    bounds[0] = start
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
    return pa.record_batch([names, numbers, texts], schema=LINES)


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
