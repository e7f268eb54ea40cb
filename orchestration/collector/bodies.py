"""What a request holds, up to a limit."""

from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request


async def body_of(request: Request, limit: int) -> bytes:
    """The whole body. Raises HTTPException 413 as soon as it is known to be larger than `limit` bytes."""
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > limit:
        raise _too_large(limit)
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def json_of(body: bytes) -> Any:
    """The JSON of a body. Raises HTTPException 400; orjson refuses NaN, half characters, and nesting that has no end."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise HTTPException(400, "the body is not JSON in UTF-8") from None


def line_of(row: dict[str, Any]) -> bytes:
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def _too_large(limit: int) -> HTTPException:
    return HTTPException(413, f"the body is larger than {limit} bytes", {"Connection": "close"})
