"""Serve the sandbox on 127.0.0.1: for good, or for the length of a `with` block."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from orchestration.sandbox.app import LIST_ID, create_app, machine_time
from orchestration.sandbox.recording import recorded, recording_at
from orchestration.serving import LOOPBACK, in_a_thread, listen
from orchestration.settings import Settings

_NAME = "sandbox"


class Connection(AutoHTTPProtocol):
    """HTTP whose application can close the connection: `scope["state"]["transport"]`."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)


def serve(settings: Settings) -> None:
    """Serve until stopped, on settings.sandbox_port, state in settings.sandbox_path. Raises SettingsError: the port is taken."""
    with listen(_NAME, LOOPBACK, settings.sandbox_port) as listener:
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
    config = _config(create_app(db_path, list_id=list_id, now=now), Settings.from_env().sandbox_recording)
    with in_a_thread(_NAME, config, port) as url:
        yield url


def _config(app: ASGIApp, recording: Path | None) -> uvicorn.Config:
    if recording is not None:
        app = recorded(app, recording_at(recording))
    return uvicorn.Config(app, log_level="warning", access_log=False, http=Connection, timeout_graceful_shutdown=5)
