"""Why somebody got an email, or got none: what the models and the ledger say of one contact, in plain words.

It answers for people who got nothing, too, and for addresses nobody knows. It names contacts by id, never by address.
"""

import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from duckdb import DuckDBPyConnection

from orchestration.components.services import Services
from orchestration.core.audience import MEANINGS
from orchestration.core.campaign import Campaign, Content
from orchestration.core.content import OFFER
from orchestration.core.identity import address_id
from orchestration.core.wave import Recipient, Wave
from orchestration.resources.forgotten import marks
from orchestration.resources.keys import contact_key
from orchestration.resources.models import segments


def explain(services: Services, contact: str, campaigns: Sequence[Campaign]) -> str:
    """The answer as text, for an address (any spelling) or a contact id. Raises NoBuildYet before the first build."""
    with services.warehouse.reader() as con:
        contact_id = _contact_id(con, services, contact)
        lines = [f"contact {contact_id}", *_who(con, services, contact_id), "", "Segments"]
        lines += _segments(con, contact_id)
    lines += ["", "Campaigns: each wave that decided something new; while they stay in the segment, its decision holds"]
    decisions = services.ledger.decisions_of(contact_id)
    for campaign in campaigns:
        lines += _campaign(campaign, [(wave, row) for wave, row in decisions if wave.campaign == campaign.name])
    return "\n".join(lines)


def _contact_id(con: DuckDBPyConnection, services: Services, contact: str) -> str:
    try:
        return str(uuid.UUID(contact))
    except ValueError:
        found = address_id(contact, contact_key(services.settings))
    row = con.execute(
        "select contact_id::varchar from lake.intermediate.int_address_owners "
        "where address_id = ?::uuid and owned_until = 'infinity'",
        [found],
    ).fetchone()
    return row[0] if row else found


def _who(con: DuckDBPyConnection, services: Services, contact_id: str) -> Iterator[str]:
    rows = _rows(con, "select * from lake.marts.contacts where contact_id = ?::uuid", contact_id)
    if not rows:
        erased = [mark.until for mark in marks(services.settings) if mark.id == contact_id]
        yield (
            f"  not known: erased; what they did before {_moment(max(erased))} stays away, and only waves that had them are kept"
            if erased
            else "  not known: no event with this address, or none yet in the models"
        )
        return
    (row,) = rows
    yield f"  first seen {_day(row['first_seen_at'])}, {row['order_count']} orders that stand"
    if row["is_subscribed"]:
        yield f"  subscribed on the basis of {row['basis'] or 'nothing recorded'}"
    elif row["first_subscribed_at"]:
        yield f"  not subscribed: subscribed {_day(row['first_subscribed_at'])}, unsubscribed since"
    else:
        yield "  not subscribed: never asked for emails"
    consents = [name for name in ("profiling", "health", "tracking") if row[f"has_{name}_consent"]]
    yield f"  consents to: {', '.join(consents) or 'nothing further'}"
    if row["is_suppressed"]:
        yield f"  suppressed: {row['suppression_reason']}"
    yield f"  may be written to: {'yes' if row['is_addressable'] else 'no'}"


def _segments(con: DuckDBPyConnection, contact_id: str) -> Iterator[str]:
    members = _rows(con, "select * from lake.marts.segment_members where contact_id = ?::uuid", contact_id)
    stays = _rows(
        con,
        "select * from lake.marts.segment_history where contact_id = ?::uuid and left_at is not null order by entered_at",
        contact_id,
    )
    now = {row["segment"]: row for row in members}
    for segment in segments():
        if segment in now:
            yield f"  {segment}: in it since {_moment(now[segment]['entered_at'])}, because: {now[segment]['reason']}"
        else:
            yield f"  {segment}: not in it"
        for stay in stays:
            if stay["segment"] == segment:
                yield (
                    f"    was in it {_moment(stay['entered_at'])} to {_moment(stay['left_at'])}, "
                    f"because: {stay['reason']}"
                )


def _campaign(campaign: Campaign, decisions: Sequence[tuple[Wave, Recipient]]) -> Iterator[str]:
    if not decisions:
        yield f"  {campaign.name}: no wave has looked at this contact; it looks at the members of {campaign.segment}"
        return
    yield f"  {campaign.name}"
    for wave, row in decisions:
        yield f"    {_moment(wave.as_of)} wave {wave.wave_id} ({wave.state}): {_decision(wave, row)}"
        if row.outcome == "recipient":
            yield from (f"      {shown}" for shown in _shown(wave, row))


def _decision(wave: Wave, row: Recipient) -> str:
    if row.outcome == "recipient":
        became = row.delivery or ("cancelled with the wave" if row.released else "not sent yet")
        return f"recipient, because: {row.evidence}; {became}" + (
            f" {_moment(row.delivered_at)}" if row.delivery and row.delivered_at else ""
        )
    if row.outcome == "holdout":
        return "kept back to measure against"
    return f"{row.outcome}, {row.reason}: {MEANINGS.get(row.reason or '', '')}"


def _shown(wave: Wave, row: Recipient) -> Iterator[str]:
    content = Content.of(wave.content)
    shown = {card.code: f"article: {card.title}" for slot in content.articles for card in slot}
    shown |= {card.code: f"product: {card.name}" for slot in content.products for card in slot}
    for field, code in sorted(row.slots.items()):
        if field == OFFER:
            yield f"code: {code}"
        elif code in shown:
            yield shown[code]


def _rows(con: DuckDBPyConnection, sql: str, contact_id: str) -> list[dict[str, Any]]:
    cursor = con.execute(sql, [contact_id])
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _day(moment: Any) -> str:
    return moment.strftime("%Y-%m-%d")


def _moment(moment: Any) -> str:
    return moment.strftime("%Y-%m-%d %H:%M")
