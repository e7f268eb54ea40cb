"""How the collector and the sandbox are served: on a socket that is taken before anything starts, and in a thread for tests."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from orchestration.core.errors import SettingsError

LOOPBACK = "127.0.0.1"
_START_WITHIN = 20.0


def listen(name: str, host: str, port: int) -> socket.socket:
    """A socket bound to `port` of `host`; 0: any free one. Raises SettingsError that says which setting is to be changed."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"The {name} can't listen on {host}:{port}: {error.strerror}. "
            f"Stop what listens there, or set {name.upper()}_PORT."
        ) from error
    return listener


@contextmanager
def in_a_thread(name: str, config: uvicorn.Config, port: int = 0) -> Iterator[str]:
    """Serve on loopback in a thread of this process. Yields the address, such as http://127.0.0.1:43123."""
    with listen(name, LOOPBACK, port) as listener:
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name=name, daemon=True)
        thread.start()
        try:
            _wait_until_started(name, server, thread)
            yield f"http://{LOOPBACK}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def _wait_until_started(name: str, server: uvicorn.Server, thread: threading.Thread) -> None:
    give_up = time.monotonic() + _START_WITHIN
    while not server.started:
        if not thread.is_alive() or time.monotonic() > give_up:
            raise RuntimeError(f"The {name} did not start; its log says why.")
        time.sleep(0.005)
