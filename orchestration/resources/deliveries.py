"""What the ledger knows of each contact in each wave, brought into the warehouse like any other event.

The ledger numbers its changes. How far they were taken is written in the same transaction as the rows, so a kill in between
loses nothing and takes nothing twice.
"""

from orchestration.resources.ledger import Ledger
from orchestration.resources.ledger_export import DELIVERIES
from orchestration.resources.warehouse import Warehouse, next_batch

CURSOR = "ledger"


def land_deliveries(warehouse: Warehouse, ledger: Ledger) -> int:
    """Append what is new in the ledger to raw.deliveries; gives the number of rows."""
    with warehouse.writer(why="landing deliveries") as con:
        (position,) = con.execute(
            "select coalesce(max(position), 0) from lake.raw.cursors where name = ?", [CURSOR]
        ).fetchone()
        rows, upto = ledger.deliveries_since(position)
        if upto == position:
            return 0
        con.execute("begin")
        con.register("fresh", rows)
        columns = ", ".join(DELIVERIES.names)
        con.execute(
            f"insert into lake.raw.deliveries ({columns}, batch_id) select {columns}, ? from fresh", [next_batch(con)]
        )
        con.execute("insert into lake.raw.cursors (name, position) values (?, ?)", [CURSOR, upto])
        con.execute("commit")
        return rows.num_rows
