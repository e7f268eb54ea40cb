"""Landing files, and those that are archived, rewritten without a person's rows.

A file is written anew beside the old one, noted in raw.landing_files as one that has landed, and only then renamed over it:
killed anywhere in between, nothing is ingested a second time. Rows that are not theirs keep their bytes; in a Parquet file, their
values.
"""

import csv
import gzip
import io
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.core.erasure import Person, Traces, is_about, without_person
from orchestration.files import put_in_place, sha256_of
from orchestration.resources import landing_archive
from orchestration.resources.erasure_read import csv_header, is_gzip, lines_of, may_hold
from orchestration.resources.forgotten import Forgotten
from orchestration.resources.landing_forgotten import NAMELESS, REASON
from orchestration.settings import Settings

# Files with rows that were known again when they came, and repeats of files that were, or may have been, rewritten since.
_CAME_AGAIN = f"""
    select landing_file from lake.raw.rejects where reason = '{REASON}'
    union
    select landing_file from lake.raw.landing_files where map_contains(unknown_fields, '{NAMELESS}')
    union
    select repeat.landing_file
    from lake.raw.landing_files as repeat
    join lake.raw.landing_files as rewritten
        on repeat.duplicate_of = rewritten.landing_file and rewritten.duplicate_of = rewritten.landing_file
    union
    select repeat.landing_file
    from lake.raw.landing_files as repeat
    join lake.raw.archived_files as archived on repeat.duplicate_of = archived.landing_file
"""
# The files that the collector writes into at this moment: what is theirs is known when it comes (landing_forgotten).
OPEN = ".collector"
_ARCHIVED = f"select archive_file from lake.raw.archived_files where landing_file in ({_CAME_AGAIN})"
DRAFT = ".erasing.tmp"  # a name that ingest passes over
DRAFTS = (DRAFT, landing_archive.DRAFT)


@dataclass
class Scrubbed:
    """What became of the landing files: rows taken out or left nameless, and files rewritten."""

    rows: int = 0
    files: int = 0


def scrub_landing(
    con: duckdb.DuckDBPyConnection, settings: Settings, person: Person, traces: Traces, forgotten: Forgotten
) -> Scrubbed:
    """Rewrite every landing file, archived or not, that holds something of the person, and every one that came again with
    something of somebody who was erased before; `con` is a writer's."""
    found = Scrubbed()
    words = _words(person, traces)
    for root, query in ((settings.landing_dir, _CAME_AGAIN), (settings.archive_dir, _ARCHIVED)):
        came_again = {name for (name,) in con.execute(query).fetchall()}
        for path in sorted(path for path in root.rglob("*") if path.is_file() and OPEN not in path.parts):
            if path.name.endswith(DRAFTS):
                path.unlink()
                continue
            name = path.relative_to(root).as_posix()
            if name in came_again or may_hold(path, words):
                judge = _Judge(person, traces, name.split("/")[0], forgotten if name in came_again else None)
                if _scrub(con, name, path, judge):
                    found.rows += judge.count
                    found.files += 1
    return found


def _scrub(con: duckdb.DuckDBPyConnection, name: str, path: Path, judge: "_Judge") -> bool:
    """Whether the file had to be rewritten."""
    draft = path.with_name(f".{path.name}{DRAFT}")
    _rewrite(path, draft, judge)
    if judge.count:
        _put_in_place(con, name, path, draft)
    else:
        draft.unlink()
    return judge.count > 0


def _put_in_place(con: duckdb.DuckDBPyConnection, name: str, path: Path, draft: Path) -> None:
    before = path.stat()
    os.utime(draft, ns=(before.st_atime_ns, before.st_mtime_ns))
    draft.chmod(before.st_mode & 0o777)
    # The rewritten file counts as a repeat of itself. The record of the old one stays, so that it is known when it comes again.
    con.execute(
        """
        insert into lake.raw.landing_files by name
        select landing_file, source, $sha256 as sha256, $bytes as bytes, modified_ns, 0 as rows_read, 0 as rows_landed,
            0 as rows_rejected, landing_file as duplicate_of, batch_id, $now as ingested_at
        from lake.raw.landing_files as landed
        where landing_file = $name and bytes = $before and modified_ns = $modified
            and not exists (
                select 1 from lake.raw.landing_files as known
                where known.landing_file = $name and known.bytes = $bytes and known.modified_ns = $modified
            )
        limit 1
        """,
        {
            "name": name,
            "before": before.st_size,
            "modified": before.st_mtime_ns,
            "bytes": draft.stat().st_size,
            "sha256": sha256_of(draft),
            "now": datetime.now(UTC),
        },
    )
    put_in_place(draft, path)


def _rewrite(path: Path, draft: Path, judge: "_Judge") -> None:
    """Write `draft` as `path`, without what the judge finds."""
    if path.name.endswith(".parquet") or path.name.endswith(".parquet.tmp"):
        try:
            _parquet(path, draft, judge)
        except pa.ArrowException:
            _masked(path, draft, judge)
    else:
        with draft.open("wb") as raw:
            if is_gzip(path):
                # always the same bytes for the same rows, so that a second try knows its file again
                with gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") as packed:
                    _text_rows(path, packed, judge)
            else:
                _text_rows(path, raw, judge)
            raw.flush()
            os.fsync(raw.fileno())


class _Judge:
    """Says of each row what stays of it, and counts those that are not left as they were."""

    def __init__(self, person: Person, traces: Traces, source: str, forgotten: Forgotten | None) -> None:
        self._all = [person] if forgotten is None else [person, forgotten]
        self.traces = traces
        self.source = source
        self.count = 0

    def row(self, row: dict[str, Any]) -> dict[str, Any] | None:
        kept: dict[str, Any] | None = row
        for somebody in self._all:
            kept = None if kept is None else without_person(somebody, self.traces, self.source, kept)
        self.count += kept != row
        return kept

    def text(self, text: str) -> bool:
        """Whether a row that can't be parsed may stay."""
        is_theirs = any(is_about(somebody, self.traces, self.source, text) for somebody in self._all)
        self.count += is_theirs
        return not is_theirs


def _text_rows(path: Path, out: BinaryIO | gzip.GzipFile, judge: _Judge) -> None:
    lines = lines_of(path)
    if ".csv" in path.name:
        _csv(lines, out, judge)
        return
    for line in lines:
        out.write(_json_line(line, judge))


def _json_line(line: bytes, judge: _Judge) -> bytes:
    text = line.decode(errors="surrogateescape")
    try:
        # a fraction as the text it is, which the contract takes as well: none loses a digit
        row = json.loads(text.removeprefix("\ufeff"), parse_float=str)
    except ValueError:
        return line if judge.text(text) else b""
    if not isinstance(row, dict):
        return line if judge.text(text) else b""
    kept = judge.row(row)
    if kept == row:
        return line
    return b"" if kept is None else json.dumps(kept, ensure_ascii=False).encode(errors="surrogateescape") + b"\n"


def _csv(lines: Iterator[bytes], out: BinaryIO | gzip.GzipFile, judge: _Judge) -> None:
    head = b""
    for head in lines:
        out.write(head)
        if head.strip():
            break
    delimiter, names = csv_header(head, judge.source)
    for record in _records(lines):
        text = record.decode(errors="surrogateescape")
        fields = next(csv.reader(io.StringIO(text.rstrip("\r\n"), newline=""), delimiter=delimiter), [])
        if len(fields) != len(names):
            for line in record.splitlines(keepends=True):
                out.write(line if judge.text(line.decode(errors="surrogateescape")) else b"")
            continue
        row = dict(zip(names, fields, strict=True))
        kept = judge.row(row)
        if kept == row:
            out.write(record)
        elif kept is not None:
            line = io.StringIO(newline="")
            csv.writer(line, delimiter=delimiter, lineterminator="\n").writerow(
                ["" if kept.get(name) is None else kept[name] for name in names]
            )
            out.write(line.getvalue().encode(errors="surrogateescape"))


def _records(lines: Iterator[bytes]) -> Iterator[bytes]:
    """CSV records: lines up to an even number of quotes. Where a quote is never closed, line by line."""
    waiting: list[bytes] = []
    quotes = 0
    for line in lines:
        waiting.append(line)
        quotes += line.count(b'"')
        if quotes % 2 == 0:
            yield b"".join(waiting)
            waiting, quotes = [], 0
    yield from waiting


def _parquet(path: Path, draft: Path, judge: _Judge) -> None:
    with pq.ParquetFile(path) as file:
        schema = file.schema_arrow
        nullable = pa.schema([field.with_nullable(True) for field in schema], schema.metadata)
        with pq.ParquetWriter(draft, nullable, compression=_compression(file)) as out:
            for number in range(file.num_row_groups):
                table = file.read_row_group(number)
                out.write_table(_kept(table, judge).cast(nullable))


def _kept(table: pa.Table, judge: _Judge) -> pa.Table:
    rows = table.to_pylist()
    stays, changed = [], {}
    for number, row in enumerate(rows):
        told = {name: _told(value) for name, value in row.items()}
        kept = judge.row(told)
        stays.append(kept is not None)
        if kept is not None and kept != told:
            changed[number] = {
                name: value if kept.get(name) == told[name] else kept.get(name) for name, value in row.items()
            }
    if changed:
        rows = [changed.get(number, row) for number, row in enumerate(rows)]
        nullable = pa.schema([field.with_nullable(True) for field in table.schema], table.schema.metadata)
        table = pa.Table.from_pylist(rows, schema=nullable)
    return table.filter(pa.array(stays, pa.bool_()))


def _told(value: Any) -> Any:
    """A value of a Parquet file as JSON would tell it, as far as the rules look at it."""
    if isinstance(value, bytes):
        return value.decode(errors="surrogateescape")
    return value.isoformat() if isinstance(value, datetime) else value


def _compression(file: pq.ParquetFile) -> str:
    used = file.metadata.row_group(0).column(0).compression if file.num_row_groups else "SNAPPY"
    return "NONE" if used == "UNCOMPRESSED" else used


def _masked(path: Path, draft: Path, judge: _Judge) -> None:
    """A file that is not what its name says: the addresses in it are made x."""
    content = path.read_bytes()
    masked = judge.traces.masked(content)
    judge.count += masked != content
    draft.write_bytes(masked)


def _words(person: Person, traces: Traces) -> list[bytes]:
    names = {*person.addresses, *person.devices, *person.shared_devices, *person.orders, *person.accounts}
    return sorted({word.lower().encode() for word in (*traces.words, *names)})
