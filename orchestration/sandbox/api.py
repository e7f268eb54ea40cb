"""The API's table of routes, and the one way every call goes: key, body, handler in a transaction, answer."""

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


def api_routes(store: Store, clock: Callable[[], str], send_soon: Callable[[str], None]) -> list[Route]:
    """One route a path, so that a wrong method is told apart from a wrong path; the last one is for wrong paths.

    `clock` gives the timestamp of a call; `send_soon` is told of each campaign that is to be sent, after the commit.
    """
    of_path: dict[str, dict[str, Handler]] = {}
    for method, path, handler in API:
        of_path.setdefault(path, {})[method] = handler

    def endpoint(handlers: Mapping[str, Handler]) -> Callable:
        def answer(handler: Handler, request: Request, body: Json) -> Json | None:
            with store.transaction() as db:
                call = Call(
                    db=db,
                    params=request.path_params,
                    query=request.query_params,
                    body=body,
                    now=clock(),
                    root=f"{request.base_url}3.0",
                )
                document = handler(call)
            for campaign_id in call.to_send:
                send_soon(campaign_id)
            return document

        async def api(request: Request) -> Response:
            try:
                _check_key(request)
                handler = _handler(handlers, request)
                document = await run_in_threadpool(answer, handler, request, await _body(request))
            except Problem as problem:
                return _respond(problem.status, problem.document(), "application/problem+json", problem.headers)
            if document is None:
                return _respond(204, None, "application/json")
            if request.method == "GET":
                document = select_fields(
                    document, request.query_params.get("fields"), request.query_params.get("exclude_fields")
                )
            return _respond(200, document, "application/json")

        return api

    routes = [Route(path, endpoint(handlers), methods=_METHODS) for path, handlers in of_path.items()]
    return [*routes, Route("/{path:path}", endpoint({}), methods=_METHODS)]


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


async def _body(request: Request) -> Json:
    raw = await request.body()
    if not raw or request.method in ("GET", "DELETE"):
        return {}
    try:
        body: Any = json.loads(raw)
    except ValueError:
        raise Problem(400, "JSON Parse Error", "We encountered an unspecified JSON parsing error.") from None
    if body is None:
        # What the client posts where there is nothing to say, as in actions/send.
        return {}
    if not isinstance(body, dict):
        raise invalid("", "Schema describes object, array found instead")
    return body


def _respond(status: int, document: Json | None, kind: str, headers: Mapping[str, str] | None = None) -> Response:
    content = b"" if document is None else json.dumps(document, ensure_ascii=False).encode()
    every = {"Content-Type": f"{kind}; charset=utf-8", "X-Request-Id": str(uuid.uuid4())}
    return Response(content, status, {**every, **(headers or {})})
