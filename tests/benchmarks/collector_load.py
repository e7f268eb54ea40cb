"""Many connections that post events as fast as they are answered: a load for bench_collector.py.

Plain asyncio sockets: a client library would cost more than the server that is measured.
"""

import asyncio
import json
import time
import uuid
from dataclasses import dataclass, field

KEY = "a-key-of-the-benchmark"


@dataclass
class Load:
    """What a load brought: ids of events acknowledged, seconds each answer took, other answers by status."""

    acknowledged: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    other: dict[int, int] = field(default_factory=dict)
    broken: int = 0
    wall: float = 0.0

    @property
    def p99_ms(self) -> float:
        return sorted(self.seconds)[int(len(self.seconds) * 0.99)] * 1000


async def post(
    port: int, *, requests: int, connections: int, events: int = 1, until: asyncio.Event | None = None
) -> Load:
    """`requests` requests of `events` views each, over `connections` connections; or as many as go until `until` is set.

    A connection that breaks, or can't be made, is made again; what it was sending counts as not acknowledged.
    """
    load = Load()
    left = iter(range(requests))
    began = time.perf_counter()
    await asyncio.gather(*(_connection(port, left, events, load, until) for _ in range(connections)))
    load.wall = time.perf_counter() - began
    return load


async def _connection(port: int, left, events: int, load: Load, until: asyncio.Event | None) -> None:
    reader = writer = None
    while until is None or not until.is_set():
        if until is None and next(left, None) is None:
            break
        ids = [uuid.uuid4().hex for _ in range(events)]
        try:
            if writer is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            sent = time.perf_counter()
            writer.write(_request(ids))
            status = await _answer(reader)
        except (OSError, asyncio.IncompleteReadError):
            load.broken += 1
            writer = None
            await asyncio.sleep(0.02)
            continue
        if status in (200, 204):
            load.seconds.append(time.perf_counter() - sent)
            load.acknowledged += ids
        else:
            load.other[status] = load.other.get(status, 0) + 1
    if writer is not None:
        writer.close()


def _request(ids: list[str]) -> bytes:
    views = [
        {
            "event_id": one,
            "occurred_at": "2026-11-20T10:00:00Z",
            "article_id": "991271693336573226",
            "url": "https://shop.test/blog/peel-week-day-by-day",
            "visitor_id": f"v-{one[:20]}",
            "tracking_consent": True,
        }
        for one in ids
    ]
    body = json.dumps(views[0] if len(views) == 1 else views).encode()
    head = (
        f"POST /v1/article-views HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            await reader.readexactly(int(line.split(b":")[1]))
    return status
