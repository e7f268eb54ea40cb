"""A small WordPress site with WooCommerce: it keeps orders, products, posts and webhooks, pages and filters them as the real one
does, checks the key, and fails as it is told to."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

START = datetime(2026, 11, 1, 12, tzinfo=UTC)
BASIC = "Basic Y2tfMTpjc18x"  # ck_1:cs_1


@dataclass
class FakeShop:
    """`mishaps` are taken one a call: a status, "slow", "html" or "cut". `on_page` is called after each page was read."""

    documents: dict[str, dict[int, dict]] = field(
        default_factory=lambda: {name: {} for name in ("orders", "products", "posts", "webhooks")}
    )
    variations: dict[int, list[dict]] = field(default_factory=dict)
    mishaps: list[int | str] = field(default_factory=list)
    on_page: Callable[[], None] | None = None
    calls: list[str] = field(default_factory=list)
    clock: datetime = START
    url: str = ""

    def order(self, number: int, **said) -> None:
        """Make an order, or change it, a second after whatever changed last."""
        self.clock += timedelta(seconds=1)
        order = {"status": "processing", "currency": "GBP", "total": "10.00", "discount_total": "0.00"}
        money = {"discount_tax": "0.00", "shipping_total": "0.00", "shipping_tax": "0.00", "total_tax": "0.00"}
        line = {"id": 1, "name": "Serum", "product_id": 7, "quantity": 1, "subtotal": "10.00", "subtotal_tax": "0.00"}
        who = {"billing": {"email": f"p{number}@mail.test", "country": "GB"}, "shipping": {"country": "GB"}}
        more = {"customer_id": 0, "coupon_lines": [], "refunds": [], "line_items": [line]}
        times = {"date_created_gmt": _said(START), "date_modified_gmt": _said(self.clock)}
        self.documents["orders"][number] = {"id": number, **order, **money, **who, **more, **times, **said}

    def product(self, number: int, **said) -> None:
        self.clock += timedelta(seconds=1)
        link = {"permalink": f"https://shop.test/p/{number}", "date_modified_gmt": _said(self.clock)}
        good = {"name": "Serum &amp; co", "sku": f"S{number}", "price": "9.50", "status": "publish", "type": "simple"}
        self.documents["products"][number] = {"id": number, **good, "stock_status": "instock", **link, **said}

    def post(self, number: int, **said) -> None:
        self.clock += timedelta(seconds=1)
        terms = [[{"taxonomy": "category", "slug": "blog"}], [{"taxonomy": "post_tag", "slug": "hair"}]]
        texts = {
            "title": "Hair &#8211; why",
            "excerpt": "<p>In short.</p>",
            "content": "<p>At <b>length</b>.</p><p>End</p>",
        }
        rendered = {name: {"rendered": text} for name, text in texts.items()}
        times = {"date_gmt": _said(START), "modified_gmt": _said(self.clock)}
        facts = {"link": f"https://shop.test/blog/{number}", "status": "publish", "_embedded": {"wp:term": terms}}
        self.documents["posts"][number] = {"id": number, **rendered, **times, **facts, **said}

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/wp-json/wc/v3/settings/general/woocommerce_currency", self._currency),
                Route("/wp-json/wc/v3/products/{id:int}/variations", self._variations),
                Route("/wp-json/{namespace:path}/{name}", self._listing),
            ]
        )

    async def _currency(self, request: Request) -> Response:
        return JSONResponse({"id": "woocommerce_currency", "value": "GBP"})

    async def _variations(self, request: Request) -> Response:
        offset = int(request.query_params["offset"])
        return JSONResponse(self.variations.get(request.path_params["id"], [])[offset : offset + 100])

    async def _listing(self, request: Request) -> Response:
        name = request.path_params["name"]
        self.calls.append(name)
        if self.mishaps:
            return await self._mishap(self.mishaps.pop(0))
        if name != "posts" and request.headers.get("authorization") != BASIC:
            return JSONResponse({"code": "woocommerce_rest_cannot_view"}, 401)
        found = self._found(name, request)
        if self.on_page:
            self.on_page()
        return JSONResponse(found)

    def _found(self, name: str, request: Request) -> list[dict]:
        asked = request.query_params
        found = list(self.documents[name].values())
        if name == "webhooks":
            return found
        changed = "modified_gmt" if name == "posts" else "date_modified_gmt"
        after = asked["modified_after"].removesuffix("Z")
        excluded = set(asked.get("exclude", "").split(","))
        wanted = (
            [one for one in found if (one["status"] == "trash") == (asked["status"] == "trash")]
            if name == "orders"
            else [one for one in found if one["status"] == "publish" or "status" in asked or name == "products"]
        )
        wanted = [one for one in wanted if one[changed] > after and str(one["id"]) not in excluded]
        return sorted(wanted, key=lambda one: (one[changed], one["id"]))[: int(asked["per_page"])]

    async def _mishap(self, what: int | str) -> Response:
        if what == "slow":
            await asyncio.sleep(1)
            return JSONResponse([])
        if what == "html":
            return PlainTextResponse("<html>Briefly unavailable for scheduled maintenance.</html>")
        if what == "cut":
            return Response(b'[{"id": 1', headers={"content-type": "application/json"})
        return JSONResponse({"code": "no"}, int(what), headers={"Retry-After": "0"} if what == 429 else {})


@contextmanager
def open_shop() -> Iterator[FakeShop]:
    shop = FakeShop()
    server = uvicorn.Server(uvicorn.Config(shop.app(), host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        threading.Event().wait(0.01)
    shop.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield shop
    finally:
        server.should_exit = True
        thread.join()


def _said(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}"
