"""A person out of the files that are neither tables nor landing files: rejects handed out to be mended, logs, what dbt leaves
behind, outputs that Dagster kept.

A server may be adding to a log, so nothing is moved there: the address is made x where it stands.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path

from orchestration.core.erasure import Person, Traces, is_about
from orchestration.core.mending import original_of
from orchestration.files import write_privately
from orchestration.resources.erasure_sqlite import is_sqlite
from orchestration.settings import Settings

BLOCK = 1 << 20
LEFT_OVER_SECONDS = 86_400


def sqlite_files(settings: Settings) -> list[Path]:
    """Every SQLite file of the data folder but the catalogue."""
    return [path for path in _files(settings) if path != settings.catalog_path and is_sqlite(path)]


def scrub_mending(settings: Settings, person: Person, traces: Traces) -> int:
    """Take the person's lines out of files of rejects that were handed out to be mended. Gives how many there were."""
    gone = 0
    for path in sorted((settings.data_dir / "mending").glob("*.jsonl")):
        lines = path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
        kept = [line for line in lines if not _is_theirs(line, person, traces)]
        if len(kept) < len(lines):
            write_privately(path, "\n".join(kept))
            gone += len(lines) - len(kept)
    return gone


def _is_theirs(line: str, person: Person, traces: Traces) -> bool:
    try:
        told = json.loads(line)
        parts = [original_of(told), json.dumps(told.get("row"), ensure_ascii=False)]
    except (ValueError, AttributeError):
        return traces.are_in(line)
    return any(is_about(person, traces, str(told.get("source")), part) for part in [line, *parts])


def mask_files(settings: Settings, traces: Traces) -> int:
    """Make the addresses x in every file that is nothing else's to clean. Gives the number of files that held one."""
    beside = {
        f"{path}{end}" for path in (settings.catalog_path, *sqlite_files(settings)) for end in ("", "-wal", "-shm")
    }
    return sum(_mask(path, traces) for path in _files(settings) if str(path) not in beside)


def sweep_spill(settings: Settings) -> int:
    """Delete what queries of killed processes had spilled to disk: untouched for a day. Gives the number of files."""
    folder = settings.data_dir / "tmp"
    old = [
        path
        for path in (folder.rglob("*") if folder.exists() else ())
        if path.is_file() and time.time() - path.stat().st_mtime > LEFT_OVER_SECONDS
    ]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def _files(settings: Settings) -> Iterator[Path]:
    apart = (
        settings.lake_dir,
        settings.landing_dir,
        settings.archive_dir,
        settings.keys_dir,
        settings.data_dir / "tmp",
        settings.data_dir / "erasing",
    )
    for path in sorted(settings.data_dir.rglob("*")):
        if path.is_file() and not path.is_symlink() and not any(path.is_relative_to(folder) for folder in apart):
            yield path


def _mask(path: Path, traces: Traces) -> bool:
    longest = 2 * max(map(len, traces.words), default=0) + 8
    found = False
    with path.open("r+b") as file:
        at = 0
        while content := file.read(BLOCK):
            masked = traces.masked(content)
            if masked != content:
                found = True
                file.seek(at)
                file.write(masked)
            if len(content) < BLOCK:
                break
            at += BLOCK - longest  # the next block begins before the end of this one, which may cut an address in two
            file.seek(at)
    return found
