"""What the warehouse takes from the ledger: rows shaped as raw.deliveries."""

import json

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy.engine import Connection

from orchestration.resources.ledger_planning import fetch_many

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
        ("as_of", pa.timestamp("us", tz="UTC")),
        ("sent_at", pa.timestamp("us", tz="UTC")),
        ("recorded_at", pa.timestamp("us", tz="UTC")),
    ]
)
_SQL = """
    select r.wave_id, r.campaign, r.contact_id, r.entry,
        case when r.released then 'excluded' else r.outcome end,
        case when r.released then 'cancelled' else r.reason end,
        r.delivery, r.slots, w.as_of, w.sent_at, c.at
    from recipients as r
    join waves as w using (wave_id)
    join changes as c on c.id = r.change_id
    where r.change_id > ? and r.change_id <= ?
"""


def deliveries_table(con: Connection, after: int, upto: int) -> pa.Table:
    """The recipients whose last change is number `after` + 1 … `upto`."""
    batches = []
    for rows in fetch_many(con, _SQL, (after, upto)):
        columns = [list(column) for column in zip(*rows, strict=True)]
        columns[7] = [_codes(slots) for slots in columns[7]]
        arrays = [_array(values, field.type) for values, field in zip(columns, DELIVERIES, strict=True)]
        batches.append(pa.record_batch(arrays, schema=DELIVERIES))
    return pa.Table.from_batches(batches, schema=DELIVERIES)


def _array(values: list, kind: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(kind):
        # The zone is always +00:00 (ledger_schema.UtcText); Arrow reads it from the text.
        return pc.cast(pa.array(values, pa.string()), kind)
    return pa.array(values, kind)


def _codes(slots: str) -> list[str]:
    return [] if slots == "{}" else [code for _, code in sorted(json.loads(slots).items()) if code]
