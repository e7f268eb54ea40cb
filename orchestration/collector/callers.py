"""Who calls, as far as it must be known: a server with the key, a browser on a page of the shop, or nobody.

Who calls too often is told by a hash of their address under a salt that is drawn anew each minute and kept nowhere: no address
is stored, and none can be found out afterwards.
"""

import hashlib
import hmac
import re
import secrets
import time
from collections import Counter

from starlette.exceptions import HTTPException
from starlette.requests import Request

from orchestration.collector.bodies import headers_of

WINDOW_SECONDS = 60
# Cubot makes phones.
BOT = re.compile(
    r"(?<!cu)bot|crawl|spider|slurp|headless|preview|scan|monitor|curl|wget|python|java/|libwww|lighthouse|^$", re.I
)


class Rate:
    """At most `limit` requests a minute from one address."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._window = -1
        self._salt = b""
        self._seen: Counter[bytes] = Counter()

    def count(self, request: Request) -> None:
        """Raises HTTPException 429 that says when to try again."""
        window, second = divmod(int(time.monotonic()), WINDOW_SECONDS)
        if window != self._window:
            self._window, self._salt = window, secrets.token_bytes(16)
            self._seen.clear()
        address = request.client.host if request.client else ""
        caller = hashlib.blake2b(address.encode(), key=self._salt, digest_size=8).digest()
        self._seen[caller] += 1
        if self._seen[caller] > self._limit:
            wait = WINDOW_SECONDS - second
            raise HTTPException(429, "too many requests: wait a minute", {"Retry-After": str(wait)})


class Callers:
    """Tells servers and browsers from strangers."""

    def __init__(self, key: str | None, origins: tuple[str, ...], rate: Rate) -> None:
        self._key = key.encode() if key else None
        self._origins = frozenset(origin.encode() for origin in origins)
        self.rate = rate

    def is_server(self, request: Request) -> bool:
        """Whether the key was given; False for a browser on one of the pages.

        Raises HTTPException: 401 for anybody else, 429 for a browser that calls too often.
        """
        headers = headers_of(request)
        said = headers.get(b"authorization")
        if said is not None and self._key is not None:
            scheme, _, key = said.partition(b" ")
            if scheme.lower() == b"bearer" and hmac.compare_digest(key.strip(), self._key):
                return True
        self.rate.count(request)
        if said is None and headers.get(b"origin") in self._origins:
            return False
        raise HTTPException(401, "send the key as Authorization: Bearer …, or call from a page of the shop")


def is_bot(request: Request) -> bool:
    """Whether the caller says of itself that it is no person's browser."""
    return BOT.search(request.headers.get("user-agent", "")) is not None
