"""The sandbox as one Starlette application: the API under /3.0, the outbox's pages under /."""

import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Mount

from orchestration.sandbox.api import api_routes
from orchestration.sandbox.lists import ensure_list
from orchestration.sandbox.outbox import outbox_routes
from orchestration.sandbox.sending import finish, unfinished
from orchestration.sandbox.store import Store, timestamp

LIST_ID = "sandbox0001"

_log = logging.getLogger(__name__)


def machine_time() -> datetime:
    return datetime.now(UTC)


def create_app(db_path: Path, *, list_id: str = LIST_ID, now: Callable[[], datetime] = machine_time) -> Starlette:
    """The application on the state file `db_path`, with the list `list_id` in it. `now` is the clock of all it stamps."""
    store = Store(db_path)
    with store.transaction() as db:
        ensure_list(db, list_id, timestamp(now()))
    sender = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sandbox-send")

    def clock() -> str:
        return timestamp(now())

    def send(campaign_id: str) -> None:
        try:
            finish(store, campaign_id)
        except Exception:
            _log.exception("Campaign %s stays in `sending`. Restart the sandbox to send it.", campaign_id)

    def send_soon(campaign_id: str) -> None:
        sender.submit(send, campaign_id)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        for campaign_id in unfinished(store):
            send_soon(campaign_id)
        yield
        sender.shutdown(wait=True)
        store.close()

    routes = [Mount("/3.0", routes=api_routes(store, clock, send_soon)), *outbox_routes(store, clock)]
    return Starlette(routes=routes, lifespan=lifespan)
