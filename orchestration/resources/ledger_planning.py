"""Planning a wave: what was claimed before comes out as Arrow, the frozen audience goes in as Arrow.

Everything happens inside the one transaction that `Ledger.planning` opened. A million members stream through in
batches; nothing is decided here over a single contact.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from sqlalchemy import insert, select
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from orchestration.core.audience import check_sums, reason_known
from orchestration.core.errors import AlreadyClaimed, LedgerError
from orchestration.core.wave import OUTCOMES, WaveDraft
from orchestration.resources.ledger_schema import CLAIMED, campaigns, changes, wave_moves, waves

# how many members have an outcome with a reason
Tally = Mapping[tuple[str, str | None], int]

CHUNK = 10_000
COLUMNS = ("contact_id", "entry", "outcome", "reason", "evidence", "email", "first_name", "slots")
UTC_TIMESTAMP = pa.timestamp("us", tz="UTC")
HISTORY = pa.schema(
    [
        ("contact_id", pa.string()),
        ("campaign", pa.string()),
        ("entry", pa.int64()),
        ("outcome", pa.string()),
        ("reason", pa.string()),
        ("planned_as_of", UTC_TIMESTAMP),
        ("sent_at", UTC_TIMESTAMP),
        ("is_claim", pa.bool_()),
        ("was_dropped", pa.bool_()),
        ("position", pa.int64()),
    ]
)
# "not indexed": by the index the rows would be read in an order that jumps about in the file.
_HISTORY_SQL = f"""
    select contact_id, entry, outcome, reason, wave_id, {CLAIMED}, dropped_from is not null, rowid
    from recipients not indexed
    where {CLAIMED} or (outcome = 'excluded' and dropped_from is not null)
        or rowid in (select max(rowid) from recipients not indexed where campaign = ? group by contact_id)
"""
_INSERT = """
    insert into recipients (wave_id, campaign, change_id, released, contact_id, entry, outcome, reason, evidence, email,
    first_name, slots) values (?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_CLASHES = f"""
    select count(*) from json_each(?) as ours join recipients as theirs
    on theirs.campaign = ? and theirs.contact_id = ours.value ->> 0 and theirs.entry = ours.value ->> 1
    where theirs.{CLAIMED} and theirs.wave_id <> ?
"""


class Planning:
    """One open planning transaction. Make one with `with ledger.planning(campaign) as planning:`."""

    def __init__(self, con: Connection, reading: Connection, campaign: str) -> None:
        self._con = con
        self._reading = reading
        self.campaign = campaign
        self.failure: LedgerError | None = None

    def start(self, at: datetime) -> datetime:
        """When the campaign was started: `at` the first time a plan of it is kept, that same moment ever after."""
        found = self._con.execute(
            select(campaigns.c.started_at).where(campaigns.c.campaign == self.campaign)
        ).scalar_one_or_none()
        if found is None:
            self._con.execute(insert(campaigns).values(campaign=self.campaign, started_at=at))
        return found or at.astimezone(UTC)

    def history(self) -> pa.RecordBatchReader:
        """What the planning query must know: every live claim of every campaign, everybody who was taken out of a wave, and
        what this campaign decided last about each.

        Columns: contact_id, campaign, entry, outcome, reason, planned_as_of, sent_at (null until sent), is_claim (a recipient
        or holdout whose claim is live), was_dropped, position (rises with each decision). Can be read once, from any thread;
        make a table of it to use it twice. It is the state before this planning wrote anything.
        """
        return pa.RecordBatchReader.from_batches(HISTORY, self._history_batches(wave_facts(self._reading)))

    def _history_batches(self, facts: dict[str, Any]) -> Iterator[pa.RecordBatch]:
        for rows in fetch_many(self._reading, _HISTORY_SQL, (self.campaign,)):
            contact_ids, entries, outcomes, reasons, wave_ids, claims, drops, positions = zip(*rows, strict=True)
            spread = Spread(wave_ids, facts)
            yield pa.record_batch(
                [
                    pa.array(contact_ids, pa.string()),
                    spread.of("campaign", pa.string()),
                    pa.array(entries, pa.int64()),
                    pa.array(outcomes, pa.string()),
                    pa.array(reasons, pa.string()),
                    spread.of("as_of", UTC_TIMESTAMP),
                    spread.of("sent_at", UTC_TIMESTAMP),
                    pa.array(map(bool, claims), pa.bool_()),
                    pa.array(map(bool, drops), pa.bool_()),
                    pa.array(positions, pa.int64()),
                ],
                schema=HISTORY,
            )

    def write(self, wave: WaveDraft, batches: Iterable[pa.RecordBatch], unchanged: Tally | None = None) -> None:
        """Freeze a wave's audience: the wave, its first move and a row for every member about whom it decides anything new.

        `batches` have the columns contact_id, entry, outcome, reason, evidence, email, first_name, slots (JSON text
        such as {"ART1": "a1b2c3d4e5"}), best in rising order of contact_id: any other takes twice as long. `unchanged`
        counts the members by outcome and reason of whom the campaign's last decision still holds: they are in the wave's
        counts and have their row in an earlier wave. Raises
        AlreadyClaimed when another wave holds one of the claims, LedgerError for a member written twice, an unknown
        outcome or reason, or sums that don't come out. After an error the whole planning transaction is rolled back,
        even when the caller swallows the error.
        """
        try:
            self._write(wave, batches, unchanged or {})
        except LedgerError as error:
            self.failure = error
            raise

    def _write(self, wave: WaveDraft, batches: Iterable[pa.RecordBatch], unchanged: Tally) -> None:
        if wave.campaign != self.campaign:
            raise LedgerError(f"Wave {wave.wave_id} is of {wave.campaign}, but {self.campaign} is being planned.")
        change_id = new_change(self._con, wave.created_at)
        tally = Counter(unchanged)
        batches = iter(batches)
        for batch in batches:
            for start in range(0, batch.num_rows, CHUNK):
                self._insert(wave, change_id, batch.slice(start, CHUNK), batches, tally)
        counts = counts_of(tally)
        if wave.segment_size is not None:
            check_sums(wave.segment_size, counts)
        self._con.execute(
            insert(waves).values(
                wave_id=wave.wave_id,
                campaign=wave.campaign,
                state="planned",
                as_of=wave.as_of,
                build_id=wave.build_id,
                snapshot_id=wave.snapshot_id,
                counts=counts,
                content=wave.content,
                created_at=wave.created_at,
            )
        )
        first = {"wave_id": wave.wave_id, "to_state": "planned", "moved_at": wave.created_at}
        self._con.execute(insert(wave_moves).values(**first, who=wave.who, why=wave.why))

    def _insert(
        self,
        wave: WaveDraft,
        change_id: int,
        batch: pa.RecordBatch,
        rest: Iterator[pa.RecordBatch],
        tally: Counter[tuple[str, str | None]],
    ) -> None:
        columns = [batch.column(name).to_pylist() for name in COLUMNS]
        kinds = Counter(zip(columns[2], columns[3], strict=True))
        for outcome, reason in kinds:
            if outcome not in OUTCOMES or not reason_known(outcome, reason):
                raise LedgerError(f"Wave {wave.wave_id}: no rule knows the outcome {outcome!r} with reason {reason!r}.")
        tally.update(kinds)
        rows = [(wave.wave_id, wave.campaign, change_id, *row) for row in zip(*columns, strict=True)]
        try:
            self._con.exec_driver_sql(_INSERT, rows)
        except IntegrityError as error:
            clashes = self._clashes(wave, batch) + sum(self._clashes(wave, other) for other in rest)
            if clashes:
                raise AlreadyClaimed(
                    f"Campaign {wave.campaign}: {clashes} contacts of wave {wave.wave_id} are claimed by another wave "
                    "for the same entry. Nothing was written; plan again."
                ) from error
            raise LedgerError(
                f"Wave {wave.wave_id} of {wave.campaign} names a contact twice, or leaves out something it must have. "
                f"Nothing was written: {error.orig}."
            ) from error

    def _clashes(self, wave: WaveDraft, batch: pa.RecordBatch) -> int:
        claims = [
            (contact_id, entry)
            for contact_id, entry, outcome in zip(*(batch.column(n).to_pylist() for n in COLUMNS[:3]), strict=True)
            if outcome in ("recipient", "holdout")
        ]
        asked = (json.dumps(claims), wave.campaign, wave.wave_id)
        return self._con.exec_driver_sql(_CLASHES, asked).scalar_one()


class Spread:
    """Columns of many rows whose values are few: one of them for each id in a column of ids."""

    def __init__(self, ids: Sequence[Any], facts: Mapping[Any, Any]) -> None:
        encoded = pa.array(ids).dictionary_encode()
        self._indices = encoded.indices
        self._found = [facts[one] for one in encoded.dictionary.to_pylist()]

    def of(self, name: str, kind: pa.DataType) -> pa.Array:
        return pa.array([getattr(fact, name) for fact in self._found], kind).take(self._indices)


def wave_facts(con: Connection) -> dict[str, Any]:
    """wave id → campaign, as_of, sent_at."""
    query = select(waves.c.wave_id, waves.c.campaign, waves.c.as_of, waves.c.sent_at)
    return {row.wave_id: row for row in con.execute(query)}


def counts_of(tally: Tally) -> dict[str, Any]:
    """A wave's counts."""
    counts: dict[str, Any] = {"segment_size": 0, "recipient": 0, "holdout": 0, "excluded": {}, "deferred": {}}
    for (outcome, reason), number in sorted(tally.items(), key=str):
        counts["segment_size"] += number
        if outcome in ("excluded", "deferred"):
            counts[outcome][reason] = number
        else:
            counts[outcome] += number
    return counts


def tally_of(counts: Mapping[str, Any]) -> Counter[tuple[str, str | None]]:
    """What `counts_of` made a wave's counts of."""
    tally = Counter({("recipient", None): counts.get("recipient", 0), ("holdout", None): counts.get("holdout", 0)})
    for outcome in ("excluded", "deferred"):
        tally.update({(outcome, reason): number for reason, number in counts.get(outcome, {}).items()})
    return tally


def new_change(con: Connection, at: datetime) -> int:
    """The number of this transaction's change to recipients, at a time of the business clock. It is later than any before it."""
    last = con.execute(select(changes.c.at).order_by(changes.c.id.desc()).limit(1)).scalar_one_or_none()
    at = at if last is None else max(at, last + timedelta(microseconds=1))
    return con.execute(insert(changes).values(at=at)).inserted_primary_key[0]


def fetch_many(con: Connection, sql: str, values: tuple[Any, ...] = ()) -> Iterator[list[tuple[Any, ...]]]:
    """Rows as plain tuples in lists of up to 50,000, straight from the driver: SQLAlchemy's rows take twice as long."""
    cursor = con.connection.cursor()
    try:
        cursor.execute(sql, values)
        while rows := cursor.fetchmany(50_000):
            yield rows
    finally:
        cursor.close()
