"""What the warehouse takes from the ledger: rows shaped as raw.deliveries.

`recorded_at` is the business clock. Of an email's fate it is when that happened, not when it was heard of: consent is decided
by comparing it with the times of signups.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import select
from sqlalchemy.engine import Connection

from orchestration.core.content import ARTICLE, OFFER, PRODUCT
from orchestration.resources.ledger_planning import UTC_TIMESTAMP, Spread, fetch_many, wave_facts
from orchestration.resources.ledger_schema import ERASED, changes

DELIVERIES = pa.schema(
    [
        ("wave_id", pa.string()),
        ("campaign", pa.string()),
        ("contact_id", pa.string()),
        ("entry", pa.int64()),
        ("outcome", pa.string()),
        ("reason", pa.string()),
        ("delivery", pa.string()),
        ("codes", pa.list_(pa.string())),
        ("offer_code", pa.string()),
        ("as_of", UTC_TIMESTAMP),
        ("sent_at", UTC_TIMESTAMP),
        ("recorded_at", UTC_TIMESTAMP),
    ]
)
# An erased person's codes stay in a draft that was approved with them (ledger_erasure), and go nowhere from there.
_SQL = f"""
    select wave_id, contact_id, entry,
        case when released then 'excluded' else outcome end,
        case when released then 'cancelled' else reason end,
        delivery, delivered_at, case when evidence = '{ERASED}' then '{{}}' else slots end, change_id
    from recipients where change_id > ? and change_id <= ?
"""


def deliveries_table(con: Connection, after: int, upto: int) -> pa.Table:
    """The recipients whose last change is number `after` + 1 … `upto`."""
    facts = wave_facts(con)
    known = con.execute(select(changes.c.id, changes.c.at).where(changes.c.id > after, changes.c.id <= upto))
    times = {change.id: change for change in known}
    batches = []
    for rows in fetch_many(con, _SQL, (after, upto)):
        wave_ids, contact_ids, entries, outcomes, reasons, deliveries, happened, slots, change_ids = zip(
            *rows, strict=True
        )
        given = [{} if text == "{}" else json.loads(text) for text in slots]
        wave = Spread(wave_ids, facts)
        arrays = [
            pa.array(wave_ids, pa.string()),
            wave.of("campaign", pa.string()),
            pa.array(contact_ids, pa.string()),
            pa.array(entries, pa.int64()),
            pa.array(outcomes, pa.string()),
            pa.array(reasons, pa.string()),
            pa.array(deliveries, pa.string()),
            pa.array([_codes(fields) for fields in given], pa.list_(pa.string())),
            pa.array([fields.get(OFFER) for fields in given], pa.string()),
            wave.of("as_of", UTC_TIMESTAMP),
            wave.of("sent_at", UTC_TIMESTAMP),
            pc.coalesce(_moments(happened), Spread(change_ids, times).of("at", UTC_TIMESTAMP)),
        ]
        batches.append(pa.record_batch(arrays, schema=DELIVERIES))
    return pa.Table.from_batches(batches, schema=DELIVERIES)


def _moments(texts: Sequence[str | None]) -> pa.Array:
    return pa.array([text and datetime.fromisoformat(text) for text in texts], UTC_TIMESTAMP)


def _codes(fields: Mapping[str, str]) -> list[str]:
    """The codes of what was shown: articles and products, in the order of their fields."""
    return [code for field, code in sorted(fields.items()) if code and field.startswith((ARTICLE, PRODUCT))]
