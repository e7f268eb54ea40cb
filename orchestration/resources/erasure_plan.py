"""Erasures under way, and the receipts of those that are done.

What is to be erased is written down before the first row goes, since the rows are what tells it: an erasure that is killed is
finished by the next. This is the one file that holds the addresses then; it goes when nothing else does. A receipt holds none.
"""

import json
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from orchestration.core.erasure import EVER_AFTER, EVER_BEFORE, Person, Span
from orchestration.files import write_privately
from orchestration.resources.forgotten import Mark, marked_id
from orchestration.settings import Settings

TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class Plan:
    """An erasure: of whom, as of when by the business clock, and who asked."""

    erasure_id: str
    erased_at: datetime
    who: str
    person: Person


@dataclass
class Receipt:
    """What an erasure removed: (where, what, how many). Contacts by their opaque ids, which are keyed hashes; no address."""

    erasure_id: str
    erased_at: str
    finished_at: str
    who: str
    contact_ids: list[str]
    marks: int = 0
    removed: list[tuple[str, str, int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def begin(settings: Settings, person: Person, *, who: str) -> Plan:
    """Write down an erasure before it begins."""
    plan = Plan(str(uuid.uuid4()), settings.now(), who, person)
    written = asdict(plan) | {"erased_at": plan.erased_at.isoformat(), "person": _as_json(person)}
    write_privately(_folder(settings) / f"{plan.erasure_id}.json", json.dumps(written))
    return plan


def under_way(settings: Settings) -> Iterator[Plan]:
    """Erasures that were begun and not finished."""
    for path in sorted(_folder(settings).glob("*.json")):
        told = json.loads(path.read_text())
        erased_at = datetime.fromisoformat(told["erased_at"])
        yield Plan(told["erasure_id"], erased_at, told["who"], _from_json(told["person"]))


def finish(settings: Settings, plan: Plan, receipt: Receipt) -> None:
    """Keep the receipt, and let go of the addresses."""
    receipt.finished_at = datetime.now(UTC).isoformat(timespec="seconds")
    write_privately(settings.data_dir / "erasures" / f"{plan.erasure_id}.json", json.dumps(asdict(receipt), indent=2))
    (_folder(settings) / f"{plan.erasure_id}.json").unlink()


def new_receipt(plan: Plan) -> Receipt:
    return Receipt(
        erasure_id=plan.erasure_id,
        erased_at=plan.erased_at.isoformat(timespec="seconds"),
        finished_at="",
        who=plan.who,
        contact_ids=list(plan.person.contact_ids),
    )


def marks_of(plan: Plan, key: str) -> list[Mark]:
    """By what the person's events are known again. What is dated after the erasure, and after the last of what was erased, is
    new; what nobody put a name to on a device that others used, too, may be theirs at any time."""
    person = plan.person
    end = max(plan.erased_at, person.last_seen) + TICK
    found = [Mark(one.address_id, one.since, one.until if one.until < EVER_AFTER else end) for one in person.spans]
    for kind, values, until in (
        ("visitor", person.devices, end),
        ("visitor", person.shared_devices, EVER_AFTER),
        ("order", person.orders, EVER_AFTER),
        ("account", person.accounts, end),
    ):
        found += [Mark(marked_id(kind, value, key), EVER_BEFORE, until) for value in sorted(values)]
    return found


def _folder(settings: Settings) -> Path:
    return settings.data_dir / "erasing"


_SETS = ("spoken_for", "devices", "shared_devices", "orders", "accounts")


def _as_json(person: Person) -> dict[str, Any]:
    return {
        "contact_ids": person.contact_ids,
        "addresses": {address: [_span(one) for one in spans] for address, spans in person.addresses.items()},
        "spans": [_span(one) for one in person.spans],
        "last_seen": person.last_seen.isoformat(),
        **{name: sorted(getattr(person, name)) for name in _SETS},
    }


def _from_json(told: dict[str, Any]) -> Person:
    return Person(
        contact_ids=tuple(told["contact_ids"]),
        addresses={address: tuple(map(_as_span, spans)) for address, spans in told["addresses"].items()},
        spans=tuple(map(_as_span, told["spans"])),
        last_seen=datetime.fromisoformat(told["last_seen"]),
        **{name: frozenset(told[name]) for name in _SETS},
    )


def _span(span: Span) -> list[str]:
    return [span.address_id, span.since.isoformat(), span.until.isoformat()]


def _as_span(told: list[str]) -> Span:
    return Span(told[0], datetime.fromisoformat(told[1]), datetime.fromisoformat(told[2]))
