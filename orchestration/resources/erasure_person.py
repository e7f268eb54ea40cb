"""Whom an address or a contact id means: every address they ever had, and the devices, orders and accounts that are theirs.

Read from the raw rows as they are at this moment, and from who owned which address by the models (int_address_owners).
"""

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime

import duckdb
import pyarrow as pa

from orchestration.core.erasure import EVER_AFTER, EVER_BEFORE, Person, Span
from orchestration.core.identity import address_id, normal_address

SPANS = pa.schema(
    [("address_id", pa.string()), ("since", pa.timestamp("us", tz="UTC")), ("until", pa.timestamp("us", tz="UTC"))]
)
# Every address that a raw row names, with when and where; an address one changed from is the earlier owner's.
_SEEN = """
    select email, address_id, occurred_at from lake.raw.signups
    union all
    select previous_email, previous_address_id, occurred_at from lake.raw.signups where previous_email is not null
    union all
    select email, address_id, occurred_at from lake.raw.orders where email is not null
    union all
    select email, address_id, occurred_at from lake.raw.article_views where email is not null
"""


def lay_out_spans(con: duckdb.DuckDBPyConnection, spans: Iterable[Span]) -> None:
    """Make the temporary table `theirs` (address_id, since, until), which `is_theirs` asks."""
    rows = [{"address_id": span.address_id, "since": span.since, "until": span.until} for span in spans]
    con.register("spans", pa.Table.from_pylist(rows, schema=SPANS))
    con.execute("create or replace temp table theirs as select address_id::uuid as address_id, since, until from spans")
    con.unregister("spans")


def is_theirs(row: str, address: str = "address_id") -> str:
    """SQL: whether a row's address is the person's at the time of the row."""
    return (
        f"exists (select 1 from temp.theirs where theirs.address_id = {row}.{address} "
        f"and {row}.occurred_at >= theirs.since and {row}.occurred_at < theirs.until)"
    )


def find_person(con: duckdb.DuckDBPyConnection, key: str, contact: str, known: Iterable[str] = ()) -> Person:
    """The person of an address (any spelling) or a contact id. `known`: addresses of that contact from elsewhere.

    An address that nobody has yet is a person with that address. With a contact id of nobody there is no address.
    """
    contact_id, given = _meant(con, key, contact)
    contact_ids = _with_nameless_ones(con, contact_id)
    spans = _spans(con, contact_ids)
    lay_out_spans(con, spans)
    texts = {*given, *(normal_address(address) for address in known)}
    seen = con.execute(
        f"select distinct email from ({_SEEN}) as seen "
        "where address_id in (select address_id from temp.theirs) and email is not null"
    ).fetchall()
    texts |= {email for (email,) in seen}
    by_id: dict[str, tuple[Span, ...]] = {}
    for span in spans:
        by_id[span.address_id] = (*by_id.get(span.address_id, ()), span)
    whole = {one: (Span(one),) for one in (address_id(text, key) for text in texts)}
    addresses = {text: by_id.get(address_id(text, key)) or whole[address_id(text, key)] for text in texts}
    all_spans = tuple({span for spans in addresses.values() for span in spans} | set(spans))
    lay_out_spans(con, all_spans)
    return Person(
        contact_ids=contact_ids,
        addresses=addresses,
        spans=all_spans,
        spoken_for=frozenset(_spoken_for(con)),
        devices=_devices(con, shared=False),
        shared_devices=_devices(con, shared=True),
        orders=_texts(con, f"select order_id from lake.raw.orders as row where {is_theirs('row')}"),
        accounts=_accounts(con),
        last_seen=_last_seen(con),
    )


def _meant(con: duckdb.DuckDBPyConnection, key: str, contact: str) -> tuple[str, set[str]]:
    """The contact id, and the address if one was given."""
    try:
        return str(uuid.UUID(contact)), set()
    except ValueError:
        found = address_id(contact, key)
    owner = None
    if _has_owners(con):
        owner = con.execute(
            "select contact_id::varchar from lake.intermediate.int_address_owners "
            "where address_id = ?::uuid and owned_until = 'infinity'",
            [found],
        ).fetchone()
    return (owner[0] if owner else found), {normal_address(contact)}


def _with_nameless_ones(con: duckdb.DuckDBPyConnection, contact_id: str) -> tuple[str, ...]:
    """The contact, and who has no address any more but one that is this contact's now: the same mailbox, before it was named."""
    if not _has_owners(con):
        return (contact_id,)
    others = con.execute(
        f"""
        select distinct owners.address_id::varchar
        from lake.intermediate.int_address_owners as owners
        join ({_SEEN}) as seen on seen.address_id = owners.address_id and seen.occurred_at < owners.owned_from
        where
            owners.contact_id = $1::uuid and owners.owned_until = 'infinity' and owners.address_id <> $1::uuid
            and owners.address_id not in (select contact_id from lake.intermediate.int_address_owners)
        order by 1
        """,
        [contact_id],
    ).fetchall()
    return (contact_id, *(other for (other,) in others))


def _spans(con: duckdb.DuckDBPyConnection, contact_ids: tuple[str, ...]) -> tuple[Span, ...]:
    """The times at which each address was one of these contacts': by the models, and by what came in since their last build."""
    owned: list[tuple] = []
    first: dict[str, object] = {}
    if _has_owners(con):
        owned = con.execute(
            "select address_id::varchar, owned_from, case when owned_until < 'infinity' then owned_until end "
            "from lake.intermediate.int_address_owners where contact_id in (select unnest($1::uuid[]))",
            [list(contact_ids)],
        ).fetchall()
        first = dict(
            con.execute(
                "select address_id::varchar, min(owned_from) from lake.intermediate.int_address_owners group by all"
            ).fetchall()
        )
    spans = [Span(one, EVER_BEFORE, first.get(one, EVER_AFTER)) for one in contact_ids]
    spans += [Span(one, since, until or EVER_AFTER) for one, since, until in owned]
    known = {span.address_id for span in spans}
    moves = con.execute(
        "select address_id::varchar, previous_address_id::varchar, occurred_at from lake.raw.signups "
        "where \"action\" = 'update_preferences' and previous_address_id <> address_id "
        "and batch_id > (select coalesce(max(batch_id), 0) from lake.raw.builds) order by occurred_at"
    ).fetchall()
    for to, previous, at in moves:
        if previous in known and to not in known:
            known.add(to)
            spans.append(Span(to, at, EVER_AFTER))
    return tuple(spans)


def _last_seen(con: duckdb.DuckDBPyConnection) -> datetime:
    (last,) = con.execute(f"select max(occurred_at) from ({_SEEN}) as seen where {is_theirs('seen')}").fetchone()
    return EVER_BEFORE if last is None else last.astimezone(UTC)


def _spoken_for(con: duckdb.DuckDBPyConnection) -> set[str]:
    """Addresses of theirs that a row names which is another contact's."""
    return _texts(
        con,
        f"select email from ({_SEEN}) as seen "
        f"where address_id in (select address_id from temp.theirs) and not {is_theirs('seen')}",
    )


def _devices(con: duckdb.DuckDBPyConnection, *, shared: bool) -> frozenset[str]:
    """Visitor ids they were seen on. A device says whose it is only with tracking consent (DESIGN 5): without, it is theirs
    unless it is known to be another's; with it, what nobody put a name to on a shared device may be theirs."""
    sightings = " union all ".join(
        f"select visitor_id, tracking_consent, {is_theirs('row')} as is_theirs "
        f"from lake.raw.{source} as row where visitor_id is not null and address_id is not null"
        for source in ("signups", "article_views")
    )
    others = "coalesce(bool_or(tracking_consent) filter (where not is_theirs), false)"
    wanted = f"bool_or(tracking_consent) filter (where is_theirs) and {others}" if shared else f"not {others}"
    return _texts(
        con,
        f"select visitor_id from ({sightings}) group by visitor_id having bool_or(is_theirs) and {wanted}",
    )


def _accounts(con: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """The shop's accounts that only they ordered with."""
    return _texts(
        con,
        f"select customer_id from lake.raw.orders as row where customer_id is not null and address_id is not null "
        f"group by customer_id having bool_and({is_theirs('row')})",
    )


def _texts(con: duckdb.DuckDBPyConnection, query: str) -> frozenset[str]:
    return frozenset(text for (text,) in con.execute(query).fetchall() if text is not None)


def _has_owners(con: duckdb.DuckDBPyConnection) -> bool:
    return con.execute(
        "select count(*) > 0 from duckdb_tables() where database_name = 'lake' and table_name = 'int_address_owners'"
    ).fetchone()[0]
