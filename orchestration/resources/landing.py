"""landing/ → raw.*: every new file once, all of a batch in one transaction (DESIGN 3, 4).

files ──► lines (landing_read) ──► one INSERT a source (landing_sql) ──► raw.<source>
              │ no text at all            │ a rule broken, a field unknown
              ▼                           ▼
          raw.rejects  ◄──────────────  noted            raw.landing_files: what became of each file
"""

import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import duckdb
import pyarrow as pa

from orchestration.core.contracts import SOURCES, Source
from orchestration.core.errors import NoBuildYet, WarehouseError
from orchestration.resources.keys import contact_key
from orchestration.resources.landing_read import LINES, Ahead, LandingFile, Reading, Unreadable, Unsteady, lines, sha256
from orchestration.resources.landing_sql import insert_sql, shapes_sql
from orchestration.resources.landing_tables import csv_rows, parquet_rows
from orchestration.resources.warehouse import Warehouse, next_batch
from orchestration.settings import Settings

log = logging.getLogger(__name__)

FORMATS = ("jsonl", "jsonl.gz", "csv", "parquet")
UNFINISHED = (".tmp", ".part")
SAMPLE = 2048
LARGEST_ORIGINAL = 64 << 20

FILES = pa.schema(
    [
        ("landing_file", pa.string()),
        ("source", pa.string()),
        ("sha256", pa.string()),
        ("bytes", pa.int64()),
        ("modified_ns", pa.int64()),
        ("rows_read", pa.int64()),
        ("rows_landed", pa.int64()),
        ("rows_rejected", pa.int64()),
        ("unknown_fields", pa.map_(pa.string(), pa.int64())),
        ("duplicate_of", pa.string()),
    ]
)


ASIDE = pa.schema(
    [("landing_file", pa.string()), ("line", pa.int64()), ("reason", pa.string()), ("original", pa.large_binary())]
)


@dataclass
class SourceReport:
    """What one source's new files brought. `unknown_fields` counts the rows that had a field no contract names."""

    files: int = 0
    rows_read: int = 0
    rows_landed: int = 0
    rejects: int = 0
    duplicates: int = 0
    unknown_fields: Counter[str] = field(default_factory=Counter)


@dataclass
class IngestReport:
    """What a batch did. `duplicates` maps a file to the one whose content it repeats; `changed` names files that had landed
    with other content; `left` those that could not be read now, with the reason: they are tried again next time."""

    batch_id: int | None = None
    per_source: dict[str, SourceReport] = field(default_factory=dict)
    duplicates: dict[str, str] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)

    @property
    def files(self) -> int:
        return sum(source.files for source in self.per_source.values())


def new_files(settings: Settings, warehouse: Warehouse) -> list[LandingFile]:
    """The files under landing/ that have not been ingested as they are now, in order of their path. Reads no content."""
    found = _on_disk(settings.landing_dir)
    if not found:
        return []
    try:
        with warehouse.latest() as con:
            landed = _landed(con)
    except NoBuildYet:
        return found
    return [file for file in found if (file.bytes, file.modified_ns) not in landed.get(file.path, ())]


def ingest(settings: Settings, warehouse: Warehouse, files: Iterable[LandingFile] | None = None) -> IngestReport:
    """Land `files`, or every new one, in one transaction: killed in the middle, nothing has happened.

    A file that was landed meanwhile is passed over. Raises WarehouseBusy; a file that can't be opened raises nothing, it is
    named in `left` and in the log.
    """
    wanted = new_files(settings, warehouse) if files is None else list(files)
    if not wanted:
        return IngestReport()
    broken: dict[str, str] = {}
    left: dict[str, str] = {}
    with warehouse.writer(why="ingest") as con:
        noted = _Noted(con)
        while True:
            noted.take()
            con.execute("begin")
            try:
                batch = _Batch(con, settings, noted, [file for file in wanted if file.path not in left], broken)
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
    try:
        entries = list(os.scandir(root / folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if entry.name.startswith((".", "_")) or entry.name.endswith(UNFINISHED):
            continue
        path = f"{folder}/{entry.name}"
        if entry.is_dir():
            yield from _under(root, path, source)
            continue
        format = next((known for known in FORMATS if entry.name.endswith("." + known)), None)
        if format is None:
            continue
        try:
            stat = entry.stat()
        except FileNotFoundError:
            continue
        yield LandingFile(path, source, format, stat.st_size, stat.st_mtime_ns)


def _landed(con: duckdb.DuckDBPyConnection) -> dict[str, set[tuple[int, int]]]:
    landed: dict[str, set[tuple[int, int]]] = {}
    for path, size, modified in con.execute(
        "select landing_file, bytes, modified_ns from lake.raw.landing_files"
    ).fetchall():
        landed.setdefault(path, set()).add((size, modified))
    return landed


class _Batch:
    """One transaction's worth of files."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        settings: Settings,
        noted: "_Noted",
        files: list[LandingFile],
        broken: dict[str, str],
    ) -> None:
        self.report = IngestReport()
        self._noted = noted
        self._con = con
        self._root = settings.landing_dir
        self._broken = broken
        landed = _landed(con)
        self._files = [file for file in files if (file.bytes, file.modified_ns) not in landed.get(file.path, ())]
        self.report.changed = [file.path for file in self._files if file.path in landed]
        self._batch_id = next_batch(con)
        self._ingested_at = datetime.now(UTC)
        self._key = contact_key(settings)
        self._readings: list[Reading] = []

    def run(self) -> None:
        if not self._files:
            return
        self.report.batch_id = self._batch_id
        self.report.duplicates = self._duplicates()
        for name, source in SOURCES.items():
            files = [file for file in self._files if file.source == name]
            if files:
                self.report.per_source[name] = SourceReport(files=len(files))
                self._land(source, [file for file in files if file.path not in self.report.duplicates])
        self._record()

    def _duplicates(self) -> dict[str, str]:
        """Files whose content is there already, under any name. Only files of one size can be the same, so few are read."""
        sizes = Counter((file.source, file.bytes) for file in self._files)
        first: dict[tuple[str, str], str] = {}
        seen_sizes = set()
        for source, digest, size, path in self._con.execute(
            "select source, sha256, bytes, landing_file from lake.raw.landing_files where duplicate_of is null"
        ).fetchall():
            first[source, digest] = path
            seen_sizes.add((source, size))
        duplicates = {}
        for file in self._files:
            if file.bytes == 0 or (sizes[file.source, file.bytes] == 1 and (file.source, file.bytes) not in seen_sizes):
                continue
            digest = sha256(self._root, file)
            original = first.setdefault((file.source, digest), "")
            if not original:
                first[file.source, digest] = file.path
                continue
            duplicates[file.path] = original
            self._readings.append(Reading(file, sha256=digest))
        return duplicates

    def _land(self, source: Source, files: list[LandingFile]) -> None:
        readings = {file.path: Reading(file) for file in files}
        whole = [reading for reading in readings.values() if reading.file.path not in self._broken]
        landed = self._lines([reading for reading in whole if reading.file.format.startswith("jsonl")], source)
        for reading in whole:
            if not reading.file.format.startswith("jsonl"):
                landed += self._table(reading, source)
        for path, reading in readings.items():
            if path in self._broken:
                self._reject_file(reading)
        self._readings += readings.values()
        self._account(source, readings, self._noted.take(), landed)

    def _lines(self, readings: list[Reading], source: Source) -> int:
        """Land files that are lines of JSON, all in one statement. Returns the number of rows landed."""
        with Ahead(batch for reading in readings for batch in lines(self._root, reading)) as ahead:
            batches = ahead.batches()
            head = next(batches, None)
            if head is None:
                return 0
            self._con.register("sample", pa.Table.from_batches([head.slice(0, SAMPLE)]))
            shapes = self._shapes(source, "sample")
            self._con.unregister("sample")
            self._con.register("arriving", pa.RecordBatchReader.from_batches(LINES, chain([head], batches)))
            try:
                return self._insert(source, relation="arriving", original="text", clean_shapes=shapes)
            except duckdb.Error:
                if ahead.error is not None:
                    raise ahead.error from None
                raise
            finally:
                self._con.unregister("arriving")

    def _table(self, reading: Reading, source: Source) -> int:
        """Land one CSV or Parquet file. Returns the number of rows landed."""
        if reading.file.bytes == 0:
            reading.sha256 = sha256(self._root, reading.file)
            return 0
        rows = csv_rows if reading.file.format == "csv" else parquet_rows
        table = rows(self._con, self._root, source, reading)
        if table is None:
            return 0
        shapes = self._shapes(source, f"(from {table} limit {SAMPLE})")
        return self._insert(source, relation=table, original="original", clean_shapes=shapes)

    def _shapes(self, source: Source, relation: str) -> str:
        shapes = [0, *(shape for (shape,) in self._con.execute(shapes_sql(source, relation)).fetchall())]
        return "(" + ", ".join(f"{shape}::ubigint" for shape in shapes) + ")"

    def _insert(self, source: Source, *, relation: str, original: str, clean_shapes: str) -> int:
        sql = insert_sql(source, relation=relation, original=original, clean_shapes=clean_shapes)
        values = {"key": self._key, "batch_id": self._batch_id, "ingested_at": self._ingested_at}
        used = {name: value for name, value in values.items() if f"${name}" in sql}
        return self._con.execute(sql, used).fetchone()[0]

    def _reject_file(self, reading: Reading) -> None:
        """A file that can't be unpacked or parsed is one reject, with its bytes (a very large one: its beginning)."""
        reading.sha256 = sha256(self._root, reading.file)
        with (self._root / reading.file.path).open("rb") as file:
            original = file.read(LARGEST_ORIGINAL)
        cut = (
            ""
            if reading.file.bytes <= LARGEST_ORIGINAL
            else f"; only its first {LARGEST_ORIGINAL >> 20} MB are kept here"
        )
        reading.reject(None, self._broken[reading.file.path] + cut, original)

    def _account(self, source: Source, readings: dict[str, Reading], noted: pa.Table | None, landed: int) -> None:
        """Write the rejects, count what each file brought, and make sure that not a row is missing."""
        tail = [source.name, self._batch_id, self._ingested_at]
        aside = [
            {"landing_file": path, "line": line, "reason": reason, "original": original}
            for path, reading in readings.items()
            for line, reason, original in reading.set_aside
        ]
        for reading in readings.values():
            reading.rejects = len(reading.set_aside)
        if aside:
            self._con.register("aside", pa.Table.from_pylist(aside, schema=ASIDE))
            self._con.execute(
                "insert into lake.raw.rejects (landing_file, line, reason, original, source, batch_id, ingested_at) "
                "select landing_file, line, reason, original, ?, ?, ? from aside",
                tail,
            )
            self._con.unregister("aside")
        if noted is not None:
            self._con.register("noted", noted)
            self._con.execute(
                "insert into lake.raw.rejects (landing_file, line, reason, original, source, batch_id, ingested_at) "
                "select landing_file, line, reason, encode(rtrim(text, chr(10))), ?, ?, ? from noted where reason is not null",
                tail,
            )
            for path, rejects in self._con.execute(
                "select landing_file, count(*) from noted where reason is not null group by all"
            ).fetchall():
                readings[path].rejects += rejects
            known = [field.name for field in source.fields]
            for path, name, rows in self._con.execute(
                "select landing_file, name, count(*) from "
                "(select landing_file, unnest(list_distinct(keys)) as name from noted) where name not in ? group by all",
                [known],
            ).fetchall():
                readings[path].unknown_fields[name] = rows
            self._con.unregister("noted")
        report = self.report.per_source[source.name]
        for reading in readings.values():
            report.rows_read += reading.rows_read
            report.rejects += reading.rejects
            report.unknown_fields.update(reading.unknown_fields)
        report.rows_landed = landed
        if report.rows_read != landed + report.rejects:
            raise WarehouseError(
                f"{report.rows_read} rows of {source.name} were read, {landed} landed and {report.rejects} were rejected: "
                "the sum is wrong, so nothing was landed. Please report this with the files."
            )

    def _record(self) -> None:
        """One row of raw.landing_files for each file of the batch."""
        rows = [
            {
                "landing_file": reading.file.path,
                "source": reading.file.source,
                "sha256": reading.sha256,
                "bytes": reading.file.bytes,
                "modified_ns": reading.file.modified_ns,
                "rows_read": reading.rows_read,
                "rows_landed": reading.rows_read - reading.rejects,
                "rows_rejected": reading.rejects,
                "unknown_fields": list(reading.unknown_fields.items()),
                "duplicate_of": self.report.duplicates.get(reading.file.path),
            }
            for reading in self._readings
        ]
        self._con.register("files", pa.Table.from_pylist(rows, schema=FILES))
        names = ", ".join(FILES.names)
        self._con.execute(
            f"insert into lake.raw.landing_files ({names}, batch_id, ingested_at) select {names}, ?, ? from files",
            [self._batch_id, self._ingested_at],
        )
        self._con.unregister("files")
        for path, original in self.report.duplicates.items():
            self.report.per_source[path.split("/", 1)[0]].duplicates += 1
            log.info("landing/%s repeats landing/%s: nothing landed again.", path, original)
        for path in self.report.changed:
            log.warning("landing/%s was changed after it had landed; it was taken as a new file.", path)


class _Noted:
    """Rows that are not plainly good, as DuckDB meets them: rejects, and rows with fields that no contract names.

    A statement has one output; this is the second. DuckDB calls it with whole vectors of such rows, and not at all for others.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._tables: list[pa.Table] = []
        con.create_function(
            "note",
            self._note,
            ["varchar", "bigint", "varchar", "varchar", "varchar[]"],
            "boolean",
            type="arrow",
            side_effects=True,
            null_handling="special",
        )

    def take(self) -> pa.Table | None:
        """What was noted since the last time, if anything."""
        tables, self._tables = self._tables, []
        return pa.concat_tables(tables) if tables else None

    def _note(
        self,
        landing_file: pa.ChunkedArray,
        line: pa.ChunkedArray,
        reason: pa.ChunkedArray,
        text: pa.ChunkedArray,
        keys: pa.ChunkedArray,
    ) -> pa.ChunkedArray:
        columns = {"landing_file": landing_file, "line": line, "reason": reason, "text": text, "keys": keys}
        self._tables.append(pa.table(columns))
        return reason.is_null()
