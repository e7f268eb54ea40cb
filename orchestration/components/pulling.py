"""Pulling from a shop what its webhooks may have lost: orders and products of WooCommerce, articles of WordPress.

    changed documents, oldest first ──► rows of the contract ──► landing/<source>/pulled-….jsonl ──► cursor

The cursor moves only when the landing file is safe: killed in between, the same documents land again, and the same event may
arrive any number of times. A document that is none lands as it is, and becomes a reject with its bytes.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from orchestration.core.errors import EventRefused, ShopError
from orchestration.core.pulling import BEGINNING, Walk
from orchestration.core.woocommerce import order_row, product_row
from orchestration.core.wordpress import article_row
from orchestration.resources.landing_write import name_drafts, write_draft
from orchestration.resources.pull_state import read_cursor, write_cursor, write_switched_off
from orchestration.resources.shop_api import PAGE, ShopApi
from orchestration.settings import Settings

log = logging.getLogger(__name__)

OVERLAP = timedelta(minutes=10)
# WordPress compares local times, in which an hour comes twice a year.
WORDPRESS_OVERLAP = timedelta(hours=2)

Document = dict[str, Any]


@dataclass(frozen=True)
class Pulled:
    """What a pull brought: documents that are news, rows that landed, and up to when the shop was read."""

    documents: int
    rows: int
    upto: datetime


class Puller:
    """Pulls on behalf of one DATA_DIR. `backoff` and `seconds` as for ShopApi."""

    def __init__(self, settings: Settings, *, backoff: float = 1.0, seconds: float = 60) -> None:
        self._settings = settings
        self._patience = {"backoff": backoff, "seconds": seconds}

    def orders(self) -> Pulled:
        """Orders, and those that went into the bin. Raises ShopError; what was read to the end of a page before that stays."""
        shop = self._woocommerce()
        pulled, binned = (
            self._pull("orders", name, partial(shop.changed_orders, status=status), _order_rows, OVERLAP)
            for name, status in (("orders", "any"), ("orders-in-the-bin", "trash"))
        )
        return Pulled(pulled.documents + binned.documents, pulled.rows + binned.rows, pulled.upto)

    def products(self) -> Pulled:
        """Products and their variations. Raises ShopError."""
        shop = self._woocommerce()
        currency = shop.currency()

        def rows(product: Document) -> list[Document | None]:
            variations = shop.variations(product["id"]) if product.get("type") == "variable" else []
            named = [{**one, "name": one.get("name") or product.get("name")} for one in variations]
            return [product_row(one, currency) for one in (product, *named)]

        return self._pull("products", "products", shop.changed_products, rows, OVERLAP)

    def articles(self) -> Pulled:
        """Raises ShopError."""
        settings = self._settings
        user, password = settings.wordpress_user, settings.wordpress_password
        site = ShopApi(settings.wordpress_url, (user, password) if user and password else None, **self._patience)

        def rows(post: Document) -> list[Document | None]:
            return [article_row(post, settings.wordpress_treatments)]

        return self._pull("articles", "articles", site.changed_posts, rows, WORDPRESS_OVERLAP)

    def switched_off(self) -> dict[str, str]:
        """The webhooks that WooCommerce switched off (it does after five failures): id → topic. Raises ShopError."""
        off = {
            str(one.get("id")): str(one.get("topic"))
            for one in self._woocommerce().webhooks()
            if one.get("status") == "disabled"
        }
        write_switched_off(self._settings, off)
        return off

    def _woocommerce(self) -> ShopApi:
        settings = self._settings
        return ShopApi(
            settings.woocommerce_url, (settings.woocommerce_key, settings.woocommerce_secret), **self._patience
        )

    def _pull(
        self,
        source: str,
        name: str,
        changed: Callable[[Walk], list[Document]],
        rows_of: Callable[[Document], list[Document | None]],
        overlap: timedelta,
    ) -> Pulled:
        cursor = read_cursor(self._settings, name)
        walk = Walk.from_cursor(cursor, overlap)
        documents = rows = 0
        while page := changed(walk):
            marks = [_mark(document) for document in page]
            news = [document for document, mark in zip(page, marks, strict=True) if cursor.is_news(*mark)]
            lines = [line for document in news for line in _lines(document, rows_of)]
            if lines:
                self._land(source, lines)
            cursor = cursor.moved(marks, overlap)
            write_cursor(self._settings, name, cursor)
            documents, rows = documents + len(news), rows + len(lines)
            log.info("Pulled %d changed %s, up to %s.", documents, source, cursor.upto.isoformat())
            if len(page) < PAGE:
                break
            before, walk = walk, walk.further(marks)
            if walk == before:
                raise ShopError(f"The shop gives the same {source} again and again: it passes over what it is asked.")
        return Pulled(documents, rows, cursor.upto)

    def _land(self, source: str, lines: list[str]) -> None:
        path = f"{source}/pulled-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}.jsonl"
        write_draft(self._settings, path, "".join(lines).encode())
        name_drafts(self._settings, [path])


def _order_rows(order: Document) -> list[Document | None]:
    return [order_row(order)]


def _lines(document: Document, rows_of: Callable[[Document], list[Document | None]]) -> list[str]:
    try:
        rows = [row for row in rows_of(document) if row is not None]
    except EventRefused as error:
        log.warning("Document %s of the shop is left to be a reject: %s", document.get("id"), error)
        rows = [document]
    return [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]


def _mark(document: Mapping[str, Any]) -> tuple[str, datetime]:
    """A document's id, and when it was changed. Raises ShopError for one without: how far was read can't be told then."""
    told = document.get("modified_gmt") or document.get("date_modified_gmt")
    if document.get("id") is None:
        raise ShopError("The shop gave a document without an id.")
    if not told:
        return str(document["id"]), BEGINNING
    try:
        return str(document["id"]), datetime.fromisoformat(str(told).removesuffix("Z")).replace(tzinfo=UTC)
    except ValueError:
        raise ShopError(f"The shop's document {document['id']} says no time at which it was changed.") from None
