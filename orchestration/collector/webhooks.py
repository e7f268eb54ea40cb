"""The doors for WooCommerce's and Mailchimp's webhooks: only what is signed comes in.

What is signed and understood by half is let in all the same: the sender would not send it again, so it lands as it is, becomes a
reject that says why, and can be mended. What comes again is one event, since the ids are made of what it says (DECISIONS).
"""

import base64
import hashlib
import hmac
import re
import time
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from orchestration.collector.bodies import body_of, json_of, line_of, pairs_of
from orchestration.collector.callers import Rate
from orchestration.collector.counts import Counts
from orchestration.collector.journal import Journal
from orchestration.core.contracts import ORDERS, PRODUCTS, SIGNUPS, Source
from orchestration.core.errors import EventRefused
from orchestration.core.landing_row import landing_row
from orchestration.core.mailchimp_events import signup_row
from orchestration.core.woocommerce import order_row, product_row
from orchestration.settings import Settings

# What WooCommerce posts, unsigned, when a webhook is saved; it wants a 200.
PING = re.compile(rb"webhook_id=\d{1,20}")
TOPIC = re.compile(r"(order|product|customer|coupon|action)\.[a-z_.]{1,100}")
# A deletion's document is an id alone, of which no row can be made.
STATES = ("created", "updated", "restored")
MAILCHIMP_SIGNATURE = re.compile(r"t=(\d{1,12}),v1=([0-9a-f]{64})")
MAILCHIMP_WINDOW_SECONDS = 300


class WebhookDoors:
    """Both doors, on one journal."""

    def __init__(self, settings: Settings, rate: Rate, journal: Journal, counts: Counts) -> None:
        self._settings = settings
        self._rate = rate
        self._journal = journal
        self._counts = counts

    async def woocommerce(self, request: Request) -> Response:
        secret = self._settings.woocommerce_webhook_secret
        body = await body_of(request, self._settings.collector_largest_body)
        if secret and PING.fullmatch(body):
            self._rate.count(request)
            return JSONResponse({"status": "pong"})
        expected = base64.b64encode(_hmac(secret, body).digest()).decode() if secret else ""
        if not _is_same(request.headers.get("x-wc-webhook-signature"), expected):
            self._rate.count(request)
            raise HTTPException(401, "X-WC-Webhook-Signature is missing or wrong")
        topic = request.headers.get("x-wc-webhook-topic", "")
        document = json_of(body)
        if not TOPIC.fullmatch(topic) or not isinstance(document, dict):
            raise HTTPException(400, "send a JSON object, and its topic as X-WC-Webhook-Topic")
        resource, _, happened = topic.partition(".")
        row = None
        if happened in STATES and resource == "order":
            row = _understood(order_row, document)
        elif happened in STATES and resource == "product":
            row = _understood(product_row, document, self._settings.shop_currency)
        return await self._store("woocommerce", ORDERS if resource == "order" else PRODUCTS, row)

    async def mailchimp_validation(self, request: Request) -> Response:
        """Mailchimp asks whether somebody is there before it takes the address."""
        return JSONResponse({"status": "here"})

    async def mailchimp(self, request: Request) -> Response:
        body = await body_of(request, self._settings.collector_largest_body)
        if not self._is_mailchimp(request, body):
            self._rate.count(request)
            raise HTTPException(401, "X-Mailchimp-Signature or the key of the address is missing or wrong")
        row = _understood(signup_row, dict(pairs_of(body)))
        return await self._store("mailchimp", SIGNUPS, row)

    def _is_mailchimp(self, request: Request, body: bytes) -> bool:
        secret, key = self._settings.mailchimp_webhook_secret, self._settings.mailchimp_webhook_key
        signature = request.headers.get("x-mailchimp-signature")
        if signature is not None and secret:
            found = MAILCHIMP_SIGNATURE.fullmatch(signature.replace(" ", ""))
            if not found or abs(time.time() - int(found[1])) > MAILCHIMP_WINDOW_SECONDS:
                return False
            return _is_same(found[2], _hmac(secret, found[1].encode() + b"." + body).hexdigest())
        return bool(key) and _is_same(request.query_params.get("key"), key)

    async def _store(self, door: str, source: Source, row: dict[str, Any] | None) -> Response:
        if row is None:
            self._counts.event(door, "not_needed")
            return JSONResponse({"status": "not_needed"})
        try:
            row, outcome = landing_row(source, row), "accepted"
        except EventRefused:
            outcome = "odd"
        try:
            line = line_of(row)
        except TypeError:
            raise HTTPException(400, "the body holds what no text can") from None
        await self._journal.put(source.name, line)
        self._counts.event(door, outcome)
        return JSONResponse({"status": "accepted"})


def _understood(as_row: Any, *arguments: Any) -> dict[str, Any] | None:
    try:
        return as_row(*arguments)
    except EventRefused as error:
        raise HTTPException(400, str(error)) from None


def _hmac(secret: str, body: bytes) -> Any:
    return hmac.new(secret.encode(), body, hashlib.sha256)


def _is_same(said: str | None, expected: str) -> bool:
    """In constant time; nothing is the same as an expectation that is empty."""
    return bool(expected) and hmac.compare_digest((said or "").encode(), expected.encode())
