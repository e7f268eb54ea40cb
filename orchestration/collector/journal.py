"""Events on disk before they are acknowledged, and as landing files soon after.

    put ──► pending ──► one write and one fsync for all that came meanwhile ──► acknowledged
                            │  landing/.collector/<source>/<name>.jsonl
                            ▼  renamed when it is old or large enough
                        landing/<source>/<name>.jsonl

The open files lie under landing/, since a rename must not cross a file system, and in a hidden folder, which ingest and erasure
pass over. Killed at any moment, what was acknowledged is in one of the two places; the next start renames what is left over. What
can't be renamed is tried again every few seconds. A last line without its end was never acknowledged, and is cut off.
"""

import asyncio
import fcntl
import logging
import os
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from orchestration.core.contracts import SOURCES
from orchestration.core.errors import SettingsError
from orchestration.files import sync_folders

log = logging.getLogger(__name__)

# How long a file takes in rows before it lands: what an email may wait for lands at once.
OPEN_SECONDS = {"orders": 1.0, "signups": 1.0}
OTHERS_OPEN_SECONDS = 10.0
RETRY_SECONDS = 5.0
LARGEST_FILE = 16 << 20


class NotStored(Exception):
    """The disk did not take the events: nothing of the call may be acknowledged."""


@dataclass
class Waiting:
    """Whole lines of one source that wait for the disk."""

    source: str
    lines: bytes
    stored: asyncio.Future


class Journal:
    """The open files of one landing folder. One process at a time: a lock on `.collector/lock` sees to it."""

    def __init__(self, landing_dir: Path) -> None:
        self._landing = landing_dir
        self._folder = landing_dir / ".collector"
        self._open: dict[str, OpenFile] = {}
        self._unlanded: dict[Path, str] = {}
        self._retry_at = 0.0
        self._failing: set[str] = set()
        self._pending: list[Waiting] = []
        self._wake = asyncio.Event()
        self._disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="collector-disk")
        self._lock = -1
        self._is_stopping = False
        self._running: asyncio.Task | None = None
        self.files_landed = 0
        self.commits = 0

    @property
    def waiting(self) -> int:
        return len(self._pending)

    @property
    def failing(self) -> int:
        """The sources whose last events the disk did not take."""
        return len(self._failing)

    @property
    def unlanded(self) -> int:
        """The files that are complete and can't be renamed: what is in them is safe, and nobody takes it from there."""
        return len(self._unlanded)

    async def start(self) -> None:
        """Take the folder, and land what the last process left open. Raises SettingsError where another one has it."""
        for name in SOURCES:
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        sync_folders([self._landing.parent, self._landing, self._folder])
        self._lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise SettingsError(
                f"Another collector has {self._landing}: stop it first, or give this one a LANDING of its own."
            ) from None
        for source in SOURCES:
            for path in sorted((self._folder / source).iterdir()):
                _cut_off_half_a_line(path)
                self._try_to_land(source, path)
        self._running = asyncio.create_task(self._run(), name="collector-journal")

    async def put(self, source: str, lines: bytes) -> None:
        """Return once the lines are safely on disk. Raises NotStored."""
        waiting = Waiting(source, lines, asyncio.get_running_loop().create_future())
        self._pending.append(waiting)
        self._wake.set()
        await waiting.stored

    async def stop(self) -> None:
        """Store what waits, land every open file and give the folder up."""
        self._is_stopping = True
        self._wake.set()
        await self._running
        self._disk.shutdown(wait=True)
        for source in list(self._open):
            self._close(source)
        self._land_what_could_not()
        os.close(self._lock)

    async def _run(self) -> None:
        """Commit and land; what comes while one commit is under way makes the next."""
        while self._pending or not self._is_stopping:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._seconds_to_next_landing())
            self._wake.clear()
            batch, self._pending = self._pending, []
            try:
                failed = await asyncio.get_running_loop().run_in_executor(self._disk, self._commit_and_land, batch)
            except Exception:
                # whoever waits must not wait for ever on a mistake of ours
                log.exception("Events are not stored.")
                failed = {waiting.source: "a mistake of the collector's" for waiting in batch}
            for waiting in batch:
                if waiting.stored.done():
                    continue
                if waiting.source in failed:
                    waiting.stored.set_exception(NotStored(failed[waiting.source]))
                else:
                    waiting.stored.set_result(None)

    def _seconds_to_next_landing(self) -> float | None:
        due = [file.lands_at for file in self._open.values()]
        if self._unlanded:
            due.append(self._retry_at)
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _commit_and_land(self, batch: list[Waiting]) -> dict[str, str]:
        """Write and land, in the disk's own thread. Returns the sources whose lines are not stored, and why."""
        lines: dict[str, list[bytes]] = {}
        for waiting in batch:
            lines.setdefault(waiting.source, []).append(waiting.lines)
        failed: dict[str, str] = {}
        for source, parts in lines.items():
            try:
                self._file(source).append(b"".join(parts))
                self.commits += 1
                self._failing.discard(source)
            except OSError as error:
                failed[source] = error.strerror or "the disk failed"
                if source not in self._failing:
                    log.error("Events for landing/%s can't be stored, and are answered 503: %s", source, failed[source])
                self._failing.add(source)
        now = time.monotonic()
        for source, file in list(self._open.items()):
            if source in failed or file.lands_at <= now or file.size >= LARGEST_FILE:
                self._close(source)
        if self._unlanded and self._retry_at <= now:
            self._land_what_could_not()
        return failed

    def _file(self, source: str) -> "OpenFile":
        if source not in self._open:
            self._open[source] = OpenFile(self._folder / source / _new_name(), OPEN_SECONDS.get(source))
        return self._open[source]

    def _close(self, source: str) -> None:
        if (file := self._open.pop(source, None)) is None:
            return
        file.close()
        self._try_to_land(source, file.path)

    def _land_what_could_not(self) -> None:
        for path, source in list(self._unlanded.items()):
            self._try_to_land(source, path)

    def _try_to_land(self, source: str, path: Path) -> None:
        """Land a file. Where that fails it stays where it is and is tried again; it is said once, and once it has gone well."""
        try:
            self._land(source, path)
        except OSError as error:
            if path not in self._unlanded:
                why = error.strerror or "the disk failed"
                log.error("%s can't go to landing/%s, and is tried again and again: %s", path.name, source, why)
                self._unlanded[path] = source
            self._retry_at = time.monotonic() + RETRY_SECONDS
            return
        if self._unlanded.pop(path, None):
            log.warning("%s is in landing/%s now.", path.name, source)

    def _land(self, source: str, path: Path) -> None:
        folder = self._landing / source
        if path.exists():  # else an earlier try has renamed it, and failed after that
            if path.stat().st_size == 0:
                path.unlink()
                return
            if not folder.is_dir():
                folder.mkdir(parents=True, exist_ok=True)
                sync_folders([self._landing])
            path.rename(folder / path.name)
            self.files_landed += 1
        sync_folders([folder, path.parent])


class OpenFile:
    """A file that takes in whole lines, each append on disk before it returns."""

    def __init__(self, path: Path, seconds: float | None) -> None:
        self.path = path
        self.size = 0
        self.lands_at = time.monotonic() + (OTHERS_OPEN_SECONDS if seconds is None else seconds)
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        sync_folders([path.parent])

    def append(self, lines: bytes) -> None:
        """Raises OSError; then the file is as it was before."""
        try:
            view = memoryview(lines)
            while view:
                view = view[os.write(self._fd, view) :]
            os.fsync(self._fd)
        except OSError:
            # half a batch must not stand before the next, and none of it was acknowledged
            with suppress(OSError):
                os.ftruncate(self._fd, self.size)
            raise
        self.size += len(lines)

    def close(self) -> None:
        os.close(self._fd)


def _new_name() -> str:
    """Names sort by time, since the last file decides what a catalogue says; none comes twice, whatever the clock does."""
    return f"collector-{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}.jsonl"


def _cut_off_half_a_line(path: Path) -> None:
    with path.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - (1 << 16))
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                end = start + found + 1
                break
            end = start
        file.truncate(end)
        os.fsync(file.fileno())
