"""A recording of the API's traffic, to hold it against Mailchimp's specification (tests/conformance). Off unless asked for.

One JSON object a line. The first call of each shape is written out, each further one is its shape alone: the file stays small.

    shape                a hash of the endpoint and what is below; of numbers, times and free texts only that they are some
    agent                what the caller says it is
    method, path, query  query: the values of each name
    request, response    the bodies, as text
    status, kind         of the answer: its number and its media type; null and "" where there was none
    is_faulty            the sandbox was told to give an answer that is none of Mailchimp's specification (faults.py)

It holds the addresses that the sandbox is sent, which are nobody's.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# What may be one of the specification's lists of allowed words.
_WORD = re.compile(r"[A-Za-z_:-]{0,24}")


class Recording:
    """A file that calls are added to, also by several processes at once, and the shapes that this process has seen."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: set[str] = set()

    def add(self, endpoint: str, call: dict[str, Any]) -> None:
        """`endpoint`: the route that took the call."""
        alike = {name: value for name, value in call.items() if name not in ("path", "query", "request", "response")}
        told = [_shape(call["query"]), _shape(_document(call["request"])), _shape(_document(call["response"]))]
        shape = hashlib.sha256(json.dumps([endpoint, alike, told]).encode()).hexdigest()[:16]
        line = {"shape": shape} if shape in self._seen else {"shape": shape, **call}
        # One write to a file opened for appending: lines of several processes don't mix. The line break goes first, so that
        # half a line of a killed process stays a line of its own.
        with self._path.open("ab", buffering=0) as file:
            file.write(b"\n" + json.dumps(line).encode())
        self._seen.add(shape)


recording_at = cache(Recording)


def recorded(app: ASGIApp, recording: Recording) -> ASGIApp:
    """`app`, with every call under /3.0 added to the recording before its answer is out."""

    async def record(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/3.0"):
            await app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, recording)
        try:
            await app(scope, exchange.hear, exchange.say)
        finally:
            exchange.end()

    return record


class _Exchange:
    """One call while it is answered."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, recording: Recording) -> None:
        self._scope, self._receive, self._send, self._recording = scope, receive, send, recording
        self._request, self._response = bytearray(), bytearray()
        self._start: Message = {"status": None, "headers": []}
        self._is_heard = self._is_added = False

    async def hear(self) -> Message:
        message = await self._receive()
        self._request.extend(message.get("body", b""))
        if message["type"] == "http.request":
            self._is_heard = not message.get("more_body")
        elif not self._is_heard:
            self._is_added = True  # its caller left in the middle of it: there is no call
        return message

    async def say(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
        self._response.extend(message.get("body", b""))
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self.end()
        await self._send(message)

    def end(self) -> None:
        if not self._is_added:
            self._is_added = True
            self._recording.add(*self._as_recorded())

    def _as_recorded(self) -> tuple[str, dict[str, Any]]:
        method, path, state = self._scope["method"], self._scope["path"].removeprefix("/3.0"), self._scope["state"]
        call = {
            "agent": _header(self._scope["headers"], b"user-agent"),
            "method": method,
            "path": path,
            "query": parse_qs(self._scope["query_string"].decode("latin-1"), keep_blank_values=True),
            "request": self._request.decode(errors="replace"),
            "status": self._start["status"],
            "kind": _header(self._start["headers"], b"content-type").partition(";")[0],
            "response": self._response.decode(errors="replace"),
            "is_faulty": state.get("is_faulty", False),
        }
        return state.get("endpoint", f"{method} {path}"), call


def _header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    return dict(headers).get(name, b"").decode("latin-1")


def _document(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body


def _shape(value: Any) -> str:
    """What a value has in common with others that are right or wrong for the same reason: fields, kinds and known words."""
    match value:
        case dict():
            return "{" + ",".join(f"{json.dumps(name)}:{_shape(value[name])}" for name in sorted(value)) + "}"
        case list():
            return "[" + "|".join(sorted({_shape(one) for one in value})) + "]"
        case str():
            return json.dumps(value) if _WORD.fullmatch(value) else _kind(value)
        case bool() | None:
            return json.dumps(value)
    return type(value).__name__


def _kind(text: str) -> str:
    """Of a text that is no single word: a time, or any other. (Digits are no kind: an id in hex may have no letters.)"""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return "text"
    return "time"
