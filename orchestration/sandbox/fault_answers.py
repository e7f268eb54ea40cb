"""What a fault does to a call: a wrong answer, a late one, or none."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from orchestration.sandbox.calls import Problem
from orchestration.sandbox.faults import CLOSE, EMPTY, FORBIDDEN, GATEWAY, SLOW, TIMEOUT, TOO_MANY, Fault

_INSTEAD = (TOO_MANY, FORBIDDEN, EMPTY, GATEWAY, TIMEOUT, CLOSE)
_PAGE = """<html>
<head><title>502 Bad Gateway</title></head>
<body><center><h1>502 Bad Gateway</h1></center><hr><center>openresty</center></body>
</html>
"""


class NoAnswer(Response):
    """The connection is closed without a byte."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["transport"].close()
        await _gone(receive)


async def faulty(fault: Fault, request: Request, work: Callable[[], Awaitable[Response]]) -> Response:
    """The answer of a call that has this fault; `work` does what was asked and gives the right one. Raises Problem."""
    # What is unread when a connection is closed would make it a reset, and the caller fail while it still sends.
    await request.body()
    after = fault.when == "after"
    if fault.kind in _INSTEAD:
        if after:
            await work()
        return await _instead(fault, request)
    if fault.kind == SLOW and not after:
        await asyncio.sleep(fault.seconds)
    answer = await work()
    if fault.kind == SLOW and after:
        await asyncio.sleep(fault.seconds)
    return answer


async def _instead(fault: Fault, request: Request) -> Response:
    if fault.kind == TOO_MANY:
        raise Problem(
            429, "Too Many Requests", f"You have exceeded the limit of {fault.most} simultaneous connections."
        )
    request.state.is_faulty = True
    if fault.kind == GATEWAY:
        return HTMLResponse(_PAGE, 502)
    if fault.kind in (FORBIDDEN, EMPTY):
        return Response(status_code=int(fault.kind))
    if fault.kind == TIMEOUT:
        try:
            async with asyncio.timeout(fault.seconds):
                await _gone(request.receive)
        except TimeoutError:
            pass
    return NoAnswer()


async def _gone(receive: Receive) -> None:
    """Wait until the caller's end of the connection is closed."""
    while (await receive())["type"] != "http.disconnect":
        pass
