"""Who is being erased, and what of a text or a row is theirs (UK GDPR art. 17).

A person goes by their addresses, each for the time it was theirs, and by what hangs on those: devices, orders, shop accounts.
An address that is another contact's at another time is never looked for as text: what that contact said stays theirs.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from orchestration.core.contracts import ORDERS, SIGNUPS, SOURCES
from orchestration.core.identity import normal_address

EVER_BEFORE = datetime(1, 1, 1, tzinfo=UTC)
EVER_AFTER = datetime(9999, 1, 1, tzinfo=UTC)
ERASED = "(erased)"

# What an address may go on with, on either side. A letter after \n, %3C or \u003c is none of it, nor is a quotation mark.
_BEFORE = r"(?:(?<![\w.+%'-])|(?<=\W')|(?<=^')|(?<=\\[nrtbf])|(?<=\\u[0-9a-f]{4})|(?<=%[0-9a-f]{2}))"
_AFTER = r"(?![\w-]|\.\w)"
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")


@dataclass(frozen=True)
class Span:
    """An address, by its id, from `since` until just before `until`."""

    address_id: str
    since: datetime = EVER_BEFORE
    until: datetime = EVER_AFTER


class Somebody(Protocol):
    """Whoever rows are held against: a person who is being erased, or all who ever were."""

    def owns(self, address: Any, at: Any) -> bool: ...

    def used(self, visitor_id: Any, at: Any) -> bool: ...

    def placed(self, order_id: Any, account: Any, at: Any) -> bool: ...


@dataclass(frozen=True)
class Person:
    """Everything a contact is found by. `addresses` maps a normal address to its times; `spoken_for` are those of them that are
    another contact's at another time. `devices` are visitor ids that were theirs alone, `shared_devices` others' too. `last_seen`
    is the time of their last event."""

    contact_ids: tuple[str, ...]
    addresses: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)
    spans: tuple[Span, ...] = ()
    spoken_for: frozenset[str] = frozenset()
    devices: frozenset[str] = frozenset()
    shared_devices: frozenset[str] = frozenset()
    orders: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    last_seen: datetime = EVER_BEFORE

    @property
    def own_addresses(self) -> list[str]:
        """The addresses that are nobody else's: looked for as text, and erased in Mailchimp."""
        return sorted(self.addresses.keys() - self.spoken_for)

    def owns(self, address: Any, at: Any) -> bool:
        """Whether an address as a row tells it was theirs at a time as a row tells it; an unreadable time counts as theirs."""
        if not isinstance(address, str) or (normal := normal_address(address)) not in self.addresses:
            return False
        if normal not in self.spoken_for:
            return True
        moment = moment_told(at)
        return moment is None or any(span.since <= moment < span.until for span in self.addresses[normal])

    def used(self, visitor_id: Any, at: Any) -> bool:
        """Whether what nobody put a name to on a device is theirs, or may be."""
        return _text(visitor_id) in self.devices or _text(visitor_id) in self.shared_devices

    def placed(self, order_id: Any, account: Any, at: Any) -> bool:
        """Whether an order that carries no address is theirs."""
        return _text(order_id) in self.orders or _text(account) in self.accounts


class Traces:
    """Addresses as they stand in texts: in any case, escaped as JSON or as in a URL; never as a part of a longer address."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self.words = sorted({spelling for address in addresses for spelling in _spellings(address)})
        patterns = "|".join(re.escape(word) for word in self.words)
        self._pattern = re.compile(f"{_BEFORE}(?:{patterns}){_AFTER}", re.IGNORECASE) if self.words else None

    def __bool__(self) -> bool:
        return self._pattern is not None

    def are_in(self, text: str) -> bool:
        """Whether one of the addresses is in the text."""
        if self._pattern is None:
            return False
        if self._pattern.search(text):
            return True
        return (
            "\\u" in text and self._pattern.search(_ESCAPED.sub(lambda code: chr(int(code[1], 16)), text)) is not None
        )

    def replaced(self, text: str) -> str:
        """The text with the addresses replaced by (erased)."""
        return text if self._pattern is None else self._pattern.sub(ERASED, text)

    def masked(self, content: bytes) -> bytes:
        """The bytes with the addresses made x, nothing moved: for files that others may be writing to."""
        if self._pattern is None:
            return content
        text = content.decode(errors="surrogateescape")
        return self._pattern.sub(lambda found: "x" * len(found[0].encode(errors="surrogateescape")), text).encode(
            errors="surrogateescape"
        )


def without_person(person: Somebody, traces: Traces, source: str, row: Mapping[str, Any]) -> dict[str, Any] | None:
    """A landing row as it may stay, equal to `row` if nothing of it is theirs; None if all of it is.

    An order stays, without whom it was for: of a row whose person is gone only the fields of the contract are kept.
    """
    kept: dict[str, Any] | None = dict(row)
    if source == ORDERS.name:
        kept = _order(person, row)
    elif source in SOURCES and not SOURCES[source].is_catalogue:
        kept = _event(person, source, row)
    return None if kept is None else _scrubbed(traces, kept)


def is_about(person: Somebody, traces: Traces, source: str, text: str) -> bool:
    """Whether a row that could not be read is theirs, as far as it can be told."""
    if traces.are_in(text):
        return True
    try:
        row = json.loads(text)
    except ValueError:
        return False
    return isinstance(row, dict) and without_person(person, traces, source, row) != row


def _order(person: Somebody, row: Mapping[str, Any]) -> dict[str, Any]:
    # what became later of an order is as old as the order
    at = row.get("placed_at") or row.get("occurred_at")
    if row.get("email"):
        theirs = person.owns(row["email"], row.get("occurred_at")) or person.owns(row["email"], at)
    else:
        theirs = person.placed(row.get("order_id"), row.get("customer_id"), at)
    if not theirs:
        return dict(row)
    known = [field.name for field in ORDERS.fields]
    return {name: row[name] for name in known if name in row} | {"email": None, "customer_id": None}


def _event(person: Somebody, source: str, row: Mapping[str, Any]) -> dict[str, Any] | None:
    if person.owns(row.get("email"), row.get("occurred_at")):
        return None
    if source == SIGNUPS.name:
        if person.owns(row.get("previous_email"), row.get("occurred_at")):
            return {**row, "previous_email": None}
    elif not row.get("email") and person.used(row.get("visitor_id"), row.get("occurred_at")):
        return None
    return dict(row)


def _scrubbed(traces: Traces, value: Any) -> Any:
    if isinstance(value, str):
        return traces.replaced(value)
    if isinstance(value, dict):
        return {_scrubbed(traces, name): _scrubbed(traces, part) for name, part in value.items()}
    if isinstance(value, list):
        return [_scrubbed(traces, part) for part in value]
    return value


def _spellings(address: str) -> Iterable[str]:
    yield address
    yield json.dumps(address)[1:-1]
    yield address.replace("@", "%40")
    yield address.replace("@", "\\u0040").replace("+", "\\u002b").replace("'", "\\u0027")


def moment_told(said: Any) -> datetime | None:
    """A time as a row tells it; None for one without an offset, or that can't be read."""
    try:
        moment = datetime.fromisoformat(str(said).strip().upper().replace(",", "."))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
