"""The ledger: which wave goes to whom, how far it got, and why. Nothing but the modules ledger_* opens `$DATA_DIR/ledger.sqlite`,
save a backup that copies it and an erasure that vacuums it, each in a process of its own.

    planning() → write()      planned      who gets it, who doesn't, and why
    set_draft()               drafted      the Mailchimp draft and the hash of what is in it
    approve(hash)             approved
    move(…, "sending")        sending      one at a time
    move(…, "sent"), record_deliveries(), move(…, "settled")

Each public function is one transaction. Outside calls are surrounded by record_intent and record_outcome, so that
whoever starts again after a kill knows what may have happened.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from sqlalchemy import func, insert, literal_column, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from orchestration.core.audience import DROP_REASONS, EXCLUSION_REASONS
from orchestration.core.errors import IllegalMove, LedgerError, StaleApproval
from orchestration.core.wave import DROPPABLE_STATES, Intent, Move, Recipient, Wave, check_move
from orchestration.resources.ledger_adoption import recounting
from orchestration.resources.ledger_export import deliveries_table
from orchestration.resources.ledger_file import PATIENCE
from orchestration.resources.ledger_planning import CHUNK, Planning, fetch_many, new_change
from orchestration.resources.ledger_rows import (
    RECIPIENT_SQL,
    WAVE,
    count_outcomes,
    recipient_of,
    send_was_begun,
    wave_row,
)
from orchestration.resources.ledger_schema import (
    changes,
    identity,
    intents,
    recipients,
    wave_moves,
    waves,
)
from orchestration.resources.ledger_stops import LedgerStops
from orchestration.settings import Settings

# Not created_at: under a fixed AS_OF all waves of a run were planned at one moment.
_PLANNED_ORDER = literal_column("rowid")


class Ledger(LedgerStops):
    """The ledger of one data folder. Cheap to make; may be shared between threads.

    Whoever writes waits up to `patience` seconds while another does, and then raises LedgerError.
    """

    def __init__(self, settings: Settings, *, patience: float = PATIENCE) -> None:
        super().__init__(settings.ledger_path, patience=patience)
        self._now = settings.now

    def ledger_id(self) -> str:
        """What tells this ledger from one that was begun anew in its place. A backup put back has the id it had."""
        with self._reading() as con:
            return con.execute(select(identity.c.ledger_id)).scalar_one()

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Nobody writes to the ledger meanwhile: who wants to waits, and so does this for whoever is writing."""
        with self._writing():
            yield

    @contextmanager
    def planning(self, campaign: str) -> Iterator[Planning]:
        """One transaction in which a wave is planned: nobody else writes to the ledger meanwhile, others wait for its end.

        Rolls back on an exception, and on a failed write() whose error the caller swallowed.
        """
        # The history is read on a connection of its own: no one else can commit while we hold the lock, and a scan
        # that is still open never meets the rows that write() adds.
        with self._writing() as con, self._engine.connect() as reading:
            planning = Planning(con, reading, campaign)
            yield planning
            if planning.failure is not None:
                raise planning.failure

    def wave(self, wave_id: str) -> Wave:
        """Raises LedgerError when there is no such wave."""
        with self._reading() as con:
            return wave_row(con, wave_id)

    def waves(self, campaign: str | None = None, states: Sequence[str] | None = None) -> list[Wave]:
        """Waves in the order they were planned, of one campaign and in some states if given."""
        query = select(*WAVE).order_by(_PLANNED_ORDER)
        if campaign is not None:
            query = query.where(waves.c.campaign == campaign)
        if states is not None:
            query = query.where(waves.c.state.in_(states))
        with self._reading() as con:
            return [Wave(**row._mapping) for row in con.execute(query)]

    def snapshots_referred_to(self) -> set[int]:
        """The snapshots of the warehouse that waves were planned on which are not over."""
        query = select(waves.c.snapshot_id).distinct().where(waves.c.state.not_in(("settled", "cancelled")))
        with self._reading() as con:
            return set(con.execute(query).scalars())

    def moves(self, wave_id: str) -> list[Move]:
        """A wave's moves so far, the first first."""
        columns = [wave_moves.c[f.name] for f in fields(Move)]
        with self._reading() as con:
            query = select(*columns).where(wave_moves.c.wave_id == wave_id).order_by(wave_moves.c.id)
            return [Move(**row._mapping) for row in con.execute(query)]

    def move(self, wave_id: str, to_state: str, *, who: str, why: str, at: datetime) -> Wave:
        """Move a wave on; `at` is the business clock, and the wave's sent_at when it moves to sent.

        Raises IllegalMove for a move the wave's state does not allow, and for `sending` while another wave is.
        Cancelling frees the claims of the wave's people.
        """
        if to_state in ("drafted", "approved"):
            raise IllegalMove(f"Wave {wave_id}: it gets to {to_state} by set_draft() or approve() only.")
        values: dict[str, Any] = {"sent_at": at} if to_state == "sent" else {}
        with self._writing() as con:
            self._move(con, wave_id, to_state, who=who, why=why, at=at, values=values)
            if to_state in ("sent", "cancelled"):
                # The warehouse hears of it: who is held out counts from the wave's time, too.
                told = {"change_id": new_change(con, at), **({"released": True} if to_state == "cancelled" else {})}
                claimed = recipients.c.wave_id == wave_id, recipients.c.outcome.in_(("recipient", "holdout"))
                con.execute(update(recipients).where(*claimed).values(**told))
            return wave_row(con, wave_id)

    def set_draft(
        self,
        wave_id: str,
        *,
        audience_hash: str,
        draft_hash: str,
        mailchimp_campaign_id: str,
        mailchimp_web_id: int | None,
        mailchimp_segment_id: int,
        who: str,
        why: str,
        at: datetime,
    ) -> Wave:
        """planned → drafted, with the hashes and Mailchimp's ids of the draft."""
        values = {
            "audience_hash": audience_hash,
            "draft_hash": draft_hash,
            "mailchimp_campaign_id": mailchimp_campaign_id,
            "mailchimp_web_id": mailchimp_web_id,
            "mailchimp_segment_id": mailchimp_segment_id,
        }
        with self._writing() as con:
            self._move(con, wave_id, "drafted", who=who, why=why, at=at, values=values)
            return wave_row(con, wave_id)

    def approve(self, wave_id: str, draft_hash: str, who: str, at: datetime) -> Wave:
        """drafted → approved. The same approval again changes nothing. Raises StaleApproval for another hash."""
        with self._writing() as con:
            wave = wave_row(con, wave_id)
            if wave.state == "approved" and wave.approved_hash == draft_hash:
                return wave
            if wave.draft_hash is not None and wave.draft_hash != draft_hash:
                raise StaleApproval(
                    f"Wave {wave_id}: {draft_hash[:12]}… was approved, but the draft is {wave.draft_hash[:12]}…. "
                    "Look at the draft as it is now and approve that."
                )
            values = {"approved_hash": draft_hash, "approved_by": who}
            self._move(con, wave_id, "approved", who=who, why=f"draft {draft_hash[:12]}", at=at, values=values)
            return wave_row(con, wave_id)

    def _move(
        self, con: Connection, wave_id: str, to_state: str, *, who: str, why: str, at: datetime, values: dict[str, Any]
    ) -> None:
        before = wave_row(con, wave_id).state
        check_move(before, to_state, wave_id)
        try:
            con.execute(update(waves).where(waves.c.wave_id == wave_id).values(state=to_state, **values))
        except IntegrityError as error:
            other = con.execute(select(waves.c.wave_id).where(waves.c.state == "sending")).scalar_one()
            raise IllegalMove(
                f"Wave {wave_id} can't be sent while wave {other} is sending: they share the members' fields. "
                f"Resume {other} first."
            ) from error
        made = {"wave_id": wave_id, "from_state": before, "to_state": to_state, "moved_at": at}
        con.execute(insert(wave_moves).values(**made, who=who, why=why))

    def recipients(self, wave_id: str, outcome: str | None = None) -> Iterator[list[Recipient]]:
        """Those about whom a wave decided something new, in rising order of contact id, in lists of up to 10,000.

        Each list is a read of its own, so the ledger may be written to in between.
        """
        query = RECIPIENT_SQL + "where wave_id = ? and contact_id > ? "
        asked = () if outcome is None else (outcome,)
        after = ""
        while True:
            with self._reading() as con:
                only = "" if outcome is None else "and outcome = ? "
                sql = f"{query}{only}order by contact_id limit {CHUNK}"
                rows = [row for some in fetch_many(con, sql, (wave_id, after, *asked)) for row in some]
            if not rows:
                return
            yield [recipient_of(row) for row in rows]
            after = rows[-1][1]

    def drafted_audience(self, wave_id: str) -> Iterator[tuple[str, str]]:
        """(contact id, slots as JSON text) of whom the draft was made for, dropped since or not, in order of id."""
        sql = (
            "select contact_id, slots from recipients where wave_id = ? and (outcome = 'recipient' "
            "or dropped_from in ('drafted', 'approved', 'sending')) order by contact_id"
        )
        with self._reading() as con:
            for rows in fetch_many(con, sql, (wave_id,)):
                yield from rows

    def outcomes(self, wave_id: str) -> dict[tuple[str, str | None, str | None], int]:
        """How many of a wave's rows ended with each (outcome, reason, delivery)."""
        with self._reading() as con:
            return count_outcomes(con, wave_id)

    def drop_recipients(self, wave_id: str, dropped: Iterable[tuple[str, str]]) -> int:
        """Recipients who turn out not to be written to: recipient → excluded, from (contact id, reason). How many were.

        Refused once the wave may have gone out: a freed claim would let the person be mailed again.
        """
        rows = list(dropped)
        for _, reason in rows:
            if reason not in DROP_REASONS and reason not in EXCLUSION_REASONS:
                raise LedgerError(f"Wave {wave_id}: no rule knows the reason {reason!r}.")
        with self._writing() as con:
            state = wave_row(con, wave_id).state
            if state not in DROPPABLE_STATES or send_was_begun(con, wave_id):
                raise LedgerError(f"Wave {wave_id} is {state} and may have gone out: nobody can be taken out any more.")
            values = {"outcome": "excluded", "dropped_from": state, "change_id": new_change(con, self._now())}
            number = 0
            with recounting(con, wave_id):
                for contact_id, reason in rows:
                    one = recipients.c.wave_id == wave_id, recipients.c.contact_id == contact_id
                    query = update(recipients).where(*one, recipients.c.outcome == "recipient")
                    number += con.execute(query.values(**values, reason=reason)).rowcount
            return number

    def deliveries_since(self, cursor: int) -> tuple[pa.Table, int]:
        """What changed about recipients after `cursor` (0: everything), shaped as raw.deliveries, and the new cursor.

        A cancelled wave's people come out as excluded with the reason `cancelled`.
        """
        with self._reading() as con:
            last = con.execute(select(func.coalesce(func.max(changes.c.id), 0))).scalar_one()
            return deliveries_table(con, cursor, last), last

    def decisions_of(self, contact_id: str) -> list[tuple[Wave, Recipient]]:
        """Every decision ever made about a contact, oldest first, with its wave."""
        with self._reading() as con:
            sql = RECIPIENT_SQL + "where contact_id = ? order by rowid"
            rows = [row for some in fetch_many(con, sql, (contact_id,)) for row in some]
            return [(wave_row(con, row[0]), recipient_of(row)) for row in rows]

    def record_intent(self, wave_id: str, call: str, detail: dict[str, Any] | None = None) -> int:
        """Write down that an outside call is about to be made. No addresses in `detail`. Returns the intent's id."""
        values = {"wave_id": wave_id, "call": call, "detail": detail or {}, "state": "intent", "outcome": {}}
        with self._writing() as con:
            return con.execute(insert(intents).values(**values, at=datetime.now(UTC))).inserted_primary_key[0]

    def record_outcome(self, intent_id: int, state: str, detail: dict[str, Any] | None = None) -> None:
        """Write down how it ended: `done` or `failed`."""
        if state not in ("done", "failed"):
            raise LedgerError(f"Intent {intent_id}: {state!r} is no outcome, only done and failed are.")
        values = {"state": state, "outcome": detail or {}, "ended_at": datetime.now(UTC)}
        with self._writing() as con:
            con.execute(update(intents).where(intents.c.id == intent_id).values(**values))

    def intents(self, wave_id: str, call: str | None = None, states: Sequence[str] | None = None) -> list[Intent]:
        """The outside calls of a wave, oldest first; of one name and in some states if given."""
        query = select(intents).where(intents.c.wave_id == wave_id).order_by(intents.c.id)
        if call is not None:
            query = query.where(intents.c.call == call)
        if states is not None:
            query = query.where(intents.c.state.in_(states))
        with self._reading() as con:
            return [Intent(**row._mapping) for row in con.execute(query)]
