"""One transaction's worth of landing files: what is a repeat, what lands, what is rejected, and that the sums come out."""

import logging
from collections import Counter
from datetime import UTC, datetime
from itertools import chain

import duckdb
import pyarrow as pa

from orchestration.core.contracts import SOURCES, Source
from orchestration.core.errors import WarehouseError
from orchestration.resources import forgotten
from orchestration.resources.keys import contact_key
from orchestration.resources.landing_ahead import Ahead
from orchestration.resources.landing_forgotten import REASON as FORGOTTEN
from orchestration.resources.landing_known import landed_like, unknown_files
from orchestration.resources.landing_noted import MARKED_LINES, Noted
from orchestration.resources.landing_read import LandingFile, Reading, lines, sha256
from orchestration.resources.landing_replayed import is_replayed
from orchestration.resources.landing_report import IngestReport, SourceReport
from orchestration.resources.landing_sql import insert_sql, unknown_fields, usual_sql
from orchestration.resources.landing_tables import csv_rows, parquet_rows
from orchestration.resources.warehouse import next_batch
from orchestration.settings import Settings

log = logging.getLogger(__name__)

SAMPLE = 2048
SHARE_ALIKE = 0.99
LARGEST_ORIGINAL = 64 << 20
REJECT = "insert into lake.raw.rejects (landing_file, line, reason, original, source, batch_id, ingested_at, status)"
# What a person who was erased is not to have landed has no original, and nobody is to mend it.
STATUS = f"case when reason = '{FORGOTTEN}' then 'dismissed' else 'open' end"

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


class Batch:
    """One transaction's worth of files."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        settings: Settings,
        noted: Noted,
        files: list[LandingFile],
        broken: dict[str, str],
    ) -> None:
        self.report = IngestReport()
        self._noted = noted
        self._con = con
        self._root = settings.landing_dir
        self._broken = broken
        self._files = unknown_files(con, files)
        self._landed = landed_like(con, self._files)
        paths = {file.path for file in self._landed}
        self.report.changed = [file.path for file in self._files if file.path in paths]
        self._batch_id = next_batch(con)
        self._ingested_at = datetime.now(UTC)
        self._key = contact_key(settings)
        self._forgets = forgotten.lay_out(con, settings)
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
        originals = [file for file in self._landed if file.duplicate_of is None]
        first = {(file.source, file.sha256): file.path for file in originals}
        seen_sizes = {(file.source, file.bytes) for file in originals}
        duplicates = {}
        for file in self._files:
            is_alone = sizes[file.source, file.bytes] == 1 and (file.source, file.bytes) not in seen_sizes
            # rejects that were put back as they are may be all that their file was
            if file.bytes == 0 or is_alone or is_replayed(file.path):
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
        self._account(source, list(readings.values()), landed)

    def _lines(self, readings: list[Reading], source: Source) -> int:
        """Land files that are lines of JSON, all in one statement. Returns the number of rows landed."""
        with Ahead(batch for reading in readings for batch in lines(self._root, reading)) as ahead:
            batches = ahead.batches()
            head = next(batches, None)
            if head is None:
                return 0
            self._con.register("sample", pa.Table.from_batches([head.slice(0, SAMPLE)]))
            usual, shape = self._usual("sample")
            self._con.unregister("sample")
            marked = self._noted.marked(chain([head], batches), is_known=bool(shape))
            with ahead.arriving(self._con, marked, MARKED_LINES):
                landed = self._insert(source, relation="arriving", original="text", usual=usual, shape=shape)
        self._take_down(source, readings, usual)
        return landed

    def _table(self, reading: Reading, source: Source) -> int:
        """Land one CSV or Parquet file. Returns the number of rows landed."""
        if reading.file.bytes == 0:
            reading.sha256 = sha256(self._root, reading.file)
            return 0
        rows = csv_rows if reading.file.format == "csv" else parquet_rows
        table = rows(self._con, self._root, source, reading)
        if table is None:
            return 0
        usual, shape = self._usual(f"(from {table} limit {SAMPLE})")
        marked = f"(select *, {bool(shape)} as is_alike from {table})"
        landed = self._insert(source, relation=marked, original="original", usual=usual, shape=shape)
        self._take_down(source, [reading], usual)
        return landed

    def _usual(self, relation: str) -> tuple[list[str], list[str]]:
        """The usual fields of a relation's rows, and again those that nearly all have, if a struct can have them: it must tell
        their names apart without their capitals."""
        fields, share = self._con.execute(usual_sql(relation)).fetchone()
        if not fields or len(set(fields)) < len(fields):
            return [], []
        can_be = all(fields) and len({name.lower() for name in fields}) == len(fields)
        return fields, fields if can_be and share >= SHARE_ALIKE else []

    def _insert(self, source: Source, *, relation: str, original: str, usual: list[str], shape: list[str]) -> int:
        """Land a relation's rows. Returns the number of rows landed."""
        sql = insert_sql(source, relation=relation, original=original, usual=usual, shape=shape, forgets=self._forgets)
        values = {"key": self._key, "batch_id": self._batch_id, "ingested_at": self._ingested_at}
        used = {name: value for name, value in values.items() if f"${name}" in sql}
        return self._con.execute(sql, used).fetchone()[0]

    def _take_down(self, source: Source, readings: list[Reading], usual: list[str]) -> None:
        """Write the rejects that were noted, and count the fields that no contract names: where a row was noted, its own; every
        other row has those of the usual ones."""
        plain = {reading.file.path: reading.rows_read - len(reading.set_aside) for reading in readings}
        unknown: Counter[tuple[str, str]] = Counter()
        noted = self._noted.take()
        if noted is not None:
            self._con.register("noted", noted)
            self._con.execute(
                f"{REJECT} select landing_file, line, reason, encode(rtrim(original, chr(10))), ?, ?, ?, {STATUS} from noted "
                "where reason is not null",
                [source.name, self._batch_id, self._ingested_at],
            )
            rows = dict(self._rows("select landing_file, count(*) from noted group by all"))
            rejects = dict(self._rows("select landing_file, count(reason) from noted group by all"))
            for path, name, count in self._rows(
                "select landing_file, name, count(*) from (select landing_file, unnest(unknown) as name from noted) group by all"
            ):
                unknown[path, name] = count
            self._con.unregister("noted")
            for reading in readings:
                plain[reading.file.path] -= rows.get(reading.file.path, 0)
                reading.rejects += rejects.get(reading.file.path, 0)
        for reading in readings:
            path = reading.file.path
            for name in unknown_fields(source, usual):
                unknown[path, name] += plain[path]
            reading.unknown_fields = {name: count for (of, name), count in unknown.items() if of == path and count}

    def _rows(self, query: str) -> list[tuple]:
        return self._con.execute(query).fetchall()

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

    def _account(self, source: Source, readings: list[Reading], landed: int) -> None:
        """Write the rejects that were set aside, sum up what the source's files brought, and make sure that no row is missing."""
        aside = [
            {"landing_file": reading.file.path, "line": line, "reason": reason, "original": original}
            for reading in readings
            for line, reason, original in reading.set_aside
        ]
        if aside:
            self._con.register("aside", pa.Table.from_pylist(aside, schema=ASIDE))
            self._con.execute(
                f"{REJECT} select landing_file, line, reason, original, ?, ?, ?, {STATUS} from aside",
                [source.name, self._batch_id, self._ingested_at],
            )
            self._con.unregister("aside")
        report = self.report.per_source[source.name]
        for reading in readings:
            reading.rejects += len(reading.set_aside)
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
