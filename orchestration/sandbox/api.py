"""The API's table of routes, and the one way every call goes: fault, key, body, handler in a transaction, answer."""

import base64
import binascii
import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orchestration.sandbox import campaigns, lists, members, reports, segments
from orchestration.sandbox.calls import Call, Handler, Json, Problem, invalid, not_found, select_fields
from orchestration.sandbox.control import Control
from orchestration.sandbox.fault_answers import NoAnswer, faulty
from orchestration.sandbox.faults import REFUSE_MEMBERS, Fault
from orchestration.sandbox.shapes import check_body, check_query
from orchestration.sandbox.store import Store

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def ping(call: Call) -> Json:
    return {"health_status": "Everything's Chimpy!"}


API: list[tuple[str, str, Handler]] = [
    ("GET", "/ping", ping),
    *lists.ROUTES,
    *members.ROUTES,
    *segments.ROUTES,
    *campaigns.ROUTES,
    *reports.ROUTES,
]


ENDPOINTS = [f"{method} {path}" for method, path, _ in API]


class Api:
    """How calls are answered.

    `clock` gives the timestamp of a call; `send_soon` is told of each campaign that is to be sent, after the commit.
    """

    def __init__(
        self, store: Store, control: Control, clock: Callable[[], str], send_soon: Callable[[str], None]
    ) -> None:
        self._store = store
        self._control = control
        self._clock = clock
        self._send_soon = send_soon

    def routes(self) -> list[Route]:
        """One route a path, so that a wrong method is told apart from a wrong path; the last one is for wrong paths."""
        of_path: dict[str, dict[str, Handler]] = {}
        for method, path, handler in API:
            of_path.setdefault(path, {})[method] = handler
        routes = [Route(path, self._endpoint(path, handlers), methods=_METHODS) for path, handlers in of_path.items()]
        return [*routes, Route("/{path:path}", self._endpoint("/{path}", {}), methods=_METHODS)]

    def _endpoint(self, path: str, handlers: Mapping[str, Handler]) -> Callable:
        async def api(request: Request) -> Response:
            name = request.state.endpoint = f"{request.method} {path}"
            with self._control.faults.under_way(name) as fault:
                response = await self._respond(name, handlers, request, fault)
            self._control.count(name, None if isinstance(response, NoAnswer) else response.status_code, fault)
            return response

        return api

    async def _respond(
        self, name: str, handlers: Mapping[str, Handler], request: Request, fault: Fault | None
    ) -> Response:
        if fault is None:
            return await self._work(name, handlers, request)
        refused = fault.members if fault.kind == REFUSE_MEMBERS else 0
        try:
            return await faulty(fault, request, lambda: self._work(name, handlers, request, refused))
        except Problem as problem:
            return _problem(problem)

    async def _work(
        self, name: str, handlers: Mapping[str, Handler], request: Request, refuse_members: int = 0
    ) -> Response:
        try:
            _check_key(request)
            handler = _handler(handlers, request)
            body = await _body(request)
            check_query(name, request.query_params)
            check_body(name, body)
            document = await run_in_threadpool(self._handle, handler, request, body or {}, refuse_members)
        except Problem as problem:
            return _problem(problem)
        if document is None:
            return _answer(204, None, "application/json")
        if request.method == "GET":
            document = select_fields(
                document, request.query_params.get("fields"), request.query_params.get("exclude_fields")
            )
        return _answer(200, document, "application/json")

    def _handle(self, handler: Handler, request: Request, body: Json, refuse_members: int) -> Json | None:
        with self._store.transaction() as db:
            call = Call(
                db=db,
                params=request.path_params,
                query=request.query_params,
                body=body,
                now=self._clock(),
                root=f"{request.base_url}3.0",
                refuse_members=refuse_members,
            )
            document = handler(call)
        for campaign_id in call.to_send:
            self._send_soon(campaign_id)
        return document


def _handler(handlers: Mapping[str, Handler], request: Request) -> Handler:
    if not handlers:
        raise not_found()
    if request.method not in handlers:
        raise Problem(
            405,
            "Method Not Allowed",
            "The requested method and resource are not compatible. See the Allow header for this resource's "
            "available methods.",
            headers={"Allow": ", ".join(handlers)},
        )
    return handlers[request.method]


def _check_key(request: Request) -> None:
    """HTTP Basic with any name and any key but an empty one."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    key = ""
    if scheme.lower() == "basic":
        try:
            key = base64.b64decode(given).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            key = ""
    if not key:
        raise Problem(
            401,
            "API Key Invalid",
            "Your API key may be invalid, or you've attempted to access the wrong datacenter.",
        )


async def _body(request: Request) -> Json | None:
    """The JSON object sent; None for no body, or for `null`: what the client posts where there is nothing to say."""
    raw = await request.body()
    if not raw or request.method in ("GET", "DELETE"):
        return None
    try:
        body: Any = json.loads(raw)
        if b"\\ud" in raw.lower():
            # Half a character, which JSON can write and no text can hold, raises a ValueError here.
            json.dumps(body, ensure_ascii=False).encode()
    except ValueError:
        raise Problem(400, "JSON Parse Error", "We encountered an unspecified JSON parsing error.") from None
    if not isinstance(body, dict | None):
        raise invalid("", "Schema describes object, array found instead")
    return body


def nowhere(request: Request, error: Exception) -> Response:
    """For a path that no route takes, one with a line break in it being the last."""
    if request.url.path.startswith("/3.0"):
        return _problem(not_found())
    return Response("There is no such page.", 404, media_type="text/plain")


def _problem(problem: Problem) -> Response:
    return _answer(problem.status, problem.document(), "application/problem+json", problem.headers)


def _answer(status: int, document: Json | None, kind: str, headers: Mapping[str, str] | None = None) -> Response:
    content = b"" if document is None else json.dumps(document, ensure_ascii=False).encode()
    every = {"Content-Type": f"{kind}; charset=utf-8", "X-Request-Id": str(uuid.uuid4())}
    return Response(content, status, {**every, **(headers or {})})
