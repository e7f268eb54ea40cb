"""The job that writes coupon files again. Each is written before its wave goes out; this is for a folder that was emptied."""

import dagster as dg

from orchestration.components.coupons import export_all
from orchestration.components.services import Services


@dg.op
def export_coupon_files(context: dg.OpExecutionContext) -> None:
    services = Services.from_env()
    paths = export_all(services.settings, services.ledger)
    context.add_output_metadata({"files": len(paths), "folder": dg.MetadataValue.path(services.settings.coupons_dir)})


@dg.job(
    name="coupons",
    description="The coupon files of all waves that carry codes, for the shop to import; those that are missing are made again.",
)
def coupons_job() -> None:
    export_coupon_files()
