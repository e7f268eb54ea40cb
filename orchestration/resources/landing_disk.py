"""What lies under landing/, by names and times; no content is read."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

from orchestration.core.contracts import SOURCES
from orchestration.resources.landing_read import LandingFile
from orchestration.settings import Settings

FORMATS = ("jsonl", "jsonl.gz", "csv", "parquet")
UNFINISHED = (".tmp", ".part")
# File systems round times; a folder that changed this short a time ago may change again and show the same time.
COARSEST_CLOCK_NS = 2_000_000_000


def on_disk(root: Path) -> list[LandingFile]:
    """Every file of a source, in order of their path."""
    found = [file for name in SOURCES for file in _under(root, name)]
    return sorted(found, key=lambda file: file.path)


def file_on_disk(root: Path, path: str) -> LandingFile | None:
    """The file of a path under landing/; None where it is gone, or no source's."""
    format = _format(path)
    if format is None or _is_passed_over(path.rpartition("/")[2]):
        return None
    try:
        stat = (root / path).stat()
    except FileNotFoundError:
        return None
    return LandingFile(path, path.partition("/")[0], format, stat.st_size, stat.st_mtime_ns)


def is_folder(root: Path, path: str) -> bool:
    """Whether a path under landing/ is a folder that files may lie in."""
    return not _is_passed_over(path.rpartition("/")[2]) and (root / path).is_dir()


def changed_at(folder: Path) -> int | None:
    """When a name in a folder changed last, in nanoseconds since the epoch; 0 where that was just now and may happen again at the
    same time, None for a folder that is not there."""
    now = time.time_ns()
    try:
        changed = folder.stat().st_mtime_ns
    except (FileNotFoundError, NotADirectoryError):
        return None
    return changed if changed < now - COARSEST_CLOCK_NS else 0


def passed_over(settings: Settings) -> list[str]:
    """What under landing/ is nobody's: files of an ending that no source has, and what lies in no source's folder. Sorted.

    A folder that is no source ends in a slash. Names that say they are unfinished or hidden are left out: they are meant to be.
    """
    root = settings.landing_dir
    strays = [
        f"{entry.name}/" if entry.is_dir() else entry.name
        for entry in _entries(root)
        if not (entry.name in SOURCES and entry.is_dir())
    ]
    return sorted([*strays, *(path for name in SOURCES for path in _unknown(root, name))])


def _unknown(root: Path, folder: str) -> Iterator[str]:
    for entry in _entries(root / folder):
        path = f"{folder}/{entry.name}"
        if entry.is_dir():
            yield from _unknown(root, path)
        elif _format(entry.name) is None:
            yield path


def _under(root: Path, folder: str) -> Iterator[LandingFile]:
    for entry in _entries(root / folder):
        path = f"{folder}/{entry.name}"
        if entry.is_dir():
            yield from _under(root, path)
        elif format := _format(entry.name):
            try:
                stat = entry.stat()
            except FileNotFoundError:
                continue
            yield LandingFile(path, path.partition("/")[0], format, stat.st_size, stat.st_mtime_ns)


def _entries(folder: Path) -> list[os.DirEntry]:
    """What lies in a folder and is neither hidden nor unfinished."""
    try:
        found = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [one for one in found if not _is_passed_over(one.name)]


def _is_passed_over(name: str) -> bool:
    """Whether a name says that it is hidden or unfinished."""
    return name.startswith((".", "_")) or name.endswith(UNFINISHED)


def _format(name: str) -> str | None:
    return next((known for known in FORMATS if name.endswith("." + known)), None)
