"""The ledger's rows as the objects of core.wave."""

import json
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from orchestration.core.errors import LedgerError
from orchestration.core.wave import Recipient, Wave
from orchestration.resources.ledger_schema import intents, recipients, waves

# Plain SQL for the driver itself: a million recipients through SQLAlchemy's rows take twice as long.
RECIPIENT_SQL = f"select {', '.join(f.name for f in fields(Recipient))} from recipients "
WAVE = [waves.c[f.name] for f in fields(Wave)]


def wave_row(con: Connection, wave_id: str) -> Wave:
    """Raises LedgerError when there is no such wave."""
    row = con.execute(select(*WAVE).where(waves.c.wave_id == wave_id)).one_or_none()
    if row is None:
        raise LedgerError(f"The ledger knows no wave {wave_id}.")
    return Wave(**row._mapping)


def count_outcomes(con: Connection, wave_id: str) -> dict[tuple[str, str | None, str | None], int]:
    """How many of a wave's rows ended with each (outcome, reason, delivery)."""
    kinds = recipients.c.outcome, recipients.c.reason, recipients.c.delivery
    query = select(*kinds, func.count()).where(recipients.c.wave_id == wave_id).group_by(*kinds)
    return {(outcome, reason, delivery): number for outcome, reason, delivery, number in con.execute(query)}


def send_was_begun(con: Connection, wave_id: str) -> bool:
    """Whether the wave may have gone out: a send was made, or begun, of which it is not known that it failed."""
    query = select(intents.c.id).where(
        intents.c.wave_id == wave_id, intents.c.call == "send", intents.c.state != "failed"
    )
    return con.execute(query.limit(1)).first() is not None


def recipient_of(row: tuple[Any, ...]) -> Recipient:
    """From a row of RECIPIENT_SQL."""
    *plain, slots, released, delivery, delivered_at = row
    at = None if delivered_at is None else datetime.fromisoformat(delivered_at)
    return Recipient(*plain, json.loads(slots), bool(released), delivery, at)
