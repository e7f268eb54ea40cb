"""The life of one send: a wave's states, the legal moves between them, its id and its hash (DESIGN 6).

    planned → drafted → approved → sending → sent → settled
       └─────────┴──────────┴→ cancelled

A wave that is `sending` may already be on its way to people, so nothing leads from there but onward. Only a ledger that
knows less than Mailchimp (it was restored, or is new) takes a wave straight to `sent`: it is adopted.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from orchestration.core.campaign import Rendered
from orchestration.core.errors import IllegalMove

MOVES = {
    "planned": ("drafted", "cancelled"),
    "drafted": ("approved", "cancelled"),
    "approved": ("sending", "cancelled"),
    "sending": ("sent",),
    "sent": ("settled",),
    "settled": (),
    "cancelled": (),
}
STATES = tuple(MOVES)
# A recipient may be taken out as long as the wave has not gone out.
DROPPABLE_STATES = ("planned", "drafted", "approved", "sending")

OUTCOMES = ("recipient", "holdout", "excluded", "deferred")
DELIVERIES = ("sent", "hard_bounce", "soft_bounce", "not_sent", "complained", "unsubscribed")


@dataclass(frozen=True)
class WaveDraft:
    """What a planner hands to the ledger with the audience. `content` is core.campaign.Content as JSON.

    `segment_size`, when given, must equal the number of members decided on: every one ends with exactly one outcome.
    """

    wave_id: str
    campaign: str
    as_of: datetime
    build_id: str
    snapshot_id: int
    created_at: datetime
    who: str
    why: str
    content: dict[str, Any] = field(default_factory=dict)
    segment_size: int | None = None


@dataclass(frozen=True)
class Wave:
    """A wave as the ledger holds it. `counts` of all members: segment_size, recipient, holdout; excluded, deferred by reason."""

    wave_id: str
    campaign: str
    state: str
    as_of: datetime
    build_id: str
    snapshot_id: int
    counts: dict[str, Any]
    content: dict[str, Any]
    audience_hash: str | None
    draft_hash: str | None
    approved_hash: str | None
    approved_by: str | None
    mailchimp_campaign_id: str | None
    mailchimp_web_id: int | None
    mailchimp_segment_id: int | None
    created_at: datetime
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class Recipient:
    """One member of the segment about whom a wave decided something new, whatever became of them. `slots` maps their member
    fields, as core.content names them, to codes and words."""

    wave_id: str
    contact_id: str
    campaign: str
    entry: int
    outcome: str
    reason: str | None
    evidence: str | None
    email: str | None
    first_name: str | None
    slots: dict[str, str]
    released: bool
    delivery: str | None
    delivered_at: datetime | None


@dataclass(frozen=True)
class Move:
    """One move of a wave: who made it, when (business clock) and why."""

    from_state: str | None
    to_state: str
    moved_at: datetime
    who: str
    why: str


@dataclass(frozen=True)
class Intent:
    """An outside call that was about to be made; `state` is intent until its outcome is known, then done or failed.

    `at` and `ended_at` are the machine's clock: they are measured against Mailchimp's own time limits.
    """

    id: int
    wave_id: str
    call: str
    detail: dict[str, Any]
    state: str
    at: datetime
    outcome: dict[str, Any]
    ended_at: datetime | None


def check_move(from_state: str, to_state: str, wave_id: str = "") -> None:
    """Raises IllegalMove unless a wave in `from_state` may go to `to_state`."""
    allowed = MOVES.get(from_state, ())
    if to_state not in allowed:
        onward = " or ".join(allowed) or "nowhere"
        raise IllegalMove(f"Wave {wave_id} is {from_state}: it may go to {onward}, not to {to_state}.")


def new_wave_id(at: datetime) -> str:
    """`w` and 16 characters of 0-9a-v that sort by time: 48 bits of milliseconds, 32 bits of chance."""
    moment = int(at.timestamp() * 1000).to_bytes(6, "big")
    return "w" + base64.b32hexencode(moment + secrets.token_bytes(4)).decode().lower()


def planned_at(wave_id: str) -> datetime:
    """The moment that `new_wave_id` put into the id, to the millisecond, UTC."""
    moment = base64.b32hexdecode(wave_id.removeprefix("w").upper())[:6]
    return datetime.fromtimestamp(int.from_bytes(moment) / 1000, UTC)


def audience_hash(people: Iterable[tuple[str, str]]) -> str:
    """SHA-256 over (contact id, slots as JSON text), which must come in rising order of contact id."""
    digest = hashlib.sha256()
    before = ""
    for contact_id, slots in people:
        if contact_id <= before:
            raise ValueError("audience_hash wants each contact once, in rising order")
        before = contact_id
        digest.update(f"{contact_id}\x1f{slots}\x1e".encode())
    return digest.hexdigest()


def draft_hash(audience: str, content: dict[str, Any], rendered: Rendered) -> str:
    """What an approval names: SHA-256 over the audience's hash, the wave's cards and the email as rendered."""
    parts = {"audience": audience, "content": content, "email": rendered.model_dump()}
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
