"""A recording of the API's traffic: one JSON object a line, with method, path, query, request, status, kind and response.

Bodies are kept as text; `status` is null for a call that got no answer. It holds the addresses the sandbox is sent, which
are nobody's: it is for checking calls against Mailchimp's specification, and off unless asked for.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send


def recorded(app: ASGIApp, path: Path) -> ASGIApp:
    """`app`, with every call under /3.0 added to the file `path`. Several processes may add to one file."""

    async def record(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/3.0"):
            await app(scope, receive, send)
            return
        asked, answered = bytearray(), bytearray()
        start: Message = {"status": None, "headers": []}

        async def hear() -> Message:
            message = await receive()
            asked.extend(message.get("body", b""))
            return message

        async def say(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
            answered.extend(message.get("body", b""))
            await send(message)

        try:
            await app(scope, hear, say)
        finally:
            line = {
                "method": scope["method"],
                "path": scope["path"].removeprefix("/3.0"),
                "query": parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True),
                "request": asked.decode(errors="replace"),
                "status": start["status"],
                "kind": _kind(start["headers"]),
                "response": answered.decode(errors="replace"),
            }
            # One write of one line to a file opened for appending: lines of several processes don't mix.
            with path.open("ab", buffering=0) as file:
                file.write(json.dumps(line).encode() + b"\n")

    return record


def _kind(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The answer's media type, without its parameters."""
    found = dict(headers).get(b"content-type", b"")
    return found.decode("latin-1").partition(";")[0]
