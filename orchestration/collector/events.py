"""`POST /v1/signups` and `POST /v1/article-views`: one event or a list of them, each answered for itself.

One that is accepted under the id it came with is answered 204: there is nothing to tell, and that is what most calls are.

A server with the key may say all that the contract has. A browser may say what its visitor does: that they sign up, and what they
read. It may not speak for others: change or end a subscription, say whose a view is, or choose the id of somebody else's event.
When it was is told by our clock, not by its.
"""

import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from orchestration.collector.bodies import body_of, json_of, line_of
from orchestration.collector.callers import Callers, is_bot
from orchestration.collector.counts import Counts
from orchestration.collector.journal import Journal
from orchestration.core.contracts import ARTICLE_VIEWS, BROWSERS_OWN, SIGNUPS, Source
from orchestration.core.errors import EventRefused
from orchestration.core.landing_row import landing_row
from orchestration.settings import Settings

BROWSERS_OWN_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
# A name stands in the greeting of an email: nobody should get a stranger's words in one.
LONGEST_NAME = 40
NO_NAME = re.compile(r"[/@:<>*|\d]|www\.")
Said = Mapping[str, Any]


class EventDoor:
    """One of them, an ASGI application of its own: a plain endpoint of Starlette's has more layers, and each event would pay."""

    def __init__(self, source: Source, settings: Settings, callers: Callers, journal: Journal, counts: Counts) -> None:
        self._source = source
        self._settings = settings
        self._callers = callers
        self._journal = journal
        self._counts = counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._take(Request(scope, receive))
        await answer(scope, receive, send)

    async def _take(self, request: Request) -> Response:
        source, of_a_browser = self._source, OF_A_BROWSER[self._source.name]
        is_server = self._callers.is_server(request)
        said = json_of(await body_of(request, self._settings.collector_largest_body))
        events = said if isinstance(said, list) else [said]
        has_own_id = isinstance(said, dict) and said.get("event_id") is not None
        if not 1 <= len(events) <= self._settings.collector_largest_batch:
            raise HTTPException(413 if events else 400, f"send 1 to {self._settings.collector_largest_batch} events")
        if not is_server and is_bot(request):
            self._counts.event(source.name, "left_out", len(events))
            return _answer([{"status": "left_out", "why": "a bot"}] * len(events), 200)
        lines, answers = [], []
        for event in events:
            try:
                said = self._complete(event, is_server)
                row = landing_row(source, said if is_server else of_a_browser(said))
            except EventRefused as error:
                answers.append({"status": "refused", "why": str(error)})
            else:
                lines.append(line_of(row))
                answers.append({"status": "accepted", "event_id": row["event_id"]})
        if lines:
            await self._journal.put(source.name, b"".join(lines))
            self._counts.event(source.name, "accepted", len(lines))
        if len(lines) < len(events):
            self._counts.event(source.name, "refused", len(events) - len(lines))
        if lines and has_own_id:
            return Response(status_code=204)
        return _answer(answers, 200 if lines else 400)

    def _complete(self, event: Any, is_server: bool) -> dict[str, Any]:
        """The event with what may be left to us: an id, the time, no interests."""
        if not isinstance(event, dict):
            raise EventRefused("the event is not a JSON object")
        if event.get("event_id") is None:
            event["event_id"] = str(uuid.uuid4())
        if not is_server or event.get("occurred_at") is None:
            event["occurred_at"] = self._settings.now().isoformat()
        event.setdefault("interests", [])
        return event


def _signup_of_a_browser(said: Said) -> dict[str, Any]:
    action, basis = said.get("action", "subscribe"), said.get("basis", "consent")
    if action != "subscribe":
        raise EventRefused("action: without the key only subscribe; whoever got an email has links in it for the rest")
    if basis != "consent":
        raise EventRefused("basis: without the key only consent")
    if said.get("previous_email") is not None:
        raise EventRefused("previous_email: only with the key")
    if said.get("is_professional"):
        raise EventRefused("is_professional: only with the key, from whoever has checked their registration")
    name = said.get("first_name")
    if isinstance(name, str) and (len(name) > LONGEST_NAME or NO_NAME.search(name)):
        raise EventRefused(f"first_name: is at most {LONGEST_NAME} characters of a name")
    own = {"source": said.get("source", "web_form"), "action": action, "basis": basis}
    return {**said, **own, "event_id": _own_id(said)}


def _view_of_a_browser(said: Said) -> dict[str, Any]:
    if said.get("email") is not None:
        raise EventRefused("email: only with the key")
    return {**said, "event_id": _own_id(said)}


OF_A_BROWSER: dict[str, Callable[[Said], dict[str, Any]]] = {
    SIGNUPS.name: _signup_of_a_browser,
    ARTICLE_VIEWS.name: _view_of_a_browser,
}


def _own_id(said: Said) -> str:
    """The browser's own id of the event, so that what it sends twice is one; kept apart from all others' ids."""
    event_id = said["event_id"]
    if not isinstance(event_id, str) or not BROWSERS_OWN_ID.fullmatch(event_id):
        raise EventRefused("event_id: is not 8 to 64 letters, digits and hyphens")
    return f"{BROWSERS_OWN}{event_id}"


def _answer(items: list[dict[str, str]], status: int) -> Response:
    return Response(orjson.dumps({"items": items}), status, media_type="application/json")
