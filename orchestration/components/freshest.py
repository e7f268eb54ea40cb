"""What a launch asks the warehouse about people at the moment of a draft or a send, when their wave was planned a while ago."""

from collections.abc import Mapping, Set
from datetime import datetime

from orchestration.core.contracts import BROWSERS_OWN
from orchestration.core.signup import Signup
from orchestration.resources.warehouse import Warehouse

# A no and what came after it, by address. At the same instant the no comes last (DESIGN 5).
_SIGNUPS = f"""
with asked as (
    select
        signups.*,
        max(occurred_at) filter (where signup_action = 'unsubscribe') over (partition by email) as no_at
    from lake.intermediate.int_signups as signups
    where email in (select unnest($asked::varchar[]))
)

select
    email,
    max(occurred_at) as last_at,
    case
        when bool_and(event_id like '{BROWSERS_OWN}%') filter (where occurred_at > no_at)
            then min(occurred_at) filter (where occurred_at > no_at)
    end as unconfirmed_since
from asked
where signup_action = 'subscribe'
group by email
"""


def still_members(warehouse: Warehouse, segment: str, contact_ids: Set[str]) -> set[str]:
    """Which of these contacts are in the segment by the last complete build."""
    with warehouse.reader() as con:
        rows = con.execute(
            "select contact_id::varchar from lake.marts.segment_members "
            "where segment = $segment and contact_id in (select unnest($asked::uuid[]))",
            {"segment": segment, "asked": list(contact_ids)},
        ).fetchall()
    return {contact_id for (contact_id,) in rows}


def last_signups(warehouse: Warehouse, emails: Mapping[str, str]) -> dict[str, Signup]:
    """What each contact (id → address) said last, by the last complete build, of wanting emails at that very address."""
    with warehouse.reader() as con:
        rows = con.execute(_SIGNUPS, {"asked": list(emails.values())}).fetchall()
    said = {email: Signup(last_at, unconfirmed_since) for email, last_at, unconfirmed_since in rows}
    return {contact_id: said[email] for contact_id, email in emails.items() if email in said}


def doubtful_since(warehouse: Warehouse, emails: Mapping[str, str], planned_at: datetime) -> set[str]:
    """Which contacts (id → address) said no, and were signed up again by a browser, after their wave was planned.

    Who had been before that was asked to confirm when it was drafted.
    """
    said = last_signups(warehouse, emails)
    return {one for one, told in said.items() if told.unconfirmed_since and told.unconfirmed_since > planned_at}


# Rows that say "unsubscribe" and could not land for another fault: a no is a no, whatever else is wrong with its row.
_REJECTED_NOES = r"""
with texts as (
    select lower(coalesce(try(decode(original)), replace(original::varchar, '\x22', '"'))) as said
    from lake.raw.rejects
    where source = 'signups' and status = 'open'
)

select distinct unnest(regexp_extract_all(said, '[^\s"\\<>,;:]+@[^\s"\\<>,;]+'))
from texts
where contains(said, 'unsubscribe')
"""


def still_addressable(warehouse: Warehouse, emails: Mapping[str, str]) -> set[str]:
    """Which contacts (id → address about to be written to) may be written to there, by what is known at this moment.

    That is who was addressable at that very address in the last complete build, less who unsubscribed, by that address or
    another of theirs, in a file that was ingested since, in an event that is dated after it, or in a row that was rejected.
    """
    build = warehouse.last_build()
    if build is None:
        return set()
    with warehouse.latest() as con:
        gone = con.execute(
            "select email, address_id::varchar from lake.raw.signups "
            "where \"action\" = 'unsubscribe' and (batch_id > ? or occurred_at > ?)",
            [build.batch_id, build.as_of],
        ).fetchall()
        rejected = con.execute(_REJECTED_NOES).fetchall()
    with warehouse.reader(at=build.snapshot_id) as con:
        rows = con.execute(
            "select contact_id::varchar, email from lake.marts.contacts "
            "where is_addressable and contact_id in (select unnest($asked::uuid[])) and contact_id not in ("
            "select contact_id from lake.intermediate.int_address_owners where address_id in (select unnest($gone::uuid[])))",
            {"asked": list(emails), "gone": [address_id for _, address_id in gone if address_id]},
        ).fetchall()
    refused = {email for email, _ in gone} | {email for (email,) in rejected}
    return {contact_id for contact_id, email in rows if email == emails[contact_id] and email not in refused}
