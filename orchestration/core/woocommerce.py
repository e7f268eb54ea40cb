"""WooCommerce's REST documents (wc/v3) as rows of the contract (DESIGN 3), the same for webhooks and for pulling.

What both ways deliver is one event: an order's event id is made of what the document itself says, never of the delivery.
WooCommerce's own delivery id would not do anyway: it hashes the webhook and the second, so two orders of one second share it.

Its documents as they are: totals are strings without VAT, their tax beside them; a line's `price` is a number, after discount and
without VAT; `*_gmt` times lack the Z; refunds are negative; lines and products often have no SKU; names hold HTML entities.
"""

import html
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from orchestration.core.errors import EventRefused

# No order yet: WooCommerce makes these when somebody opens a checkout or an editor.
DRAFTS = ("draft", "auto-draft", "checkout-draft", "new")
# Of two states of one order in one second the further one counts as later, which is what the event id decides (DECISIONS).
PROGRESS = ("pending", "on-hold", "failed", "processing", "completed", "cancelled", "refunded")
UNKNOWN_COUNTRY = "ZZ"


def order_row(document: Mapping[str, Any]) -> dict[str, Any] | None:
    """The orders row for the state an order is in, or None for a draft, which is no order yet.

    A value that the contract does not know, such as a status of a plugin's, is passed on: its row becomes a reject that says
    so and can be mended. Raises EventRefused for what is no order document at all, such as the `{"id": 1}` of a deletion.
    """
    order_id = _id(document, "order")
    status = _text(document, "status", of="order")
    if status in DRAFTS:
        return None
    if status == "trash":
        status = "cancelled"
    changed_at = _utc(document, "date_modified_gmt", of="order")
    items = [_line(item) for item in _items(document, "line_items") if item.get("quantity") != 0]
    refunded = -sum((_money(refund, "total") for refund in _items(document, "refunds")), Decimal(0))
    billing, shipping = _part(document, "billing"), _part(document, "shipping")
    goods = sum((_with_tax(item, "subtotal", "subtotal_tax") for item in _items(document, "line_items")), Decimal(0))
    return {
        "event_id": _order_event_id(order_id, changed_at, status, refunded),
        "occurred_at": changed_at,
        "order_id": order_id,
        "status": status,
        "placed_at": _utc(document, "date_created_gmt", of="order") if document.get("date_created_gmt") else changed_at,
        "email": billing.get("email") or None,
        "customer_id": str(document["customer_id"]) if document.get("customer_id") else None,
        "currency": document.get("currency"),
        "country": shipping.get("country") or billing.get("country") or UNKNOWN_COUNTRY,
        "subtotal": str(goods),
        "discount": str(_with_tax(document, "discount_total", "discount_tax")),
        "shipping": str(_with_tax(document, "shipping_total", "shipping_tax")),
        "tax": str(_money(document, "total_tax")),
        "total": str(_money(document, "total")),
        "refunded": str(refunded),
        "coupon_codes": [coupon["code"] for coupon in _items(document, "coupon_lines") if coupon.get("code")],
        "lines": items,
    }


def product_row(document: Mapping[str, Any], currency: str) -> dict[str, Any] | None:
    """The products row of a product or a variation, or None for one without a price, which nobody can buy.

    `currency`: the shop's; WooCommerce's documents of products don't say it. What is not published counts as out of stock. Raises
    EventRefused for what is no product document.
    """
    product_id = _id(document, "product")
    status = _text(document, "status", of="product")
    if document.get("price") in (None, ""):
        return None
    return {
        "sku": document.get("sku") or _stand_in_sku(product_id),
        "name": html.unescape(_text(document, "name", of="product")),
        "url": _text(document, "permalink", of="product"),
        "price": str(_money(document, "price")),
        "currency": currency,
        "in_stock": status == "publish" and document.get("stock_status") != "outofstock",
    }


def _order_event_id(order_id: str, changed_at: str, status: str, refunded: Decimal) -> str:
    """One id for one state, whichever way it came; as text the greater one is the later one within a second."""
    stage = PROGRESS.index(status) if status in PROGRESS else 0
    return f"woocommerce-order-{order_id}-{changed_at}-{stage}-{status}-{int(refunded * 100):010d}"


def _line(item: Mapping[str, Any]) -> dict[str, Any]:
    """A line; its unit price is what was charged before discounts, VAT in, so that lines add up to the subtotal."""
    quantity = item.get("quantity")
    goods = _with_tax(item, "subtotal", "subtotal_tax")
    counted = quantity if isinstance(quantity, int) and quantity > 0 else 1
    return {
        "line_id": str(item.get("id", "")),
        "sku": item.get("sku") or _stand_in_sku(item.get("variation_id") or item.get("product_id") or ""),
        "name": html.unescape(str(item.get("name") or "")),
        "quantity": quantity,
        "unit_price": str((goods / counted).quantize(Decimal("0.0001"))),
    }


def _stand_in_sku(product_id: object) -> str:
    """What stands for a SKU where the shop gave none: the same for a product and for the lines that sold it."""
    return f"woocommerce-{product_id}"


def _id(document: Mapping[str, Any], what: str) -> str:
    found = document.get("id") if isinstance(document, Mapping) else None
    if isinstance(found, bool) or not isinstance(found, int | str) or not str(found).isdigit():
        raise EventRefused(f"not a WooCommerce {what}: it has no id")
    return str(found)


def _text(document: Mapping[str, Any], name: str, *, of: str) -> str:
    found = document.get(name)
    if not isinstance(found, str) or not found:
        raise EventRefused(f"not a WooCommerce {of}: {name} is missing")
    return found


def _utc(document: Mapping[str, Any], name: str, *, of: str) -> str:
    """A `*_gmt` time, with the Z it lacks."""
    found = _text(document, name, of=of)
    return found if found.endswith("Z") else f"{found}Z"


def _items(document: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = document.get(name) or []
    if not isinstance(found, list) or not all(isinstance(item, Mapping) for item in found):
        raise EventRefused(f"not a WooCommerce document: {name} is no list of objects")
    return found


def _part(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name)
    return found if isinstance(found, Mapping) else {}


def _with_tax(document: Mapping[str, Any], amount: str, tax: str) -> Decimal:
    return _money(document, amount) + _money(document, tax)


def _money(document: Mapping[str, Any], name: str) -> Decimal:
    found = document.get(name)
    if found in (None, ""):
        return Decimal(0)
    try:
        amount = Decimal(str(found))
    except InvalidOperation:
        amount = Decimal("nan")
    if not amount.is_finite() or abs(amount) >= Decimal("1e15"):
        raise EventRefused(f"not a WooCommerce document: {name} is no amount of money")
    return amount
