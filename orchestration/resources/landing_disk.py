"""What lies under landing/, by names and times; no content is read."""

import logging
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from orchestration.core.contracts import SOURCES
from orchestration.resources.landing_read import LandingFile
from orchestration.settings import Settings

log = logging.getLogger(__name__)

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
    found = _look_at(root / path)
    return _file(path, format, found) if found and stat.S_ISREG(found.st_mode) else None


def is_folder(root: Path, path: str) -> bool:
    """Whether a path under landing/ is a folder that files may lie in."""
    found = _look_at(root / path)
    return not _is_passed_over(path.rpartition("/")[2]) and found is not None and stat.S_ISDIR(found.st_mode)


def is_text(name: str) -> bool:
    """Whether a name is UTF-8. No table can hold one that is not."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def changed_at(folder: Path) -> int | None:
    """When a name in a folder changed last, in nanoseconds since the epoch; 0 where that was just now and may happen again at the
    same time, None for a folder that is not there."""
    now = time.time_ns()
    try:
        changed = folder.stat().st_mtime_ns
    except (FileNotFoundError, NotADirectoryError):
        return None
    return changed if changed < now - COARSEST_CLOCK_NS else 0


def names_in(folder: Path) -> list[str] | None:
    """The names in a folder, none where it is gone; None where it may not be opened, which is said in the log."""
    try:
        return os.listdir(folder)  # noqa: PTH208, a Path for each of 100,000 names takes a second
    except (FileNotFoundError, NotADirectoryError):
        return []
    except PermissionError:
        log.warning("%s can't be opened: what lies in it waits. Let this user read the folder.", folder)
        return None


def passed_over(settings: Settings) -> list[str]:
    """What under landing/ is nobody's: what is no file with an ending of a source's, and what lies in no source's folder. Sorted.

    A folder that is no source, or that can't be opened, ends in a slash. Names that say they are unfinished or hidden are left
    out: they are meant to be.
    """
    root = settings.landing_dir
    strays = [
        f"{_shown(entry.name)}/" if _is_folder(entry) else _shown(entry.name)
        for entry in _entries(root)
        if not (entry.name in SOURCES and _is_folder(entry))
    ]
    return sorted([*strays, *(path for name in SOURCES for path in _unknown(root, name))])


def _unknown(root: Path, folder: str) -> Iterator[str]:
    for entry in _entries(root / folder):
        path = f"{folder}/{entry.name}"
        found = _look_at(entry)
        if not is_text(entry.name):
            yield _shown(path)
        elif found and stat.S_ISDIR(found.st_mode):
            yield from _unknown(root, path) if names_in(root / path) is not None else [f"{path}/"]
        elif _format(entry.name) is None or found is None or not stat.S_ISREG(found.st_mode):
            yield path


def _under(root: Path, folder: str) -> Iterator[LandingFile]:
    for entry in _entries(root / folder):
        path = f"{folder}/{entry.name}"
        found = _look_at(entry) if is_text(entry.name) else None
        if found is None:
            continue
        if stat.S_ISDIR(found.st_mode):
            yield from _under(root, path)
        # a pipe would be waited for without end, a device would never end
        elif stat.S_ISREG(found.st_mode) and (format := _format(entry.name)):
            yield _file(path, format, found)


def _file(path: str, format: str, found: os.stat_result) -> LandingFile:
    return LandingFile(path, path.partition("/")[0], format, found.st_size, found.st_mtime_ns)


def _look_at(entry: os.DirEntry | Path) -> os.stat_result | None:
    """What is behind a name; None where it is gone, is a link in a circle or to nowhere, or may not be looked at."""
    try:
        return entry.stat()
    except OSError:
        return None


def _is_folder(entry: os.DirEntry) -> bool:
    found = _look_at(entry)
    return found is not None and stat.S_ISDIR(found.st_mode)


def _shown(path: str) -> str:
    return os.fsencode(path).decode(errors="backslashreplace")


def _entries(folder: Path) -> list[os.DirEntry]:
    """What lies in a folder and is neither hidden nor unfinished."""
    try:
        found = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []
    return [one for one in found if not _is_passed_over(one.name)]


def _is_passed_over(name: str) -> bool:
    """Whether a name says that it is hidden or unfinished."""
    return name.startswith((".", "_")) or name.endswith(UNFINISHED)


def _format(name: str) -> str | None:
    return next((known for known in FORMATS if name.endswith("." + known)), None)
