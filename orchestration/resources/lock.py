"""The one writer's lock: an operating-system lock on a file, which the kernel frees when its holder dies (DESIGN 4)."""

import fcntl
import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestration.core.errors import WarehouseBusy

log = logging.getLogger(__name__)

POLL = 0.1
PROGRESS_EVERY = 5.0

_held = threading.local()


@contextmanager
def exclusive(path: Path, *, wait: float, why: str) -> Iterator[None]:
    """Hold the lock on `path`, waiting up to `wait` seconds for it. A thread that holds it already just goes on.

    Raises WarehouseBusy that names the holder.
    """
    held, name = _of_this_thread(), str(path)
    if name in held:
        yield
        return
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _acquire(descriptor, path, wait)
        _sign(descriptor, why)
        held[name] = descriptor
        try:
            yield
        finally:
            del held[name]
            os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def descriptor_of(path: Path) -> int:
    """Of the lock on `path`, which this thread holds, for a process that it starts (pass_fds) and that then takes part in it."""
    return _of_this_thread()[str(path)]


def take_part(path: Path, descriptor: int, *, why: str) -> None:
    """Go on under the lock of the process that started this one, to the end of both: it is free when neither is there."""
    _of_this_thread()[str(path)] = descriptor
    _sign(descriptor, why)


def _of_this_thread() -> dict[str, int]:
    """The locks that it holds: path → descriptor."""
    return _held.__dict__.setdefault("descriptors", {})


def _acquire(descriptor: int, path: Path, wait: float) -> None:
    started = time.monotonic()
    told = started
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            pass
        now = time.monotonic()
        if now - started >= wait:
            raise WarehouseBusy(
                f"The warehouse is being written by {_holder(path)}; waited {now - started:.0f} s. "
                "Try again when it is done, or stop that process: its lock goes with it."
            )
        if now - told >= PROGRESS_EVERY:
            told = now
            log.info("Waiting for the warehouse, %.0f s so far: %s is writing.", now - started, _holder(path))
        time.sleep(POLL)


def _sign(descriptor: int, why: str) -> None:
    """Write who holds the lock, for those who wait. The content decides nothing."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "why": why}).encode(), 0)


def _holder(path: Path) -> str:
    try:
        said = json.loads(path.read_text())
        return f"process {said['pid']} ({said['why'] or 'no reason given'})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
