"""The sandbox as one Starlette application: the API under /3.0, its steering under /sandbox, the outbox's pages under /."""

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Mount

from orchestration.sandbox.api import ENDPOINTS, Api, nowhere
from orchestration.sandbox.control import Control, control_routes
from orchestration.sandbox.faults import Faults
from orchestration.sandbox.lists import ensure_list
from orchestration.sandbox.outbox import outbox_routes
from orchestration.sandbox.sending import finish, unfinished
from orchestration.sandbox.store import Store, timestamp

LIST_ID = "sandbox0001"

_log = logging.getLogger(__name__)


def machine_time() -> datetime:
    return datetime.now(UTC)


def create_app(
    db_path: Path,
    *,
    list_id: str = LIST_ID,
    now: Callable[[], datetime] = machine_time,
    faults: Sequence[Mapping[str, Any]] = (),
) -> Starlette:
    """The application on the state file `db_path`, with the list `list_id` in it. `now` is the clock of all it stamps;
    `faults` are the rules it starts with (faults.py).
    """
    store = Store(db_path)
    with store.transaction() as db:
        ensure_list(db, list_id, timestamp(now()))
    control = Control(Faults(ENDPOINTS), store)
    control.faults.tell(list(faults))
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

    api = Mount("/3.0", routes=Api(store, control, clock, send_soon).routes())
    routes = [api, *control_routes(control), *outbox_routes(store, clock)]
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers={404: nowhere})
