"""The SQL by which an arriving row of somebody who was erased is known (resources/forgotten.py).

Such an event is a reject without its original: it is counted and does not land. Such an order lands, since sums must stay right,
but without its address and account; it is counted under the name below among the fields that no contract names.
"""

from orchestration.core.contracts import ARTICLE_VIEWS, ORDERS, SIGNUPS, Source
from orchestration.core.identity import address_id_sql
from orchestration.resources.forgotten import marked_id_sql

REASON = "of a person who was erased"
NAMELESS = "(of a person who was erased)"


def judged_sql(source: Source, relation: str) -> str:
    """`relation` (typed rows) with `is_forgotten`. Reads the table `forgotten` and the parameter $key."""
    match source:
        case _ if source is SIGNUPS:
            ids = {"by_email": address_id_sql("email", "$key"), "by_previous": address_id_sql("previous_email", "$key")}
            moved = f"{_within('by_previous', 'occurred_at')} and \"action\" = 'update_preferences'"
            test = f"{_within('by_email', 'occurred_at')} or ({moved})"
        case _ if source is ARTICLE_VIEWS:
            ids = {
                "by_email": address_id_sql("email", "$key"),
                "by_visitor": marked_id_sql("visitor", "visitor_id", "$key"),
            }
            test = f"{_within('by_email', 'occurred_at')} or (email is null and {_within('by_visitor', 'occurred_at')})"
        case _ if source is ORDERS:
            ids = {
                "by_email": address_id_sql("email", "$key"),
                "by_order": marked_id_sql("order", "order_id", "$key"),
                "by_account": marked_id_sql("account", "customer_id", "$key"),
            }
            # what became later of an order that was placed before is no new order
            placed = "least(placed_at, occurred_at)"
            test = (
                f"{_within('by_email', placed)} or "
                f"(email is null and ({_within('by_order', placed)} or {_within('by_account', placed)}))"
            )
        case _:
            return f"select *, false as is_forgotten from {relation}"
    joins = " ".join(f"left join forgotten as {name} on {name}.id = {one}" for name, one in ids.items())
    return f"select {relation}.*, coalesce({test}, false) as is_forgotten from {relation} {joins}"


def reason_sql(source: Source, reason: str) -> str:
    """Why a row does not land, where `reason` is the SQL of the rule that it breaks."""
    return reason if source is ORDERS else f"case when is_forgotten then '{REASON}' else {reason} end"


def original_sql() -> str:
    return "case when is_forgotten then null else original end"


def keys_sql(source: Source, keys: str = "keys") -> str:
    """The names of a row's fields, from the column `keys`, and among them the mark that counts a nameless order."""
    return (
        f"case when is_forgotten then list_append({keys}, '{NAMELESS}') else {keys} end" if source is ORDERS else keys
    )


def column_sql(source: Source, name: str, column: str) -> str:
    """A column as it lands, where `column` is the SQL of it for everybody else."""
    if source is ORDERS and name in ("email", "address_id", "customer_id"):
        return f"case when is_forgotten then null else {column} end"
    return column


def _within(mark: str, at: str) -> str:
    """Whether a moment is in one of a mark's spans; one that can't be read is."""
    inside = f"coalesce({at} >= span.since and {at} < span.until, true)"
    return f"coalesce(len(list_filter({mark}.spans, lambda span: {inside})) > 0, false)"
