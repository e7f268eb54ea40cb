"""landing/ → raw.*: every new file, once, in one transaction."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from orchestration.components.services import Services
from orchestration.core.contracts import SOURCES
from orchestration.resources.landing import ingest
from orchestration.resources.landing_disk import passed_over
from orchestration.resources.landing_replayed import end_replays
from orchestration.resources.landing_report import SourceReport

NAMED = 20  # files that an asset's metadata name at the most
WHAT = {
    "orders": "Orders as they arrived: a row for each state an order took.",
    "signups": "What people said about being written to, as it arrived.",
    "article_views": "Views of articles, as they arrived.",
    "articles": "The blog's catalogue, as it arrived; the latest row of an article counts.",
    "products": "The shop's catalogue, as it arrived; the latest row of a product counts.",
}


@dg.multi_asset(
    name="ingest",
    specs=[
        dg.AssetSpec(["raw", name], group_name="ingestion", description=WHAT[name], kinds={"duckdb"})
        for name in SOURCES
    ],
    check_specs=[
        dg.AssetCheckSpec(
            "nothing_rejected",
            asset=["raw", name],
            description="Every row of the new files could be read. Those that could not are in raw.rejects, with their reason.",
        )
        for name in SOURCES
    ],
    pool="warehouse",
)
def ingest_landing(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
    """Ingest every file under landing/ that is new. A bad row never stops its file: it goes to raw.rejects."""
    services = Services.from_env()
    end_replays(services.settings, services.warehouse)
    report = ingest(services.settings, services.warehouse)
    over = passed_over(services.settings)
    if over:
        context.log.warning("landing/: %d files or folders belong to no source and are passed over.", len(over))
    for name in SOURCES:
        source = report.per_source.get(name, SourceReport())
        yield dg.MaterializeResult(
            asset_key=["raw", name],
            metadata={
                "new rows": source.rows_landed,
                "new files": source.files,
                "rows read": source.rows_read,
                "rejects": source.rejects,
                "unknown fields": dg.MetadataValue.json(dict(source.unknown_fields)),
                **_not_taken(name, over, report.left),
            },
            check_results=[
                dg.AssetCheckResult(
                    asset_key=["raw", name],
                    check_name="nothing_rejected",
                    passed=source.rejects == 0,
                    severity=dg.AssetCheckSeverity.WARN,
                    metadata={"rejects": source.rejects},
                    description=f"{source.rejects} rows rejected; see raw.rejects" if source.rejects else "no rejects",
                )
            ],
        )


def _not_taken(source: str, over: Sequence[str], left: Mapping[str, str]) -> dict[str, Any]:
    """What lies under landing/ and was not ingested: the source's own, and what is no source's; nothing when there is none."""
    own = [path for path in over if path.split("/")[0] in (source, path) or path.split("/")[0] not in SOURCES]
    later = [f"{path}: {reason}" for path, reason in sorted(left.items()) if path.startswith(f"{source}/")]
    found: dict[str, Any] = {}
    if own:
        found |= {"passed over": len(own), "passed over, such as": _listed(own)}
    if later:
        found |= {"left for the next run": len(later), "left for the next run, such as": _listed(later)}
    return found


def _listed(names: Sequence[str]) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md("\n".join(f"- `{name}`" for name in names[:NAMED]))
