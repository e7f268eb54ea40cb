"""The ledger's part in adoption: waves that Mailchimp knows and this ledger does not, or knows less of.

A ledger that was restored from a backup, or made anew, has forgotten sends. What Mailchimp remembers of them is written down
here as if it had never been lost: the wave, as sent, and everybody who got it as its recipient, with a claim that holds.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection

from orchestration.core.wave import DROPPABLE_STATES, planned_at
from orchestration.resources.ledger_file import LedgerFile
from orchestration.resources.ledger_planning import counts_of, new_change, tally_of
from orchestration.resources.ledger_rows import count_outcomes
from orchestration.resources.ledger_schema import CLAIMED, looks, wave_moves, waves

KNOWN_AS_SENT = ("sending", "sent", "settled")
_DROPPABLE = ", ".join(f"'{state}'" for state in DROPPABLE_STATES)

# Who got it by Mailchimp's word may wait for it in a wave that is still to go out: they are taken out of that one.
_WAITING = f"""
    from recipients join waves using (wave_id)
    where recipients.campaign = :campaign and recipients.wave_id <> :wave_id and outcome = 'recipient' and not released
        and contact_id in (select contact_id from adopted) and waves.state in ({_DROPPABLE})
        and not exists (
            select 1 from intents
            where intents.wave_id = waves.wave_id and intents.call = 'send' and intents.state <> 'failed'
        )
"""
_TAKE_OUT = f"""
    update recipients set
        outcome = 'excluded', reason = 'already_sent', change_id = :change_id,
        dropped_from = (select state from waves where waves.wave_id = recipients.wave_id)
    where (wave_id, contact_id) in (select wave_id, contact_id {_WAITING})
"""
# Of a wave the ledger has in an earlier state: who did not get it is free again.
_NOT_SENT = """
    update recipients set outcome = 'excluded', reason = 'not_in_sent_to', dropped_from = :before, change_id = :change_id
    where wave_id = :wave_id and outcome = 'recipient' and contact_id not in (select contact_id from adopted)
"""
_CLAIM = f"""
    insert into recipients
        (wave_id, contact_id, campaign, entry, outcome, evidence, email, slots, released, change_id)
    select
        :wave_id, contact_id, :campaign,
        1 + coalesce((
            select max(entry) from recipients as others
            where others.campaign = :campaign and others.contact_id = adopted.contact_id
                and others.wave_id <> :wave_id and {CLAIMED}
        ), 0),
        'recipient', :evidence, email, '{{}}', 0, :change_id
    from adopted where true
    on conflict (wave_id, contact_id) do update set
        outcome = 'recipient', reason = null, released = 0, dropped_from = null, email = excluded.email,
        entry = case when recipients.outcome = 'recipient' and not recipients.released
            then recipients.entry else excluded.entry end,
        change_id = excluded.change_id
"""


@dataclass(frozen=True)
class FoundWave:
    """A wave as Mailchimp knows it. `sent_at` is None for one that was only drafted; else on the business clock."""

    wave_id: str
    campaign: str
    mailchimp_campaign_id: str
    mailchimp_web_id: int
    mailchimp_segment_id: int | None
    sent_at: datetime | None


class LedgerAdoption(LedgerFile):
    """What adoption asks of the ledger, and writes to it."""

    def looked_upto(self, name: str) -> datetime | None:
        """How far something outside was looked through; None when it never was."""
        with self._reading() as con:
            return con.execute(select(looks.c.upto).where(looks.c.name == name)).scalar_one_or_none()

    def record_look(self, name: str, upto: datetime) -> None:
        """Everything up to then needs no second look."""
        with self._writing() as con:
            if con.execute(update(looks).where(looks.c.name == name).values(upto=upto)).rowcount == 0:
                con.execute(insert(looks).values(name=name, upto=upto))

    def states_of(self, wave_ids: Iterable[str]) -> dict[str, str]:
        """wave id → state, of those of them that the ledger knows."""
        sql = "select wave_id, state from waves where wave_id in (select value from json_each(?))"
        with self._reading() as con:
            return {wave_id: state for wave_id, state in con.exec_driver_sql(sql, (json.dumps(list(wave_ids)),))}

    def adopt_sent(
        self, found: FoundWave, people: Iterable[tuple[str, str]], *, who: str, why: str, at: datetime
    ) -> int:
        """The wave is sent, and these (contact id, address) are its recipients, whatever the ledger had of it before.

        Whoever of them waits for the same campaign in a wave that has not gone out is taken out of that one. Who was planned
        for this wave and is not among them is excluded. Does nothing to a wave that the ledger has as sending or later. Gives
        the number of recipients.
        """
        with self._writing() as con:
            before = con.execute(select(waves.c.state).where(waves.c.wave_id == found.wave_id)).scalar_one_or_none()
            if before in KNOWN_AS_SENT:
                return 0
            con.exec_driver_sql("create temp table adopted (contact_id text primary key, email text)")
            if rows := list(people):
                con.exec_driver_sql("insert or ignore into adopted values (?, ?)", rows)
            facts = {
                "wave_id": found.wave_id,
                "campaign": found.campaign,
                "change_id": new_change(con, at),
                "before": before,
                "evidence": f"Mailchimp sent it to them (campaign {found.mailchimp_campaign_id})",
            }
            waiting = [row[0] for row in con.exec_driver_sql(f"select distinct wave_id {_WAITING}", facts)]
            with recounting(con, found.wave_id, *waiting):
                for statement in (_TAKE_OUT, _NOT_SENT, _CLAIM):
                    con.exec_driver_sql(statement, facts)
                _write_wave(con, found, before, who=who, why=why, at=at)
            return con.exec_driver_sql("select count(*) from adopted").scalar_one()

    def adopt_unsent(self, found: FoundWave, *, who: str, why: str, at: datetime) -> None:
        """A draft of a wave that the ledger does not know is written down as cancelled, before it is deleted there."""
        with self._writing() as con:
            if con.execute(select(waves.c.wave_id).where(waves.c.wave_id == found.wave_id)).one_or_none() is None:
                with recounting(con, found.wave_id):
                    _write_wave(con, found, None, who=who, why=why, at=at)


def _write_wave(con: Connection, found: FoundWave, before: str | None, *, who: str, why: str, at: datetime) -> None:
    state = "cancelled" if found.sent_at is None else "sent"
    values = {
        "state": state,
        "mailchimp_campaign_id": found.mailchimp_campaign_id,
        "mailchimp_web_id": found.mailchimp_web_id,
        "mailchimp_segment_id": found.mailchimp_segment_id,
        "sent_at": found.sent_at,
    }
    if before is None:
        as_of = planned_at(found.wave_id)
        # From which build it was planned is lost with the ledger that knew it.
        lost = {"build_id": "lost", "snapshot_id": 0, "counts": {}, "content": {}}
        named = {"wave_id": found.wave_id, "campaign": found.campaign, "as_of": as_of, "created_at": as_of}
        con.execute(insert(waves).values(**named, **lost, **values))
    else:
        con.execute(update(waves).where(waves.c.wave_id == found.wave_id).values(**values))
    move = {"wave_id": found.wave_id, "from_state": before, "to_state": state, "moved_at": at}
    con.execute(insert(wave_moves).values(**move, who=who, why=why))


@contextmanager
def recounting(con: Connection, *wave_ids: str) -> Iterator[None]:
    """Bring the counts of waves in line with what is done to their rows meanwhile. Members without a row stay counted.

    Who had no row and gets one (Mailchimp sent it to somebody who was not planned, so its tag was changed by hand) counts twice.
    """
    before = {wave_id: _tally(con, wave_id) for wave_id in wave_ids}
    yield
    for wave_id, rows in before.items():
        counts = con.execute(select(waves.c.counts).where(waves.c.wave_id == wave_id)).scalar_one()
        tally = tally_of(counts)
        tally.update(_tally(con, wave_id))
        tally.subtract(rows)
        con.execute(update(waves).where(waves.c.wave_id == wave_id).values(counts=counts_of(+tally)))


def _tally(con: Connection, wave_id: str) -> Counter[tuple[str, str | None]]:
    tally = Counter[tuple[str, str | None]]()
    for (outcome, reason, _), members in count_outcomes(con, wave_id).items():
        tally[outcome, reason] += members
    return tally
