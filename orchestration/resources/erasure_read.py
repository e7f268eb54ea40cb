"""Landing files as bytes: unpacked, line by line, looked through for words. Damage ends a file early, and is no error."""

import csv
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from orchestration.core.contracts import SOURCES
from orchestration.resources.landing_read import BLOCK, BOM, gunzipped
from orchestration.resources.landing_tables import DELIMITERS


def lines_of(path: Path) -> Iterator[bytes]:
    """Every line with its line feed, but for a last one that has none."""
    waiting = b""
    for block in unpacked(path):
        *whole, waiting = (waiting + block).split(b"\n")
        yield from (line + b"\n" for line in whole)
    if waiting:
        yield waiting


def unpacked(path: Path) -> Iterator[bytes]:
    """The content in blocks; of a damaged gzip file what comes before the damage."""
    with path.open("rb") as file:
        if not is_gzip(path):
            yield from iter(lambda: file.read(BLOCK), b"")
            return
        with suppress(zlib.error):
            yield from gunzipped(file.read)


def is_gzip(path: Path) -> bool:
    """By its first two bytes, whatever its name."""
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def may_hold(path: Path, words: list[bytes]) -> bool:
    """A quick look, which may say yes without reason; an escape may hide anything, and a Parquet file packs its columns."""
    if not words:
        return False
    if ".parquet" in path.name:
        return True
    longest = max(map(len, words))
    end = b""
    for block in unpacked(path):
        text = (end + block).lower()
        if b"\\u00" in text or any(word in text for word in words):
            return True
        end = text[-longest:]
    return False


def csv_header(head: bytes, source: str) -> tuple[str, list[str]]:
    """The delimiter of a CSV file and the names of its columns, by its first line."""
    text = head.removeprefix(BOM).decode(errors="surrogateescape").strip("\r\n")
    known = {field.name for field in SOURCES[source].fields} if source in SOURCES else set()
    read = {mark: [name.strip() for name in next(csv.reader([text], delimiter=mark), [])] for mark in DELIMITERS}
    delimiter = max(DELIMITERS, key=lambda mark: len(known & set(read[mark])))
    return delimiter, read[delimiter]
