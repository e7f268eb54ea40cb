"""What a request holds, up to a limit."""

from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request

MOST_FORM_FIELDS = 1000


def headers_of(request: Request) -> dict[bytes, bytes]:
    """The headers by their names in small letters; of one that is there twice, the last. Each is looked at for every event, and
    Starlette's own mapping decodes them all each time."""
    return dict(request.scope["headers"])


async def body_of(request: Request, limit: int) -> bytes:
    """The whole body. Raises HTTPException: 413 as soon as it is known to be larger than `limit` bytes, 400 if it breaks off."""
    length = headers_of(request).get(b"content-length", b"")
    if length.isdigit() and int(length) > limit:
        raise _too_large(limit)
    body = b""
    while True:
        message = await request.receive()
        if message["type"] != "http.request":
            raise HTTPException(400, "the body broke off")
        body += message.get("body", b"")
        if len(body) > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return body


def json_of(body: bytes) -> Any:
    """The JSON of a body. Raises HTTPException 400; orjson refuses NaN, half characters, and nesting that has no end."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise HTTPException(400, "the body is not JSON in UTF-8") from None


def pairs_of(body: bytes) -> list[tuple[str, str]]:
    """The fields of a form. Raises HTTPException 400."""
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST_FORM_FIELDS)
    except ValueError:
        raise HTTPException(400, "the body is not a form in UTF-8") from None


def line_of(row: dict[str, Any]) -> bytes:
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def _too_large(limit: int) -> HTTPException:
    return HTTPException(413, f"the body is larger than {limit} bytes", {"Connection": "close"})
