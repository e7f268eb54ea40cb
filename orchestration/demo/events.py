"""Rows of the event contract (DESIGN 3), complete and in one order of fields, from a few words each."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from orchestration.demo.catalogue import SHOP, articles, products

WORDING = "newsletter-2026-02"
FREE_DELIVERY_OVER = Decimal("100.00")
# How long after it was placed an order usually takes each state.
STATE_DELAYS = {
    "pending": timedelta(0),
    "failed": timedelta(minutes=2),
    "processing": timedelta(minutes=3),
    "on-hold": timedelta(minutes=10),
    "cancelled": timedelta(hours=2),
    "completed": timedelta(hours=20),
    "refunded": timedelta(days=3),
}


def signup_row(event_id: str, at: datetime, email: str, **said: object) -> dict:
    """A signups row. `said` overrides the answers of the newsletter form as most people send it."""
    row = {
        "event_id": event_id,
        "occurred_at": at.isoformat(),
        "email": email,
        "action": "subscribe",
        "source": "newsletter_form",
        "basis": "consent",
        "wording_version": WORDING,
        "source_url": f"{SHOP}/newsletter",
        "first_name": None,
        "interests": [],
        "profiling_consent": None,
        "health_consent": None,
        "tracking_consent": None,
        "is_professional": None,
        "age_18_confirmed": True,
        "visitor_id": None,
        "previous_email": None,
    }
    if said.get("action", "subscribe") != "subscribe":
        # Only a subscribe says on what basis one writes.
        row |= {"basis": None, "wording_version": None, "age_18_confirmed": None}
    unknown = said.keys() - row.keys()
    if unknown:
        raise ValueError(f"signup {event_id}: no such field: {', '.join(sorted(unknown))}")
    return row | said


def view_row(
    event_id: str,
    at: datetime,
    article_id: str,
    visitor_id: str,
    *,
    email: str | None = None,
    tracking_consent: bool = True,
    referrer: str | None = None,
) -> dict:
    """An article_views row. Raises KeyError for an article the blog does not have."""
    return {
        "event_id": event_id,
        "occurred_at": at.isoformat(),
        "article_id": article_id,
        "url": articles()[article_id].url,
        "visitor_id": visitor_id,
        "email": email,
        "referrer": referrer,
        "tracking_consent": tracking_consent,
    }


def order_rows(
    order_id: str,
    placed_at: datetime,
    email: str | None,
    goods: Sequence[tuple[str, int]],
    *,
    now: datetime,
    states: Sequence[str] = ("pending", "processing", "completed"),
    discount: str = "0.00",
    refunded: str = "0.00",
    coupons: Sequence[str] = (),
    country: str = "GB",
    currency: str = "GBP",
    customer_id: str | None = None,
) -> list[dict]:
    """An orders row for each state the order has taken by `now`; the refund stands on the last one only."""
    subtotal = sum((products()[sku].price * quantity for sku, quantity in goods), Decimal(0))
    charged = subtotal - Decimal(discount)
    shipping = Decimal("0.00") if charged > FREE_DELIVERY_OVER else Decimal("3.95")
    total = charged + shipping
    order = {
        "order_id": order_id,
        "placed_at": placed_at.isoformat(),
        "email": email,
        "customer_id": customer_id,
        "currency": currency,
        "country": country,
        "subtotal": float(subtotal),
        "discount": float(discount),
        "shipping": float(shipping),
        "tax": float((total / 6).quantize(Decimal("0.01"))),  # the VAT of 20 % within the total
        "total": float(total),
        "refunded": 0.0,
        "coupon_codes": list(coupons),
        "lines": [
            {
                "line_id": str(number),
                "sku": sku,
                "name": products()[sku].name,
                "quantity": quantity,
                "unit_price": float(products()[sku].price),
            }
            for number, (sku, quantity) in enumerate(goods, 1)
        ],
    }
    rows: list[dict] = []
    at = placed_at
    for number, status in enumerate(states, 1):
        # A state that comes twice (completed, then completed with a refund) comes a day after the last.
        at = max(placed_at + STATE_DELAYS[status], at + timedelta(days=1) if status in states[: number - 1] else at)
        if at > now and rows:
            break
        head = {"event_id": f"o-{order_id}-{number}-{status}", "occurred_at": at.isoformat(), "status": status}
        rows.append(head | order)
    if len(rows) == len(states):
        rows[-1]["refunded"] = float(refunded)
    return rows
