"""What the ledger knows of each contact in each wave, brought into the warehouse like any other event.

The ledger numbers its changes. How far they were taken is written in the same transaction as the rows, so a kill in between
loses nothing and takes nothing twice. The cursor is of that one ledger: of one begun anew, nothing was taken yet.
"""

from duckdb import DuckDBPyConnection

from orchestration.resources.ledger import Ledger
from orchestration.resources.warehouse import Warehouse, next_batch


def taken_upto(con: DuckDBPyConnection, ledger: Ledger) -> int:
    """The number of the last change of this ledger that the warehouse, as `con` sees it, has taken; 0 for none."""
    (position,) = con.execute(
        "select coalesce(max(position), 0) from lake.raw.cursors where name = ?", [_cursor(ledger)]
    ).fetchone()
    return position


def land_deliveries(warehouse: Warehouse, ledger: Ledger) -> dict[str, int]:
    """Append what is new in the ledger to raw.deliveries and raw.feedback; gives the number of rows of each."""
    with warehouse.writer(why="landing deliveries") as con:
        position = taken_upto(con, ledger)
        rows, upto = ledger.deliveries_since(position)
        if upto == position:
            return {"deliveries": 0, "feedback": 0}
        fresh = {"deliveries": rows, "feedback": ledger.feedback_since(position, upto)}
        con.execute("begin")
        batch = next_batch(con)
        for name, table in fresh.items():
            con.register("fresh", table)
            columns = ", ".join(table.schema.names)
            con.execute(f"insert into lake.raw.{name} ({columns}, batch_id) select {columns}, ? from fresh", [batch])
        con.execute("insert into lake.raw.cursors (name, position) values (?, ?)", [_cursor(ledger), upto])
        con.execute("commit")
        return {name: table.num_rows for name, table in fresh.items()}


def _cursor(ledger: Ledger) -> str:
    return f"ledger {ledger.ledger_id()}"
