"""The shop is asked every quarter of an hour what changed, since webhooks get lost; what comes of it lands as a file."""

from collections.abc import Callable

import dagster as dg

from orchestration.components.pulling import Pulled, Puller
from orchestration.core.errors import ShopError
from orchestration.settings import Settings

GROUP = "shop"
ORDERS, PRODUCTS, ARTICLES = (dg.AssetKey(["shop", name]) for name in ("orders", "products", "articles"))


@dg.asset(
    key=ORDERS,
    group_name=GROUP,
    description="Orders that changed in WooCommerce since the last look, as a landing file.",
    check_specs=[
        dg.AssetCheckSpec(
            "webhooks_are_on",
            asset=ORDERS,
            description="WooCommerce has switched none of its webhooks off, as it does after five failures.",
        )
    ],
)
def pulled_orders() -> dg.MaterializeResult:
    settings = Settings.from_env()
    if settings.woocommerce_url is None:
        return _not_set_up("WOOCOMMERCE_URL", dg.AssetCheckResult(passed=True, description="there is no shop to ask"))
    puller = Puller(settings)
    pulled = puller.orders()
    try:
        off = puller.switched_off()
        told = ", ".join(f"{topic} (webhook {number})" for number, topic in sorted(off.items()))
        passed = not off
        said = (
            f"switched off: {told}. Find out why, then set it to active in WooCommerce"
            if off
            else "none is switched off"
        )
    except ShopError as error:
        passed, said = False, str(error)
    check = dg.AssetCheckResult(passed=passed, severity=dg.AssetCheckSeverity.WARN, description=said)
    return dg.MaterializeResult(metadata=_metadata(pulled), check_results=[check])


@dg.asset(
    key=PRODUCTS,
    group_name=GROUP,
    description="Products and variations that changed in WooCommerce since the last look, as a landing file.",
)
def pulled_products() -> dg.MaterializeResult:
    return _pulled("WOOCOMMERCE_URL", Settings.from_env().woocommerce_url, Puller.products)


@dg.asset(
    key=ARTICLES,
    group_name=GROUP,
    description="Posts that changed in WordPress since the last look, as a landing file.",
)
def pulled_articles() -> dg.MaterializeResult:
    return _pulled("WORDPRESS_URL", Settings.from_env().wordpress_url, Puller.articles)


job = dg.define_asset_job(
    "pull",
    selection=dg.AssetSelection.groups(GROUP),
    description="Ask WooCommerce and WordPress what changed. What comes of it lands as files, which start the event-driven job.",
)


@dg.definitions
def pull() -> dg.Definitions:
    """The schedule runs from the start where there is a shop to ask."""
    settings = Settings.from_env()
    is_set_up = settings.woocommerce_url or settings.wordpress_url
    schedule = dg.ScheduleDefinition(
        name="pull_every_quarter_of_an_hour",
        job=job,
        cron_schedule="*/15 * * * *",
        execution_timezone="Europe/London",
        default_status=dg.DefaultScheduleStatus.RUNNING if is_set_up else dg.DefaultScheduleStatus.STOPPED,
    )
    return dg.Definitions(assets=[pulled_orders, pulled_products, pulled_articles], jobs=[job], schedules=[schedule])


def _pulled(name: str, url: str | None, pull_it: Callable[[Puller], Pulled]) -> dg.MaterializeResult:
    if url is None:
        return _not_set_up(name)
    return dg.MaterializeResult(metadata=_metadata(pull_it(Puller(Settings.from_env()))))


def _metadata(pulled: Pulled) -> dict[str, int | str]:
    return {"changed": pulled.documents, "rows landed": pulled.rows, "read up to": pulled.upto.isoformat()}


def _not_set_up(name: str, *checks: dg.AssetCheckResult) -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata={"note": f"{name} is not set: nothing is pulled."}, check_results=checks)
