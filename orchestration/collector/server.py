"""Serve the collector: for good, or for the length of a `with` block."""

import gc
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from orchestration.collector.app import create_app
from orchestration.core.errors import SettingsError
from orchestration.settings import Settings

_START_WITHIN = 20.0


def serve(settings: Settings) -> None:
    """Serve until stopped, on settings.collector_host and _port. Raises SettingsError: the port or the folder is taken."""
    # Requests wait for the disk side by side, and would set off the collector of garbage again and again: a third of the time.
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
    with _listen(settings.collector_host, settings.collector_port) as listener:
        uvicorn.Server(_config(settings)).run(sockets=[listener])


@contextmanager
def running(settings: Settings) -> Iterator[str]:
    """A collector in a thread of this process, on any free port of loopback. Yields its address, without a slash at the end."""
    with _listen("127.0.0.1", 0) as listener:
        server = uvicorn.Server(_config(settings))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="collector", daemon=True)
        thread.start()
        try:
            _wait_until_started(server, thread)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"The collector can't listen on {host}:{port}: {error.strerror}. Stop what listens there, or set COLLECTOR_PORT."
        ) from error
    return listener


def _config(settings: Settings) -> uvicorn.Config:
    # no access log: addresses in it would say who reads what
    return uvicorn.Config(
        create_app(settings),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    give_up = time.monotonic() + _START_WITHIN
    while not server.started:
        if not thread.is_alive() or time.monotonic() > give_up:
            raise RuntimeError("The collector did not start; its log says why.")
        time.sleep(0.005)
