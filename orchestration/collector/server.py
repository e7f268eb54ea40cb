"""Serve the collector: for good, or for the length of a `with` block."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from orchestration.collector.app import create_app
from orchestration.serving import in_a_thread, listen
from orchestration.settings import Settings

_NAME = "collector"


def serve(settings: Settings) -> None:
    """Serve until stopped, on settings.collector_host and _port. Raises SettingsError: the port or the folder is taken."""
    # Requests wait for the disk side by side, and would set off the collector of garbage again and again: a third of the time.
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
    with listen(_NAME, settings.collector_host, settings.collector_port) as listener:
        uvicorn.Server(_config(settings)).run(sockets=[listener])


@contextmanager
def running(settings: Settings) -> Iterator[str]:
    """A collector in a thread of this process, on any free port of loopback. Yields its address, without a slash at the end."""
    with in_a_thread(_NAME, _config(settings)) as url:
        yield url


def _config(settings: Settings) -> uvicorn.Config:
    # no access log: addresses in it would say who reads what
    return uvicorn.Config(
        create_app(settings),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )
