"""One call to Mailchimp through its client, told apart: done, refused, not done yet, or nobody knows.

What the client (mailchimp-marketing 3.0.80) and the API in front of it do wrong ends here:

    the client hands back a requests.Response instead of raising     for an empty or unreadable body, whatever the status
    ApiClientError says nothing in str(), and carries no status      for a connection that failed
    it replaces "server" anywhere in the address                     host is set in full, the replacement switched off
    429                                                              one connection too many: wait, try again
    403 without a body, 500 without a body, 502 or 200 with HTML,    unknown: repeated only if that does no harm,
    a time-out                                                       else its caller looks what happened

No message of ours carries an address: Mailchimp's own texts do, so they are cleaned of them.
"""

import json
import logging
import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import requests
from mailchimp_marketing import Client
from mailchimp_marketing.api_client import ApiClientError
from urllib3.exceptions import NewConnectionError

from orchestration.core.errors import MailchimpError, MailchimpRefused, MailchimpUnknown
from orchestration.settings import Settings

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 8  # Mailchimp allows 10 a user; the shop's other tools want some, too
PAGE = 1000
PROGRESS_SECONDS = 5.0
T = TypeVar("T")
R = TypeVar("R")
_ADDRESS = re.compile(r"[^\s\"'<>,;]+@[^\s\"'<>,;]+")
_chance = random.SystemRandom()


@dataclass(frozen=True)
class Pauses:
    """How patiently a call is repeated: pauses double from `first` to `most` seconds, with jitter; `tries` calls in all."""

    first: float = 1.0
    most: float = 60.0
    tries: int = 8

    def wait(self, attempt: int) -> None:
        time.sleep(min(self.most, self.first * 2**attempt) * _chance.uniform(0.5, 1.0))


class NotDone(MailchimpError):
    """Mailchimp certainly did nothing: any call may be made again."""


class Calls:
    """The client, and the one way to call it. May be shared between threads."""

    def __init__(self, settings: Settings, pauses: Pauses) -> None:
        self.pauses = pauses
        self.client = Client(
            {"api_key": settings.mailchimp_api_key or "sandbox", "timeout": settings.mailchimp_timeout}
        )
        # With an empty `server` the client's replacement in the whole address does not happen.
        self.client.api_client.server = ""
        self.client.api_client.host = settings.mailchimp_url
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)
        if settings.uses_sandbox:
            _no_proxy_for_loopback()

    def __call__(
        self, what: str, function: Callable[..., Any], *args: Any, repeatable: bool = True, **kwargs: Any
    ) -> dict[str, Any]:
        """Call it and give back the answer's JSON object; {} for 204.

        `repeatable`: making the call twice does no more than making it once, so a lost answer is asked for again.
        Raises MailchimpRefused, or MailchimpUnknown when the answer was lost (or the tries ran out).
        """
        for attempt in range(self.pauses.tries):
            if attempt:
                log.info("Mailchimp: %s: waiting before try %d of %d", what, attempt + 1, self.pauses.tries)
                self.pauses.wait(attempt - 1)
            try:
                with self._slots:
                    return _answer(what, function, *args, **kwargs)
            except NotDone as error:
                last: MailchimpError = error
            except MailchimpUnknown as error:
                if not repeatable:
                    raise
                last = error
        raise MailchimpUnknown(f"{last} It was tried {self.pauses.tries} times; start again later.") from last

    def everything(
        self, what: str, function: Callable[..., Any], *args: Any, key: str, by: str, **kwargs: Any
    ) -> dict[Any, dict[str, Any]]:
        """All rows of a listing, in pages of 1000, by their field `by`. Read again when it changed meanwhile.

        `fields`, when given, must name total_items too. Raises MailchimpUnknown if it never stays the same.
        """
        for _ in range(3):
            first = self(what, function, *args, count=PAGE, offset=0, **kwargs)
            rows = {row[by]: row for row in first[key]}
            offsets = range(PAGE, first["total_items"], PAGE)

            def page(offset: int) -> list[dict[str, Any]]:
                return self(what, function, *args, count=PAGE, offset=offset, **kwargs)[key]

            for more in self.in_parallel(f"reading {what}, pages", page, offsets):
                rows.update((row[by], row) for row in more)
            if len(rows) >= first["total_items"]:
                return rows
        raise MailchimpUnknown(f"Mailchimp: {what} changed each time it was read. Start again later.")

    def in_parallel(self, what: str, function: Callable[[T], R], things: Sequence[T]) -> Iterator[R]:
        """`function` of each thing, in order, 8 at once, with a progress line every few seconds."""
        if not things:
            return
        told = time.monotonic()
        with ThreadPoolExecutor(MAX_CONNECTIONS) as pool:
            try:
                for number, result in enumerate(pool.map(function, things), 1):
                    if time.monotonic() - told > PROGRESS_SECONDS:
                        told = time.monotonic()
                        log.info("Mailchimp: %s: %d of %d", what, number, len(things))
                    yield result
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


def _answer(what: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
    try:
        answer = function(*args, **kwargs)
    except ApiClientError as error:
        if error.status_code is None:
            raise _connection_error(what, error.text) from error
        raise _status_error(what, error.status_code, error.text) from error
    if isinstance(answer, dict):
        return answer
    if isinstance(answer, requests.Response):
        if answer.status_code == 204:
            return {}
        if answer.status_code >= 400:
            raise _status_error(what, answer.status_code, answer.text)
    raise MailchimpUnknown(f"Mailchimp's answer to {what} can't be read: whether it was done is not known.")


def _connection_error(what: str, cause: Any) -> Exception:
    if not isinstance(cause, requests.RequestException):
        return cause if isinstance(cause, Exception) else MailchimpUnknown(f"Mailchimp: {what} failed.")
    reason = getattr(cause.args[0], "reason", None) if cause.args else None
    if isinstance(cause, requests.ConnectTimeout) or isinstance(reason, NewConnectionError):
        return NotDone(
            f"Mailchimp can't be reached for {what} ({type(cause).__name__}). Is the network, or the sandbox, up?"
        )
    return MailchimpUnknown(
        f"Mailchimp's answer to {what} was lost ({type(cause).__name__}): whether it was done is not known."
    )


def _status_error(what: str, status: int, body: Any) -> MailchimpError:
    problem = _problem(body)
    if status == 429:
        return NotDone(f"Mailchimp says {what} is one call too many at once (429).")
    if status >= 500 or problem is None:
        return MailchimpUnknown(
            f"Mailchimp answered {what} with {status} and no reason: whether it was done is not known."
        )
    title, detail = str(problem.get("title") or ""), without_addresses(str(problem.get("detail") or ""))
    for one in problem.get("errors") or []:
        detail += f" [{one.get('field')}: {without_addresses(str(one.get('message')))}]"
    hint = " Check MAILCHIMP_API_KEY." if status in (401, 403) else ""
    return MailchimpRefused(
        f"Mailchimp refused {what}: {status} {title}: {detail}{hint}", status=status, title=title, detail=detail
    )


def _problem(body: Any) -> dict[str, Any] | None:
    """Mailchimp's problem document, which the client passes on as text or as a dict; None for anything else."""
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except ValueError:
            return None
    return body if isinstance(body, dict) and (body.get("title") or body.get("detail")) else None


def moment_of(text: str | None) -> datetime | None:
    """A time as Mailchimp writes it, to the second: the end of that second, so that it is not before what came in it."""
    return datetime.fromisoformat(text).replace(microsecond=999_999) if text else None


def without_addresses(text: str) -> str:
    """Mailchimp's wording with every email address taken out."""
    return _ADDRESS.sub("(address)", text)


def _no_proxy_for_loopback() -> None:
    # The client offers no other way to keep requests from sending loopback calls to a proxy.
    known = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    if "127.0.0.1" not in known.split(","):
        os.environ["no_proxy"] = ",".join(filter(None, [known, "127.0.0.1"]))
