"""WooCommerce's documents as rows of the contract."""

from contextlib import suppress
from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.contracts import ORDERS, PRODUCTS
from orchestration.core.errors import EventRefused
from orchestration.core.woocommerce import DRAFTS, order_row, product_row

ORDER = {
    "id": 815,
    "status": "processing",
    "currency": "GBP",
    "date_created_gmt": "2026-11-20T09:15:00",
    "date_modified_gmt": "2026-11-20T09:15:04",
    "discount_total": "9.00",
    "discount_tax": "1.80",
    "shipping_total": "3.29",
    "shipping_tax": "0.66",
    "total": "101.15",
    "total_tax": "16.86",
    "customer_id": 0,
    "billing": {"email": "Ivy.Moss@mail.test", "country": "IE"},
    "shipping": {"country": "GB"},
    "line_items": [
        {
            "id": 41,
            "name": "Clay mask &ndash; 50&nbsp;ml",
            "product_id": 7,
            "variation_id": 0,
            "quantity": 3,
            "subtotal": "60.00",
            "subtotal_tax": "12.00",
            "total": "54.00",
            "total_tax": "10.80",
            "sku": "",
            "price": 18,
        },
        {
            "id": 42,
            "name": "Lip balm",
            "product_id": 8,
            "variation_id": 81,
            "quantity": 1,
            "subtotal": "30.00",
            "subtotal_tax": "6.00",
            "total": "27.00",
            "total_tax": "5.40",
            "sku": "LIP-1",
            "price": 27,
        },
    ],
    "coupon_lines": [{"id": 5, "code": "welcome10", "discount": "9.00"}],
    "refunds": [],
}
PRODUCT = {
    "id": 7,
    "name": "Clay mask &ndash; 50 ml",
    "permalink": "https://shop.test/product/clay-mask/",
    "status": "publish",
    "sku": "",
    "price": "24.00",
    "stock_status": "onbackorder",
}


def _order(**other) -> dict:
    return deepcopy(ORDER) | other


def test_an_order_becomes_a_row_whose_money_has_vat_in_and_adds_up():
    row = order_row(ORDER)
    assert list(row) == [field.name for field in ORDERS.fields]
    assert row | {"lines": None} == {
        "event_id": "woocommerce-order-815-2026-11-20T09:15:04Z-3-processing-0000000000",
        "occurred_at": "2026-11-20T09:15:04Z",
        "order_id": "815",
        "status": "processing",
        "placed_at": "2026-11-20T09:15:00Z",
        "email": "Ivy.Moss@mail.test",
        "customer_id": None,
        "currency": "GBP",
        "country": "GB",
        "subtotal": "108.00",
        "discount": "10.80",
        "shipping": "3.95",
        "tax": "16.86",
        "total": "101.15",
        "refunded": "0",
        "coupon_codes": ["welcome10"],
        "lines": None,
    }
    assert [(line["sku"], line["name"], line["quantity"], line["unit_price"]) for line in row["lines"]] == [
        ("woocommerce-7", "Clay mask – 50\u00a0ml", 3, "24.0000"),
        ("LIP-1", "Lip balm", 1, "36.0000"),
    ]


def test_refunds_are_negative_there_and_an_amount_here():
    row = order_row(_order(refunds=[{"id": 1, "total": "-10.00"}, {"id": 2, "total": "-9.50"}]))
    assert row["refunded"] == "19.50"


def test_a_state_is_one_event_however_it_came_and_each_other_state_another():
    assert order_row(ORDER)["event_id"] == order_row(_order(_links={}, meta_data=[1]))["event_id"]
    states = [
        _order(),
        _order(status="completed"),
        _order(refunds=[{"total": "-1.00"}]),
        _order(date_modified_gmt="2026-11-20T09:15:05"),
        _order(id=816),
    ]
    assert len({order_row(state)["event_id"] for state in states}) == len(states)


def test_within_one_second_the_further_state_counts_as_later():
    """The orders model takes the greater event id where two states have one time."""
    states = ("pending", "processing", "completed", "refunded")
    ids = [order_row(_order(status=status))["event_id"] for status in states]
    assert ids == sorted(ids)
    refunds = [
        order_row(_order(refunds=[{"total": f"-{amount}"}]))["event_id"] for amount in ("9.00", "10.00", "101.15")
    ]
    assert refunds == sorted(refunds)


def test_what_is_no_order_yet_is_none_and_a_binned_one_is_cancelled():
    assert [order_row(_order(status=status)) for status in DRAFTS] == [None] * len(DRAFTS)
    assert order_row(_order(status="trash"))["status"] == "cancelled"


def test_a_status_of_a_plugin_is_passed_on_so_that_its_reject_says_it():
    assert order_row(_order(status="wc-shipped"))["status"] == "wc-shipped"


def test_where_delivery_has_no_country_the_bill_has_and_else_it_is_unknown():
    assert order_row(_order(shipping={"country": ""}))["country"] == "IE"
    assert order_row(_order(shipping={}, billing={}))["country"] == "ZZ"


def test_a_line_of_which_nothing_was_bought_is_no_line():
    order = _order()
    order["line_items"][1] |= {"quantity": 0, "subtotal": "0.00", "subtotal_tax": "0.00"}
    assert [line["line_id"] for line in order_row(order)["lines"]] == ["41"]


@pytest.mark.parametrize(
    "document",
    [
        {"id": 815},  # what a webhook says of a deletion
        {"code": "woocommerce_rest_cannot_view", "message": "Sorry", "data": {"status": 401}},
        {},
        [],
        _order(total="a lot"),
        _order(total="NaN"),
        _order(line_items={"id": 1}),
        _order(id=True),
        _order(date_modified_gmt=None),
    ],
)
def test_what_is_no_order_document_is_refused(document):
    with pytest.raises(EventRefused, match="not a WooCommerce"):
        order_row(document)


def test_a_product_is_in_the_shops_currency_and_known_by_its_sku_or_a_stand_in():
    assert product_row(PRODUCT, "GBP") == {
        "sku": "woocommerce-7",
        "name": "Clay mask – 50 ml",
        "url": "https://shop.test/product/clay-mask/",
        "price": "24.00",
        "currency": "GBP",
        "in_stock": True,
    }
    assert list(product_row(PRODUCT, "GBP")) == [field.name for field in PRODUCTS.fields]
    assert product_row(PRODUCT | {"sku": "CLAY"}, "GBP")["sku"] == "CLAY"


def test_what_nobody_can_buy_is_out_of_stock_and_without_a_price_no_product_at_all():
    assert product_row(PRODUCT | {"stock_status": "outofstock"}, "GBP")["in_stock"] is False
    assert product_row(PRODUCT | {"status": "private"}, "GBP")["in_stock"] is False
    assert product_row(PRODUCT | {"price": ""}, "GBP") is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(sorted(ORDER)), JSON)
def test_whatever_a_field_holds_it_is_a_row_or_refused(name, value):
    with suppress(EventRefused):
        order_row(_order(**{name: value}))
