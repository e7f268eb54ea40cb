"""WooCommerce's and Mailchimp's webhooks: what is signed comes in, as rows of the contract."""

import base64
import hashlib
import hmac
import json
import time
from urllib.parse import urlencode

import pytest

from orchestration.core.contracts import ORDERS, PRODUCTS, SIGNUPS
from orchestration.core.landing_row import landing_row
from tests.collector.conftest import SECRETS
from tests.core.test_woocommerce import ORDER, PRODUCT

WOOCOMMERCE_SECRET, MAILCHIMP_SECRET = SECRETS["WOOCOMMERCE_WEBHOOK_SECRET"], SECRETS["MAILCHIMP_WEBHOOK_SECRET"]
FIRED = "2026-11-20 09:42:31"
MEMBER = {"data[id]": "e7c77d3852", "data[email]": "ivy@mail.test", "data[merges][FNAME]": "Ivy"}


def signed(body: bytes, topic: str = "order.updated", secret: str = WOOCOMMERCE_SECRET, **other: str) -> dict:
    signature = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
    return {"X-WC-Webhook-Signature": signature, "X-WC-Webhook-Topic": topic, **other}


def _deliver(collector, document, topic="order.updated", **other):
    body = json.dumps(document).encode()
    return collector.post("/webhooks/woocommerce", content=body, headers=signed(body, topic, **other))


def mailchimp_signed(body: bytes, at: float | None = None, secret: str = MAILCHIMP_SECRET) -> dict:
    moment = str(int(time.time() if at is None else at))
    signature = hmac.new(secret.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"X-Mailchimp-Signature": f"t={moment},v1={signature}", "Content-Type": "application/x-www-form-urlencoded"}


def _told(collector, kind: str, **data: str):
    body = urlencode({"type": kind, "fired_at": FIRED, **MEMBER, **data}).encode()
    return collector.post("/webhooks/mailchimp", content=body, headers=mailchimp_signed(body))


def test_an_order_that_is_delivered_twice_is_one_event(collector):
    for delivery in ("d-1", "d-2"):
        answer = _deliver(collector, ORDER, **{"X-WC-Webhook-Delivery-ID": delivery})
        assert (answer.status_code, answer.json()) == (200, {"status": "accepted"})
    first, second = collector.rows("orders")
    assert first == second
    assert (first["order_id"], first["subtotal"]) == ("815", "108.00")
    assert first == landing_row(ORDERS, first)


def test_a_product_comes_in_with_the_shops_currency(collector):
    assert _deliver(collector, PRODUCT, "product.created").status_code == 200
    [row] = collector.rows("products")
    assert row == landing_row(PRODUCTS, row)
    assert (row["currency"], row["price"]) == ("GBP", "24.00")


@pytest.mark.parametrize(
    ("document", "topic"),
    [
        ({"id": 25, "email": "ivy@mail.test"}, "customer.updated"),
        ({"id": 719, "code": "10off"}, "coupon.created"),
        ({"id": 815}, "order.deleted"),
        (ORDER | {"status": "checkout-draft"}, "order.created"),
        ({"action": "woocommerce_add_to_cart", "arg": 1}, "action.woocommerce_add_to_cart"),
    ],
)
def test_what_nothing_follows_from_is_acknowledged_and_counted(collector, document, topic):
    answer = _deliver(collector, document, topic)
    assert (answer.status_code, answer.json()) == (200, {"status": "not_needed"})
    assert 'collector_events_total{door="woocommerce",outcome="not_needed"} 1' in collector.http.get("/metrics").text
    assert collector.rows("orders") == []


def test_the_ping_of_a_new_webhook_is_answered(collector):
    answer = collector.post("/webhooks/woocommerce", data={"webhook_id": "12"})
    assert (answer.status_code, answer.json()) == (200, {"status": "pong"})


def test_a_signed_order_that_breaks_the_contract_lands_all_the_same_since_it_would_not_come_again(collector):
    assert _deliver(collector, ORDER | {"status": "wc-shipped"}).status_code == 200
    [row] = collector.rows("orders")
    assert row["status"] == "wc-shipped"
    assert 'outcome="odd"} 1' in collector.http.get("/metrics").text


@pytest.mark.parametrize("headers", [{}, {"X-WC-Webhook-Signature": ""}, signed(b"other"), signed(b"{}", secret="")])
def test_without_the_right_signature_nothing_comes_in(collector, headers):
    answer = collector.post("/webhooks/woocommerce", content=json.dumps(ORDER), headers=headers)
    assert answer.status_code == 401
    assert collector.rows("orders") == []


def test_mailchimp_finds_somebody_there(collector):
    assert collector.http.get("/webhooks/mailchimp").status_code == 200


def test_an_unsubscribe_at_mailchimp_is_a_no_here(collector):
    assert _told(collector, "unsubscribe", **{"data[action]": "unsub", "data[reason]": "manual"}).status_code == 200
    [row] = collector.rows("signups")
    assert row == landing_row(SIGNUPS, row)
    assert (row["event_id"], row["occurred_at"], row["email"], row["action"], row["source"]) == (
        "mailchimp-unsubscribe-e7c77d3852-2026-11-20T09:42:31Z",
        "2026-11-20T09:42:31Z",
        "ivy@mail.test",
        "unsubscribe",
        "mailchimp",
    )


def test_an_address_change_at_mailchimp_says_whose_it_was(collector):
    changed = {"data[new_id]": "50696b797a", "data[new_email]": "ivy.new@mail.test", "data[old_email]": "ivy@mail.test"}
    assert _told(collector, "upemail", **changed).status_code == 200
    [row] = collector.rows("signups")
    assert (row["action"], row["email"], row["previous_email"]) == (
        "update_preferences",
        "ivy.new@mail.test",
        "ivy@mail.test",
    )


@pytest.mark.parametrize(
    ("kind", "data", "action"),
    [
        ("subscribe", {}, "subscribe"),
        ("profile", {}, "update_preferences"),
        ("profile", {"data[merges][FNAME]": ""}, None),
        ("cleaned", {"data[reason]": "abuse"}, "unsubscribe"),
        ("cleaned", {"data[reason]": "hard"}, None),
        ("unsubscribe", {"data[action]": "delete"}, None),
        ("campaign", {"data[status]": "sent"}, None),
        ("something new", {}, None),
    ],
)
def test_what_each_kind_of_webhook_of_mailchimps_says(collector, kind, data, action):
    assert _told(collector, kind, **data).status_code == 200
    assert [row["action"] for row in collector.rows("signups")] == ([] if action is None else [action])


def test_a_body_that_mailchimp_does_not_sign_comes_in_with_the_key_of_the_address_only(collector):
    body = urlencode({"type": "unsubscribe", "fired_at": FIRED, **MEMBER})
    for path, status in (("?key=mc-key", 200), ("?key=mc-kez", 401), ("", 401)):
        assert collector.post(f"/webhooks/mailchimp{path}", content=body).status_code == status
    assert len(collector.rows("signups")) == 1


def test_a_signature_is_good_for_five_minutes_and_no_key_makes_a_wrong_one_right(collector):
    body = urlencode({"type": "unsubscribe", "fired_at": FIRED, **MEMBER}).encode()
    now = time.time()
    for headers, status in (
        (mailchimp_signed(body, now - 290), 200),
        (mailchimp_signed(body, now - 310), 401),
        (mailchimp_signed(body, now + 310), 401),
        (mailchimp_signed(b"other"), 401),
        (mailchimp_signed(body, secret="other"), 401),
        ({"X-Mailchimp-Signature": "t=1,v1=x"}, 401),
    ):
        answer = collector.post("/webhooks/mailchimp?key=mc-key", content=body, headers=headers)
        assert answer.status_code == status
    assert len(collector.rows("signups")) == 1
