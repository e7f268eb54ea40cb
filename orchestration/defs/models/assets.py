"""raw.* → staging → intermediate → marts: the dbt project, each model an asset and each test of it a check."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, dbt_assets
from dagster_dbt.asset_utils import get_asset_check_key_for_test

from orchestration.components.services import Services
from orchestration.resources import models
from orchestration.settings import Settings


class Translator(DagsterDbtTranslator):
    """Names assets as the warehouse does, schema and table, and groups them by the project's folders."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        if dbt_resource_props["resource_type"] == "source":
            return dg.AssetKey([dbt_resource_props["source_name"], dbt_resource_props["name"]])
        return dg.AssetKey([dbt_resource_props["schema"], dbt_resource_props["name"]])

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        # dagster-dbt would add the model's SQL, which whoever reads descriptions does not want to scroll past
        return dbt_resource_props["description"]

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        return dbt_resource_props["schema"]


TRANSLATOR = Translator()


@dataclass(frozen=True)
class Measured:
    """`told_differently` is None where a model has no events."""

    rows: int
    told_differently: int | None


@dbt_assets(
    manifest=models.manifest(Settings.from_env()),
    name="build_models",
    dagster_dbt_translator=TRANSLATOR,
    pool="warehouse",
)
def dbt_models(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Build and test every model; what readers see changes only when all of it is there and passes."""
    services = Services.from_env()
    manifest = models.manifest(services.settings)
    report = models.build(services.settings, services.warehouse, services.settings.now())
    counts = _measured(services)
    wanted = context.selected_asset_keys
    for node in report.nodes:
        props = manifest["nodes"][node.unique_id]
        if props["resource_type"] == "test":
            key = get_asset_check_key_for_test(manifest, TRANSLATOR, node.unique_id, project=None)
            if key in context.selected_asset_check_keys:
                yield dg.AssetCheckResult(
                    asset_key=key.asset_key,
                    check_name=key.name,
                    passed=node.status == "pass",
                    severity=dg.AssetCheckSeverity.ERROR if node.status == "fail" else dg.AssetCheckSeverity.WARN,
                    metadata={"seconds": node.seconds},
                )
        elif (key := TRANSLATOR.get_asset_key(props)) in wanted:
            yield dg.MaterializeResult(asset_key=key, metadata=_metadata(node, counts.get(tuple(key.path))))


def _metadata(node: models.NodeResult, measured: Measured | None) -> dict[str, Any]:
    found: dict[str, Any] = {"seconds": node.seconds}
    if measured is not None:
        found["dagster/row_count"] = measured.rows
        if measured.told_differently is not None:
            found["events told differently"] = measured.told_differently
    return found


def _measured(services: Services) -> dict[tuple[str, str], Measured]:
    """The size of each table, and of the event models how many events came with more than one body (DESIGN 3)."""
    with services.warehouse.reader() as con:
        tables = con.execute(
            """
            select schema_name, table_name, bool_or(column_name = 'body_count')
            from duckdb_columns() where database_name = 'lake' and schema_name <> 'raw'
            group by all
            """
        ).fetchall()
        return {
            (schema, name): Measured(
                *con.execute(
                    f"select count(*), {'count(*) filter (where body_count > 1)' if has_bodies else 'null'} "
                    f'from lake."{schema}"."{name}"'
                ).fetchone()
            )
            for schema, name, has_bodies in tables
            # views would be computed for their size alone
            if not name.startswith("stg_")
        }
