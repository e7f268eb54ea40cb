"""Serve the sandbox on 127.0.0.1: for good, or for the length of a `with` block."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from orchestration.core.errors import SettingsError
from orchestration.sandbox.app import LIST_ID, create_app, machine_time
from orchestration.sandbox.recording import recorded, recording_at
from orchestration.settings import Settings

_HOST = "127.0.0.1"
_START_WITHIN = 20.0


class Connection(AutoHTTPProtocol):
    """HTTP whose application can close the connection: `scope["state"]["transport"]`."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)


def serve(settings: Settings) -> None:
    """Serve until stopped, on settings.sandbox_port, state in settings.sandbox_path. Raises SettingsError: the port is taken."""
    with _listen(settings.sandbox_port) as listener:
        app = create_app(
            settings.sandbox_path,
            list_id=settings.mailchimp_list_id or LIST_ID,
            now=settings.now,
            faults=_by_chance(settings),
        )
        uvicorn.Server(_config(app, settings.sandbox_recording)).run(sockets=[listener])


def _by_chance(settings: Settings) -> list[dict[str, Any]]:
    if not settings.sandbox_faults:
        return []
    return [
        {
            "endpoint": "*",
            "fault": "any",
            "chance": settings.sandbox_faults,
            "seed": settings.sandbox_faults_seed,
            "seconds": 5,
        }
    ]


@contextmanager
def running(
    db_path: Path,
    port: int = 0,
    *,
    list_id: str = LIST_ID,
    now: Callable[[], datetime] = machine_time,
) -> Iterator[str]:
    """A sandbox in a thread of this process. Yields its address, such as http://127.0.0.1:43123; port 0: any free one."""
    with _listen(port) as listener:
        app = create_app(db_path, list_id=list_id, now=now)
        server = uvicorn.Server(_config(app, Settings.from_env().sandbox_recording))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="sandbox", daemon=True)
        thread.start()
        try:
            _wait_until_started(server, thread)
            yield f"http://{_HOST}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((_HOST, port))
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"The sandbox can't listen on {_HOST}:{port}: {error.strerror}. Stop what listens there, or set SANDBOX_PORT."
        ) from error
    return listener


def _config(app: ASGIApp, recording: Path | None) -> uvicorn.Config:
    if recording is not None:
        app = recorded(app, recording_at(recording))
    return uvicorn.Config(app, log_level="warning", access_log=False, http=Connection, timeout_graceful_shutdown=5)


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    give_up = time.monotonic() + _START_WITHIN
    while not server.started:
        if not thread.is_alive() or time.monotonic() > give_up:
            raise RuntimeError("The sandbox did not start; its log says why.")
        time.sleep(0.005)
