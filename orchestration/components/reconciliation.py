"""Both sides compared, row by row: contacts and what Mailchimp has of them, waves and their campaigns there.

    difference            here                     there                     what is done
    only_there            nobody we know           a member, made by hand    nothing: nobody here has agreed, so they get nothing
    no_there              subscribed               unsubscribed, cleaned     the no is taken over, in the ledger, at once
    signed_up_since       subscribed after that    unsubscribed, cleaned     nothing: Mailchimp asks them with the next wave
    no_here               a no                     subscribed                nothing: they get nothing from here
    not_subscribed_there  may be written to        pending, archived …       nothing: they get nothing before that changes there
    gone_there            was written to           deleted                   nothing, and it is said
    campaign_gone         a wave                   no campaign               nothing, and it is said
    campaign_changed      a wave                   another status            nothing, and it is said
    audience_emptied      as it was                (nearly) nobody           all sends stop; nobody is compared

Nothing is ever written to Mailchimp, and a no on either side stays a no. What is found is appended to raw.reconciliation.
"""

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa
from duckdb import DuckDBPyConnection

from orchestration.components.sending import audience_is_emptied
from orchestration.core.errors import NoBuildYet
from orchestration.core.feedback import AUDIENCE, OBJECTION_OF_STATUS
from orchestration.core.identity import address_id_sql, normal_address_sql
from orchestration.resources.keys import contact_key
from orchestration.resources.ledger import Ledger
from orchestration.resources.mailchimp import Gateway
from orchestration.resources.mailchimp_feedback import FeedbackGateway
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings

log = logging.getLogger(__name__)

KEPT = timedelta(days=30)
COLUMNS = ("contact_id", "wave_id", "difference", "here", "there", "done")
NEWS = pa.schema([(name, pa.string()) for name in COLUMNS])

# What Mailchimp may say of the campaign of a wave in that state.
_EXPECTED = {
    "drafted": ("save",),
    "approved": ("save",),
    "sending": ("save", "sending", "sent"),
    "sent": ("sending", "sent", "archived"),
    "settled": ("sent", "archived"),
}

# `members` is Mailchimp's word of just now; the rest is as of the last complete build. One row for each that differs.
_DIFFERENCES = f"""
create or replace temp table differences as
with there as (
    select
        {address_id_sql(normal_address_sql("address"), "$key")} as address_id,
        {normal_address_sql("address")} as email,
        status,
        changed_at
    from members
),

owned as (
    select
        coalesce(owners.contact_id, there.address_id) as contact_id,
        there.email,
        there.status,
        there.changed_at
    from there
    left join lake.intermediate.int_address_owners as owners
        on there.address_id = owners.address_id and owners.owned_until = 'infinity'
),

mailed as (
    select distinct contact_id
    from lake.marts.campaign_deliveries
    where delivery not in ('not_sent', 'hard_bounce')
),

compared as (
    select
        coalesce(contacts.contact_id, owned.contact_id) as contact_id,
        owned.status,
        owned.changed_at,
        contacts.contact_id is not null as is_known,
        -- at an address that the contact has left there is nothing to agree about but a no
        coalesce(contacts.email = owned.email, false) as is_current,
        coalesce(contacts.is_addressable, false) as is_addressable,
        contacts.suppression_reason,
        contacts.is_subscribed,
        consents.last_answered_at,
        mailed.contact_id is not null as was_mailed
    from owned
    full join lake.marts.contacts as contacts on owned.contact_id = contacts.contact_id
    left join lake.intermediate.int_consents as consents on contacts.contact_id = consents.contact_id
    left join mailed on contacts.contact_id = mailed.contact_id
)

select
    contact_id,
    status,
    changed_at,
    case
        when not is_known then 'only_there'
        when status is null and is_addressable and was_mailed then 'gone_there'
        when status is null then null
        when status = 'subscribed' and not is_addressable then 'no_here'
        when status = 'subscribed' then null
        when not is_addressable then null
        when status = 'unsubscribed' and last_answered_at > changed_at then 'signed_up_since'
        when status = 'unsubscribed' or (status = 'cleaned' and is_current) then 'no_there'
        when is_current then 'not_subscribed_there'
    end as difference,
    case
        when not is_known then 'no contact'
        when is_addressable then 'may be written to'
        when suppression_reason is not null then suppression_reason
        when not is_subscribed then 'not subscribed'
        else 'no basis or no address'
    end as here
from compared
where difference is not null
"""
_DONE = {
    "only_there": "left alone: nobody here has agreed to emails, so they get none from here",
    "no_there": "taken over: they are not written to any more",
    "signed_up_since": "left alone: they signed up here after they left there, so Mailchimp asks them with the next wave",
    "no_here": "left alone: they are not written to from here",
    "not_subscribed_there": "left alone: they are not written to before that changes there",
    "gone_there": "left alone: somebody deleted them there; if that was meant as a no, unsubscribe them here",
    "campaign_gone": "left alone: what the ledger knows of the wave stays",
    "campaign_changed": "left alone: look at it in Mailchimp",
    "audience_emptied": "all sends are stopped; nobody was compared, suppressed or added",
}


@dataclass(frozen=True)
class Compared:
    """How many members were compared, and how many differences of each kind there are."""

    members: int
    differences: Counter[str]


class Reconciliation:
    """One comparison, on behalf of `who`."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        gateway: Gateway,
        feedback_gateway: FeedbackGateway,
        warehouse: Warehouse,
        who: str,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._gateway = gateway
        self._members = feedback_gateway
        self._warehouse = warehouse
        self._who = who

    def compare(self) -> Compared:
        """Compare, take over what is a no there, and write down what differs, all of it or nothing.

        Raises MailchimpUnknown where Mailchimp can't be read to the end: a contact it did not name would look deleted.
        """
        if audience_is_emptied(self._settings, self._ledger, self._gateway, self._who):
            [what] = [stop.what for stop in self._ledger.stops() if stop.kind == AUDIENCE]
            return self._written(0, [(None, None, "audience_emptied", "as it was", what, _DONE["audience_emptied"])])
        members = self._members.everyone()
        found = [*self._people(members), *self._campaigns()]
        return self._written(members.num_rows, found)

    def _people(self, members: pa.Table) -> Iterator[tuple[str | None, ...]]:
        try:
            with self._warehouse.reader() as con:
                con.register("members", members)
                con.execute(_DIFFERENCES, {"key": contact_key(self._settings)})
                self._take_over(con)
                rows = con.execute(
                    "select contact_id::varchar, difference, here, coalesce(status, 'no member') from differences order by all"
                ).fetchall()
        except NoBuildYet:
            return
        for contact_id, difference, here, there in rows:
            yield contact_id, None, difference, here, there, _DONE[difference]

    def _take_over(self, con: DuckDBPyConnection) -> None:
        rows = con.execute(
            "select contact_id::varchar, status, changed_at from differences where difference = 'no_there'"
        ).fetchall()
        taken = self._ledger.record_objections(
            [(contact_id, OBJECTION_OF_STATUS[status], at or self._settings.now()) for contact_id, status, at in rows]
        )
        if taken:
            log.info("%d noes that Mailchimp has are taken over.", taken)

    def _campaigns(self) -> Iterator[tuple[str | None, ...]]:
        waves = self._ledger.drafts()
        there = {one.id: one.status for one in self._gateway.campaigns_since(None)}
        now = self._ledger.states_of({wave_id for wave_id, _, _ in waves})
        for wave_id, state, campaign_id in waves:
            if now.get(wave_id) != state:
                continue  # it moved on meanwhile
            status = there.get(campaign_id)
            if status is None:
                yield None, wave_id, "campaign_gone", state, "no campaign", _DONE["campaign_gone"]
            elif status not in _EXPECTED[state]:
                yield None, wave_id, "campaign_changed", state, status, _DONE["campaign_changed"]

    def _written(self, members: int, found: list[tuple[str | None, ...]]) -> Compared:
        now = self._settings.now()
        differences = Counter(row[2] for row in found)
        rows = [*found, (None, None, "compared", "", f"{members} members", f"{len(found)} differences")]
        with self._warehouse.writer(why="writing the reconciliation") as con:
            _append(con, rows, now)
        for difference, number in differences.items():
            log.warning(
                "Mailchimp and the warehouse differ: %s, %d times. See marts.reconciliation.", difference, number
            )
        return Compared(members, differences)


def _append(con: DuckDBPyConnection, rows: list[tuple[str | None, ...]], now: datetime) -> None:
    """All of one comparison, or nothing. One at the same instant takes the place of the one before."""
    fresh = pa.Table.from_pylist([dict(zip(COLUMNS, row, strict=True)) for row in rows], NEWS)
    con.execute("begin")
    con.execute("delete from lake.raw.reconciliation where compared_at < ? or compared_at = ?", [now - KEPT, now])
    con.register("fresh", fresh)
    con.execute(
        f"insert into lake.raw.reconciliation by name select ? as compared_at, {', '.join(COLUMNS)} from fresh", [now]
    )
    con.execute("commit")
