"""Taking a person's rows out of the warehouse, in one transaction over raw and the models' tables; these need no build for it.

What files and old snapshots still hold is for erasure_purge.py. Orders stay, without whom they were for. What the ledger told of
emails stays for the counts, under the contact's opaque id.
"""

from collections import Counter

import duckdb
import pyarrow as pa

from orchestration.core.erasure import Person, Traces, is_about
from orchestration.resources.erasure_person import is_theirs, lay_out_spans
from orchestration.resources.quoting import quoted_name
from orchestration.resources.unfinished import take_back
from orchestration.resources.warehouse import Warehouse, last_build

MODEL_SCHEMAS = ("intermediate", "marts")
CHUNK = 1000


def take_out(con: duckdb.DuckDBPyConnection, warehouse: Warehouse, person: Person, traces: Traces) -> Counter[str]:
    """Take the person's rows out of every table, in one transaction. Gives the number of rows by table."""
    take_back(con, warehouse, last_build(con))
    lay_out_spans(con, person.spans)
    _lay_out_names(con, person)
    counts: Counter[str] = Counter()
    con.execute("begin")
    try:
        _raw(con, counts)
        _rejects(con, person, traces, counts)
        for schema, table, columns in _tables(con, MODEL_SCHEMAS):
            _model(con, f"lake.{schema}.{table}", table, columns, counts)
        for schema, table, columns in _tables(con, ("raw", *MODEL_SCHEMAS)):
            _texts(con, f"lake.{schema}.{table}", columns, traces, counts)
        con.execute("commit")
    except BaseException:
        con.execute("rollback")
        raise
    return counts


def _lay_out_names(con: duckdb.DuckDBPyConnection, person: Person) -> None:
    for name, values in (
        ("their_devices", person.devices | person.shared_devices),
        ("their_orders", person.orders),
        ("their_accounts", person.accounts),
        ("their_contacts", person.contact_ids),
    ):
        con.register("names", pa.table({"name": pa.array(sorted(values), pa.string())}))
        con.execute(f"create or replace temp table {name} as select name from names")
        con.unregister("names")


_IS_CONTACT = "contact_id::varchar in (select name from temp.their_contacts)"
# what an email showed them, and their own code of an offer
_CODES = "codes = [], offer_code = null", f"{_IS_CONTACT} and (len(codes) > 0 or offer_code is not null)"
_ON_DEVICE = "visitor_id in (select name from temp.their_devices)"
_IS_THEIR_ORDER = (
    f"({is_theirs('orders')} or (address_id is null and (order_id in (select name from temp.their_orders) "
    "or customer_id in (select name from temp.their_accounts))))"
)


def _raw(con: duckdb.DuckDBPyConnection, counts: Counter[str]) -> None:
    _delete(con, "lake.raw.signups", is_theirs("signups"), counts)
    _update(
        con,
        "lake.raw.signups",
        "previous_email = null, previous_address_id = null",
        is_theirs("signups", "previous_address_id"),
        counts,
    )
    _delete(
        con, "lake.raw.article_views", f"{is_theirs('article_views')} or (address_id is null and {_ON_DEVICE})", counts
    )
    _update(
        con,
        "lake.raw.orders",
        "email = null, address_id = null, customer_id = null",
        f"{_IS_THEIR_ORDER} and (email is not null or customer_id is not null)",
        counts,
    )
    _update(con, "lake.raw.deliveries", *_CODES, counts)


def _rejects(con: duckdb.DuckDBPyConnection, person: Person, traces: Traces, counts: Counter[str]) -> None:
    """A reject of theirs stays with its reason, for the sums, and loses its original."""
    found = []
    con.execute("select rowid, source, original from lake.raw.rejects where original is not null")
    while some := con.fetchmany(CHUNK):
        for number, source, original in some:
            if is_about(person, traces, source, original.decode(errors="surrogateescape")):
                found.append(number)
    if found:
        con.execute(
            "update lake.raw.rejects set original = null, "
            "status = case when coalesce(status, 'open') = 'open' then 'dismissed' else status end "
            "where rowid in (select unnest(?::bigint[]))",
            [found],
        )
    counts["raw.rejects"] += len(found)


def _model(
    con: duckdb.DuckDBPyConnection, name: str, table: str, columns: dict[str, str], counts: Counter[str]
) -> None:
    match table:
        case "orders":
            _update(con, name, "contact_id = null", _IS_CONTACT, counts)
        case "campaign_deliveries":
            values, where = _CODES
            _update(con, name, f"{values}, redeemed_order_id = null", where, counts)
        case "int_order_events":
            _order_events(con, name, counts)
        case "int_visitors":
            _delete(con, name, f"{_IS_CONTACT} or {_ON_DEVICE} and not is_shared", counts)
        case _ if "contact_id" in columns:
            _delete(con, name, _IS_CONTACT, counts)
        case _ if {"address_id", "occurred_at"} <= columns.keys():
            on_device = f" or (address_id is null and {_ON_DEVICE})" if table == "int_article_views" else ""
            _delete(con, name, is_theirs(table) + on_device, counts)


def _order_events(con: duckdb.DuckDBPyConnection, name: str, counts: Counter[str]) -> None:
    """Order events stay without address, as do the beaten bodies that they keep the keys of."""
    ids = [one for (one,) in con.execute("select distinct address_id from temp.theirs").fetchall()]
    theirs = is_theirs("int_order_events")
    in_body = "list_contains($1::uuid[], body.address_id)"
    bodies = (
        "list_transform(bodies, lambda body: struct_pack(occurred_at := body.occurred_at, order_id := body.order_id, "
        f"address_id := case when {in_body} then null else body.address_id end))"
    )
    where = f"{theirs} or len(list_filter(bodies, lambda body: {in_body})) > 0"
    values = (
        f"email = case when {theirs} then null else email end, "
        f"address_id = case when {theirs} then null else address_id end, bodies = {bodies}"
    )
    counts[name.removeprefix("lake.")] += con.execute(f"update {name} set {values} where {where}", [ids]).fetchone()[0]


def _texts(
    con: duckdb.DuckDBPyConnection, name: str, columns: dict[str, str], traces: Traces, counts: Counter[str]
) -> None:
    """Whatever text still says an address: a link, a free text, a column that somebody added. One look over all of a table's
    columns tells the few that say one."""
    texts = [quoted_name(column) for column, kind in columns.items() if kind in ("VARCHAR", "VARCHAR[]")]
    if not texts:
        return
    words = {f"word_{number}": word.lower() for number, word in enumerate(traces.words)}
    inside = {text: " or ".join(f"contains(lower({text}::varchar), ${word})" for word in words) for text in texts}
    looks = ", ".join(f"bool_or({look})" for look in inside.values())
    found = con.execute(f"select {looks} from {name}", words).fetchone()
    for text in [text for text, is_inside in zip(texts, found, strict=True) if is_inside]:
        values = con.execute(f"select distinct {text} from {name} where {inside[text]}", words).fetchall()
        for (value,) in values:
            clean = [traces.replaced(one) for one in value] if isinstance(value, list) else traces.replaced(value)
            if clean != value:
                changed = con.execute(f"update {name} set {text} = ? where {text} = ?", [clean, value]).fetchone()[0]
                counts[name.removeprefix("lake.")] += changed


def _tables(con: duckdb.DuckDBPyConnection, schemas: tuple[str, ...]) -> list[tuple[str, str, dict[str, str]]]:
    rows = con.execute(
        """
        select tables.schema_name, tables.table_name, map_from_entries(list((column_name, data_type)))
        from duckdb_tables() as tables
        join duckdb_columns() as columns
            on tables.database_name = columns.database_name
            and tables.schema_name = columns.schema_name and tables.table_name = columns.table_name
        where tables.database_name = 'lake' and list_contains(?, tables.schema_name)
        group by all order by all
        """,
        [list(schemas)],
    ).fetchall()
    return [(schema, table, dict(columns)) for schema, table, columns in rows]


def _delete(con: duckdb.DuckDBPyConnection, name: str, where: str, counts: Counter[str]) -> None:
    counts[name.removeprefix("lake.")] += con.execute(f"delete from {name} where {where}").fetchone()[0]


def _update(con: duckdb.DuckDBPyConnection, name: str, values: str, where: str, counts: Counter[str]) -> None:
    counts[name.removeprefix("lake.")] += con.execute(f"update {name} set {values} where {where}").fetchone()[0]
