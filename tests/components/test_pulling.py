"""What a shop's webhooks may have lost is pulled, over real HTTP, from a shop that changes and fails meanwhile."""

import json

import pytest

from orchestration.components import pulling
from orchestration.components.alerts import occurring
from orchestration.components.pulling import Puller
from orchestration.components.services import Services
from orchestration.core.errors import ShopError
from orchestration.core.woocommerce import order_row
from orchestration.resources.landing import ingest
from orchestration.settings import Settings
from tests.components.fake_shop import START, open_shop


@pytest.fixture(scope="module")
def running_shop():
    with open_shop() as shop:
        yield shop


@pytest.fixture
def shop(running_shop):
    fresh = type(running_shop)()
    for name in ("documents", "variations", "mishaps", "on_page", "calls", "clock"):
        setattr(running_shop, name, getattr(fresh, name))
    return running_shop


@pytest.fixture
def settings(shop, tmp_path):
    env = {"DATA_DIR": str(tmp_path), "WOOCOMMERCE_URL": shop.url, "WORDPRESS_URL": shop.url}
    return Settings.from_env(env | {"WOOCOMMERCE_KEY": "ck_1", "WOOCOMMERCE_SECRET": "cs_1"})


@pytest.fixture
def puller(settings):
    return Puller(settings, backoff=0.001, seconds=0.2)


def rows(settings, source: str) -> list[dict]:
    files = sorted((settings.landing_dir / source).glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def orders(settings) -> list[str]:
    return [row["order_id"] for row in rows(settings, "orders")]


def test_what_changed_since_the_last_pull_lands_and_nothing_twice(settings, shop, puller):
    for number in range(1, 6):
        shop.order(number)
    assert puller.orders().rows == 5
    assert puller.orders().rows == 0  # the overlap meets them again
    shop.order(2, status="completed")
    assert puller.orders().rows == 1
    assert orders(settings) == ["1", "2", "3", "4", "5", "2"]


def test_a_webhook_and_a_pull_deliver_one_event(settings, shop, puller):
    shop.order(1)
    puller.orders()
    assert rows(settings, "orders") == [order_row(shop.documents["orders"][1])]


def test_nothing_is_missed_while_the_shop_changes_between_two_pages(settings, shop, puller):
    for number in range(1, 351):
        shop.order(number)
    changed = iter(range(1, 20))
    shop.on_page = lambda: shop.order(next(changed), status="completed") if shop.calls[-1] == "orders" else None
    puller.orders()
    shop.on_page = None
    puller.orders()
    states = {(row["order_id"], row["status"]) for row in rows(settings, "orders")}
    assert {one for one, _ in states} == {str(number) for number in range(1, 351)}
    assert {one["id"] for one in shop.documents["orders"].values() if one["status"] == "completed"} == {
        int(one) for one, status in states if status == "completed"
    }


def test_more_documents_of_one_second_than_a_page_holds_are_all_seen(settings, shop, puller):
    for number in range(1, 301):
        shop.order(number)
        shop.clock = START
    puller.orders()
    assert sorted(map(int, orders(settings))) == list(range(1, 301))
    assert len(orders(settings)) == 300


def test_an_order_in_the_bin_is_a_cancelled_one(settings, shop, puller):
    shop.order(1)
    puller.orders()
    shop.order(1, status="trash")
    puller.orders()
    assert [row["status"] for row in rows(settings, "orders")] == ["processing", "cancelled"]


@pytest.mark.parametrize("mishap", [429, 500, 502, 503, "slow"])
def test_a_mishap_on_the_way_is_tried_again(settings, shop, puller, mishap):
    shop.order(1)
    shop.mishaps = [mishap, mishap]
    assert puller.orders().rows == 1


@pytest.mark.parametrize(
    ("mishap", "said"), [("html", "not JSON"), ("cut", "not JSON"), (401, "the key"), (404, "404")]
)
def test_an_answer_that_makes_no_sense_moves_nothing_and_what_was_read_before_it_stays(
    settings, shop, puller, mishap, said
):
    for number in range(1, 151):
        shop.order(number)
    shop.on_page = lambda: shop.mishaps.append(mishap)
    with pytest.raises(ShopError, match=said):
        puller.orders()
    assert len(orders(settings)) == 100
    shop.on_page = None
    puller.orders()
    assert sorted(map(int, orders(settings))) == list(range(1, 151))


def test_a_shop_that_stays_down_is_told_without_what_it_said(shop, puller):
    shop.mishaps = [503] * 50
    with pytest.raises(ShopError, match="answered 503"):
        puller.orders()


def test_the_cursor_moves_only_when_the_file_is_safe(settings, shop, puller, monkeypatch):
    shop.order(1)

    def die(*_):
        raise KeyboardInterrupt

    for step in ("write_cursor", "name_drafts"):
        with monkeypatch.context() as patch:
            patch.setattr(pulling, step, die)
            with pytest.raises(KeyboardInterrupt):
                puller.orders()
    assert puller.orders().rows == 1
    ingest(settings, Services(settings).warehouse)
    with Services(settings).warehouse.latest() as con:
        assert con.execute("select distinct order_id from raw.orders").fetchall() == [("1",)]


def test_a_document_that_is_no_order_becomes_a_reject_with_all_it_said(settings, shop, puller):
    shop.order(1)
    shop.order(2, status=None)
    puller.orders()
    services = Services(settings)
    assert ingest(settings, services.warehouse).per_source["orders"].rows_landed == 1
    with services.warehouse.latest() as con:
        [(original,)] = con.execute("select original from raw.rejects").fetchall()
    assert json.loads(original)["billing"]["email"] == "p2@mail.test"


def test_products_land_with_their_variations_in_the_shops_currency(settings, shop, puller):
    shop.product(1)
    shop.product(2, type="variable", price="5.00")
    shop.variations[2] = [
        {"id": 20 + n, "sku": f"S2-{n}", "price": "6.00", "status": "publish", "permalink": "https://shop.test/p/2"}
        for n in range(130)
    ]
    puller.products()
    found = rows(settings, "products")
    assert len(found) == 132
    assert {row["currency"] for row in found} == {"GBP"} and {row["name"] for row in found} == {"Serum & co"}
    report = ingest(settings, Services(settings).warehouse)
    assert report.per_source["products"].rejects == 0


def test_articles_land_as_text_with_their_treatments(settings, shop, puller):
    shop.post(1)
    shop.post(2, status="draft")
    puller.articles()
    [article] = rows(settings, "articles")
    assert (article["title"], article["summary"]) == ("Hair – why", "In short.")
    assert (article["body"], article["treatments"]) == ("At length.\nEnd", ["hair"])
    assert ingest(settings, Services(settings).warehouse).per_source["articles"].rejects == 0


def test_with_credentials_an_article_that_was_taken_down_is_seen(settings, shop, tmp_path):
    env = {"DATA_DIR": str(tmp_path), "WORDPRESS_URL": shop.url, "WORDPRESS_USER": "u", "WORDPRESS_PASSWORD": "p"}
    puller = Puller(Settings.from_env(env), backoff=0.001, seconds=1)
    shop.post(1)
    puller.articles()
    shop.post(1, status="trash")
    puller.articles()
    assert [row["status"] for row in rows(settings, "articles")] == ["publish", "trash"]


def test_a_webhook_that_was_switched_off_is_noticed_and_told_until_it_is_on(settings, shop, puller, instance):
    shop.documents["webhooks"] = {
        1: {"id": 1, "topic": "order.updated", "status": "disabled"},
        2: {"id": 2, "topic": "order.created", "status": "active"},
    }
    assert puller.switched_off() == {"1": "order.updated"}
    services = Services(settings)
    [alert] = occurring(services, instance, since=START, told=(), now=START)
    assert "order.updated" in alert.subject
    shop.documents["webhooks"][1]["status"] = "active"
    puller.switched_off()
    assert occurring(services, instance, since=START, told=(), now=START) == []


@pytest.fixture
def instance():
    import dagster as dg

    with dg.DagsterInstance.ephemeral() as found:
        yield found
