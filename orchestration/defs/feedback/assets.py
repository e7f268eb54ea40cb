"""The ledger → raw.deliveries: who got what, and who not and why, for the models."""

import dagster as dg

from orchestration.components.services import Services
from orchestration.resources.deliveries import land_deliveries


@dg.asset(
    key=["raw", "deliveries"],
    group_name="feedback",
    kinds={"duckdb"},
    pool="warehouse",
    description="What the ledger came to know of each contact in each wave since the last time.",
)
def deliveries(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    services = Services.from_env()
    return dg.MaterializeResult(metadata={"new rows": land_deliveries(services.warehouse, services.ledger)})
