"""What the ledger knows of each contact in each wave, brought into the warehouse like any other event.

The ledger numbers its changes. How far they were taken is written in the same transaction as the rows, so a kill in between
loses nothing and takes nothing twice.
"""

from orchestration.resources.ledger import Ledger
from orchestration.resources.warehouse import Warehouse, next_batch

CURSOR = "ledger"


def land_deliveries(warehouse: Warehouse, ledger: Ledger) -> dict[str, int]:
    """Append what is new in the ledger to raw.deliveries and raw.feedback; gives the number of rows of each."""
    with warehouse.writer(why="landing deliveries") as con:
        (position,) = con.execute(
            "select coalesce(max(position), 0) from lake.raw.cursors where name = ?", [CURSOR]
        ).fetchone()
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
        con.execute("insert into lake.raw.cursors (name, position) values (?, ?)", [CURSOR, upto])
        con.execute("commit")
        return {name: table.num_rows for name, table in fresh.items()}
