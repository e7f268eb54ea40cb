"""Landing files whose rows are in `raw` go to `$DATA_DIR/archive`, so that landing/ holds what is new and little else.

    small .jsonl files      put together, a file a source and day: archive/orders/2026-11/2026-11-25.jsonl.gz
    all others              as they are, under a name of their own: archive/orders/2026-11/<hash>-export.csv

The archive has the folders of landing/ and formats that ingest reads, so a warehouse can be made anew from both. A file leaves
landing/ only when what is archived is safely on disk and noted in raw.archived_files; killed in between, rows may stand in the
archive twice, which is no harm, since the same event may arrive any number of times. What was archived and is delivered again is
known, and goes at once.
"""

import gzip
import hashlib
import io
import logging
import os
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from orchestration.core.contracts import SOURCES
from orchestration.files import copy_file, make_folder, sync_folders
from orchestration.resources.landing_disk import on_disk
from orchestration.resources.landing_known import at_hand
from orchestration.resources.landing_read import BOM, LandingFile
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings

log = logging.getLogger(__name__)

SMALL = 1 << 20
# Files that move under one hold of the writer's lock: some seconds of others' waiting.
AT_A_TIME = 10_000
QUIET_SECONDS = 86_400
DRAFT = ".archiving.tmp"  # a name that ingest passes over

_DUE = """
    select at_hand.path, any_value(landed.sha256), any_value(archived.archive_file)
    from at_hand
    join lake.raw.landing_files as landed
        on at_hand.path = landed.landing_file and at_hand.bytes = landed.bytes
        and at_hand.modified_ns = landed.modified_ns
    left join lake.raw.archived_files as archived
        on at_hand.path = archived.landing_file and at_hand.bytes = archived.bytes
        and at_hand.modified_ns = archived.modified_ns
    where landed.ingested_at < ?
    group by at_hand.path
    order by any_value(at_hand.source), min(landed.batch_id), at_hand.path
    limit ?
"""
_NOTED = pa.schema(
    [
        ("landing_file", pa.string()),
        ("bytes", pa.int64()),
        ("modified_ns", pa.int64()),
        ("archive_file", pa.string()),
        ("archived_at", pa.timestamp("us", tz="UTC")),
    ]
)


@dataclass(frozen=True)
class _Due:
    """A file that may go. `archive_file` is where it is archived already, if it is."""

    path: Path
    file: LandingFile
    sha256: str
    archive_file: str | None

    @property
    def is_small(self) -> bool:
        return self.file.format == "jsonl" and self.file.bytes <= SMALL


def archive_landing(settings: Settings, warehouse: Warehouse, *, before: datetime) -> int:
    """Archive what was ingested before that time. Gives how many files left landing/. Raises WarehouseBusy."""
    gone = 0
    while True:
        with warehouse.writer(why="archiving landing files") as con:
            some = _archive_some(con, settings, before)
        gone += some
        if some < AT_A_TIME:
            break
    _sweep_folders(settings.landing_dir)
    return gone


def _archive_some(con: duckdb.DuckDBPyConnection, settings: Settings, before: datetime) -> int:
    archive, now = settings.archive_dir, datetime.now(UTC)
    for left_over in archive.rglob(f"*{DRAFT}"):
        left_over.unlink()
    due = _due(con, settings.landing_dir, before)
    safe = [one for one in due if one.archive_file and _content(one) is not None]
    for source in SOURCES:
        own = [one for one in due if one.file.source == source and not one.archive_file]
        safe += _pack(con, archive, [one for one in own if one.is_small], now)
        safe += _keep(con, archive, [one for one in own if not one.is_small], now)
    for one in safe:
        one.path.unlink(missing_ok=True)
    return len(safe)


def _due(con: duckdb.DuckDBPyConnection, root: Path, before: datetime) -> list[_Due]:
    files = {file.path: file for file in on_disk(root)}
    with at_hand(con, list(files.values())):
        rows = con.execute(_DUE, [before, AT_A_TIME]).fetchall()
    return [_Due(root / path, files[path], sha256, archive_file) for path, sha256, archive_file in rows]


def _pack(con: duckdb.DuckDBPyConnection, archive: Path, due: Sequence[_Due], now: datetime) -> list[_Due]:
    """Add small files to the day's. Gives those that are safe."""
    safe, packed = [], io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0, filename="") as out:
        for one in due:
            content = _content(one)
            if content is not None:
                lines = content.removeprefix(BOM)
                out.write(lines if lines.endswith(b"\n") or not lines else lines + b"\n")
                safe.append(one)
    if safe:
        name = f"{safe[0].file.source}/{now:%Y-%m}/{now:%Y-%m-%d}.jsonl.gz"
        draft = _draft(archive / name)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            if (archive / name).exists():
                with (archive / name).open("rb") as earlier:
                    shutil.copyfileobj(earlier, file)
            file.write(packed.getvalue())  # a gzip file may be several in a row
            file.flush()
            os.fsync(file.fileno())
        _name(draft, archive / name)
        _note(con, [(one.file, name) for one in safe], now)
    return safe


def _keep(con: duckdb.DuckDBPyConnection, archive: Path, due: Sequence[_Due], now: datetime) -> list[_Due]:
    """Copy files as they are. Gives those that are safe."""
    safe: list[tuple[_Due, str]] = []
    for one in due:
        # by time, as the packed are: should they ever land again, the later of two in a batch has to have the greater name
        name = f"{one.file.source}/{now:%Y-%m}/{now:%Y-%m-%dT%H%M%S}-{one.sha256[:12]}-{one.path.name}"
        draft = _draft(archive / name)
        try:
            is_as_landed = copy_file(one.path, draft, 0o600) == one.sha256
        except FileNotFoundError:
            continue
        if is_as_landed:
            _name(draft, archive / name)
            safe.append((one, name))
        else:
            _warn(one)
    if safe:
        _note(con, [(one.file, name) for one, name in safe], now)
    return [one for one, _ in safe]


def _content(one: _Due) -> bytes | None:
    """A file's content, if it is what landed."""
    try:
        content = one.path.read_bytes()
    except FileNotFoundError:
        return None
    if hashlib.sha256(content).hexdigest() == one.sha256:
        return content
    _warn(one)
    return None


def _warn(one: _Due) -> None:
    log.warning("landing/%s was changed after it had landed; it is left where it is.", one.file.path)


def _draft(path: Path) -> Path:
    make_folder(path.parent)
    return path.with_name(f".{path.name}{DRAFT}")


def _name(draft: Path, path: Path) -> None:
    draft.replace(path)
    sync_folders([path.parent])


def _note(con: duckdb.DuckDBPyConnection, files: Sequence[tuple[LandingFile, str]], now: datetime) -> None:
    rows = [
        {
            "landing_file": file.path,
            "bytes": file.bytes,
            "modified_ns": file.modified_ns,
            "archive_file": name,
            "archived_at": now,
        }
        for file, name in files
    ]
    con.register("noted", pa.Table.from_pylist(rows, schema=_NOTED))
    con.execute("insert into lake.raw.archived_files by name from noted")
    con.unregister("noted")


def _sweep_folders(root: Path) -> None:
    """Take away the empty folders that files were sorted into; one that somebody is just about to use is not a day old."""
    for source in SOURCES:
        for folder in sorted((root / source).rglob("*"), reverse=True):
            is_quiet = folder.is_dir() and time.time() - folder.stat().st_mtime > QUIET_SECONDS
            if is_quiet and not any(part.startswith(".") for part in folder.relative_to(root).parts):
                with suppress(OSError):  # not empty
                    folder.rmdir()
