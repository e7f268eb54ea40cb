"""The ledger's part in feedback: what became of emails, and every no that came back from them or from the audience.

A no is written to `objections` in the transaction in which it becomes known, with how far Mailchimp was read. So whoever plans or
sends next sees it, before the models do; and a kill in between takes nothing twice and loses nothing.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.engine import Connection

from orchestration.core.errors import LedgerError
from orchestration.core.feedback import OBJECTIONS
from orchestration.core.wave import DELIVERIES
from orchestration.resources.ledger_adoption import LedgerAdoption
from orchestration.resources.ledger_planning import UTC_TIMESTAMP, fetch_many, new_change
from orchestration.resources.ledger_schema import figures, looks, utc_text, waves

FEEDBACK = pa.schema([("contact_id", pa.string()), ("objection", pa.string()), ("recorded_at", UTC_TIMESTAMP)])
NOES = pa.schema([("contact_id", pa.string()), ("objection", pa.string())])

_RANK = "case {} " + " ".join(f"when '{one}' then {rank}" for rank, one in enumerate(OBJECTIONS, 1)) + " else 0 end"
# As core.feedback.replaces: asked again here, because the ledger may know more by now than whoever asks.
_DELIVER = f"""
    update recipients set delivery = :delivery, delivered_at = :at, change_id = :change_id
    where wave_id = :wave_id and contact_id = :contact_id and outcome = 'recipient' and delivery is not :delivery
        and ({_RANK.format("delivery")} = 0 or {_RANK.format("delivery")} < {_RANK.format(":delivery")})
"""
# Nobody leaves an email before they got it: whatever the clocks say, a no is later than the signups an email was planned on.
_HAPPENED = """
    select max(:at, coalesce(max(max(waves.as_of, coalesce(waves.sent_at, waves.as_of))), :at))
    from recipients join waves using (wave_id)
    where contact_id = :contact_id and outcome = 'recipient' and delivery is not null and delivery <> 'not_sent'
"""
_KNOWN = "select 1 from objections where contact_id = :contact_id and objection = :objection and happened_at >= :at"


@dataclass(frozen=True)
class SentWave:
    """A wave that went out, as far as its feedback is asked for. `emails` were planned to go."""

    wave_id: str
    campaign: str
    state: str
    mailchimp_campaign_id: str
    sent_at: datetime
    emails: int


class LedgerFeedback(LedgerAdoption):
    """What feedback asks of the ledger, and writes to it. `_now` is the business clock."""

    _now: Callable[[], datetime]

    def record_deliveries(
        self,
        wave_id: str,
        deliveries: Iterable[tuple[str, str, datetime]],
        *,
        said: Mapping[str, int] | None = None,
    ) -> int:
        """What became of recipients, from (contact id, delivery, when it happened by the business clock). How many were news.

        A no stays unless a stronger one comes. `said` are Mailchimp's figures of the wave that this answers to.
        """
        rows, noes = [], []
        for contact_id, delivery, happened_at in deliveries:
            if delivery not in DELIVERIES:
                raise LedgerError(f"Wave {wave_id}: no rule knows the delivery {delivery!r}.")
            row = {"wave_id": wave_id, "contact_id": contact_id, "delivery": delivery, "at": utc_text(happened_at)}
            (noes if delivery in OBJECTIONS else rows).append(row)
        if not rows and not noes and said is None:
            return 0
        with self._writing() as con:
            change = {"change_id": new_change(con, self._now()) if rows or noes else 0}
            number = con.exec_driver_sql(_DELIVER, [row | change for row in rows]).rowcount if rows else 0
            for no in noes:
                if con.exec_driver_sql(_DELIVER, no | change).rowcount:
                    number += 1
                    _object(con, no["contact_id"], no["delivery"], no["at"], change["change_id"], wave_id)
            if said is not None:
                _say(con, wave_id, said)
        return number

    def record_objections(
        self, told: Iterable[tuple[str, str, datetime]], *, look: tuple[str, datetime] | None = None
    ) -> int:
        """Noes that are no answer to a wave we know, from (contact id, objection, when by Mailchimp's clock). How many were news.

        `look` is (name, up to when) Mailchimp was looked through for them: it moves with the rows or not at all.
        """
        with self._writing() as con:
            news = []
            for contact_id, objection, happened_at in told:
                asked = {"contact_id": contact_id, "objection": objection, "at": utc_text(happened_at)}
                asked["at"] = con.exec_driver_sql(_HAPPENED, asked).scalar_one()
                if con.exec_driver_sql(_KNOWN, asked).first() is None:
                    news.append(asked)
            change_id = new_change(con, self._now()) if news else 0
            for one in news:
                _object(con, one["contact_id"], one["objection"], one["at"], change_id, None)
            if look is not None:
                name, upto = look
                row = upsert(looks).values(name=name, upto=upto)
                con.execute(row.on_conflict_do_update(index_elements=["name"], set_={"upto": upto}))
            return len(news)

    def said(self, names: Collection[str]) -> dict[str, dict[str, int]]:
        """What figures of a wave, or of something else, were read to the end when they were read last."""
        sql = "select name, said from figures where name in (select value from json_each(?))"
        with self._reading() as con:
            return {name: json.loads(said) for name, said in con.exec_driver_sql(sql, (json.dumps(list(names)),))}

    def record_said(self, name: str, said: Mapping[str, int]) -> None:
        with self._writing() as con:
            _say(con, name, said)

    def sent_since(self, moment: datetime) -> list[SentWave]:
        """Waves that went out after that time of the business clock, the oldest first."""
        query = (
            select(
                waves.c.wave_id,
                waves.c.campaign,
                waves.c.state,
                waves.c.mailchimp_campaign_id,
                waves.c.sent_at,
                waves.c.counts["recipient"].as_integer().label("emails"),
            )
            .where(waves.c.state.in_(("sent", "settled")), waves.c.sent_at > moment)
            .where(waves.c.mailchimp_campaign_id.is_not(None))
            .order_by(waves.c.sent_at)
        )
        with self._reading() as con:
            return [SentWave(**row._mapping) for row in con.execute(query)]

    def drafts(self) -> list[tuple[str, str, str]]:
        """(wave id, state, Mailchimp's campaign id) of every wave that should have a campaign there."""
        states = ("drafted", "approved", "sending", "sent", "settled")
        query = select(waves.c.wave_id, waves.c.state, waves.c.mailchimp_campaign_id).where(
            waves.c.state.in_(states), waves.c.mailchimp_campaign_id.is_not(None)
        )
        with self._reading() as con:
            return [tuple(row) for row in con.execute(query)]

    def objections_after(self, change_id: int, contact_ids: Sequence[str] | None = None) -> pa.Table:
        """Each no that came after that change, of these contacts or of all: contact_id and objection."""
        sql = "select contact_id, objection from objections where change_id > ?"
        values: tuple[Any, ...] = (change_id,)
        if contact_ids is not None:
            sql += " and contact_id in (select value from json_each(?))"
            values = (change_id, json.dumps(list(contact_ids)))
        with self._reading() as con:
            rows = [row for some in fetch_many(con, sql, values) for row in some]
        return pa.Table.from_pydict(
            {"contact_id": [row[0] for row in rows], "objection": [row[1] for row in rows]}, NOES
        )

    def feedback_since(self, after: int, upto: int) -> pa.Table:
        """What objections no wave's report told, shaped as raw.feedback, of changes `after` + 1 … `upto`."""
        sql = (
            "select contact_id, objection, happened_at from objections "
            "where wave_id is null and change_id > ? and change_id <= ?"
        )
        with self._reading() as con:
            rows = [row for some in fetch_many(con, sql, (after, upto)) for row in some]
        columns = [[row[number] for row in rows] for number in range(3)]
        moments = [datetime.fromisoformat(text) for text in columns[2]]
        return pa.Table.from_arrays(
            [pa.array(columns[0], pa.string()), pa.array(columns[1], pa.string()), pa.array(moments, UTC_TIMESTAMP)],
            schema=FEEDBACK,
        )

    def answers(self, wave_ids: Collection[str], unforgiven: Mapping[str, int]) -> dict[str, dict[str, int]]:
        """wave id → objection → how many contacts, of what became known after the change that `unforgiven` names for it."""
        sql = (
            "select wave_id, objection, count(distinct contact_id) from objections "
            "where wave_id in (select value from json_each(?)) and objection = ? and change_id > ? group by wave_id"
        )
        found: dict[str, dict[str, int]] = {}
        with self._reading() as con:
            for objection in OBJECTIONS:
                asked = (json.dumps(list(wave_ids)), objection, unforgiven.get(objection, 0))
                for wave_id, _, people in con.exec_driver_sql(sql, asked):
                    found.setdefault(wave_id, {})[objection] = people
        return found


def _object(
    con: Connection, contact_id: str, objection: str, happened_at: str, change_id: int, wave_id: str | None
) -> None:
    con.exec_driver_sql(
        "insert into objections (contact_id, objection, happened_at, wave_id, change_id) values (?, ?, ?, ?, ?)",
        (contact_id, objection, happened_at, wave_id, change_id),
    )


def _say(con: Connection, name: str, said: Mapping[str, int]) -> None:
    row = upsert(figures).values(name=name, said=dict(said))
    con.execute(row.on_conflict_do_update(index_elements=["name"], set_={"said": dict(said)}))
