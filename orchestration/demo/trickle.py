"""The demo shop going on: one small landing file every few seconds, so that a signup is seen becoming an email.

The same round of steps comes again and again, each time with new people: a newsletter signup; articles read by whoever
passes; an order over the free-delivery line, whose buyer then leaves the checkout's box ticked; and the newcomer reading. As a
shop does, it takes the coupon files that Pennypost writes: once a round somebody orders with a code that came since it started.
"""

import csv
import random
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from orchestration.demo.catalogue import articles, products
from orchestration.demo.crowd import DOMAINS, HEALTH_TASTES, TASTES, Contact, basket, liked, names
from orchestration.demo.events import STATE_DELAYS, order_rows, signup_row, view_row
from orchestration.demo.files import json_lines, put


def trickle(
    landing_dir: Path, every_seconds: float, stop: threading.Event, say: Callable[[str], None], *, coupons_dir: Path
) -> int:
    """Write a small file at once and then every `every_seconds` until `stop` is set. Returns how many were written.

    `say` gets one line a file. `coupons_dir` is where Pennypost leaves files for the shop. Times are the machine's own, whatever
    AS_OF says: a replay has no use for a trickle.
    """
    started = datetime.now(UTC)
    written = 0
    for number, (source, what, rows) in enumerate(_steps(started, coupons_dir), 1):
        if stop.is_set():
            break
        now = datetime.now(UTC)
        name = f"{source}/trickle-{now:%Y%m%dT%H%M%S%f}-{number}.jsonl"
        put(landing_dir / name, json_lines(rows(now)))
        say(f"{what} → {name}")
        written += 1
        stop.wait(every_seconds)
    return written


_Step = tuple[str, str, Callable[[datetime], list[dict]]]


def _steps(started: datetime, coupons_dir: Path) -> Iterator[_Step]:
    """Source, what happens, and the rows for the moment it happens at; without end."""
    # Names and ids carry the start of this run: a second run brings other people, and no event id comes twice.
    run = _base36(int(started.timestamp() * 1000))
    draw = random.Random(run)  # noqa: S311
    cast = names()
    draw.shuffle(cast)
    taken: set[str] = set()
    number = 0
    while True:
        first, last = cast[number % len(cast)]
        other_first, other_last = cast[(number + 1) % len(cast)]
        newcomer = _newcomer(first, last, f"t{run}-{number}", draw)
        buyer = _newcomer(other_first, other_last, f"t{run}-{number + 1}", draw)
        taste = draw.choice([taste for taste in TASTES if taste not in HEALTH_TASTES])
        yield "signups", "A newsletter signup", lambda at, who=newcomer: [_signup(who, at)]
        yield "article_views", "Articles read", lambda at, run=f"{run}-{number}": _passers_by(run, at, draw)
        yield "orders", "An order over £100", lambda at, who=buyer: _order(who, at, draw)
        yield "signups", "Its buyer agrees to hear more", lambda at, who=buyer: [_soft_opt_in(who, at)]
        yield "article_views", "The newcomer reads", lambda at, who=newcomer, t=taste: _reading(who, t, at, draw)
        if coupon := _coupon(coupons_dir, started, taken):
            taken.add(coupon["post_title"])
            yield "orders", "A code redeemed", lambda at, who=newcomer, c=coupon: _redeemed(who, c, at, draw)
        number += 2


def _coupon(coupons_dir: Path, since: datetime, taken: set[str]) -> dict[str, str] | None:
    """A coupon of the newest file that came `since`, that nobody has used."""
    files = sorted(coupons_dir.glob("*.csv"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in files:
        if path.stat().st_mtime < since.timestamp():
            return None
        with path.open(newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                if row["post_title"] not in taken:
                    return row
    return None


def _newcomer(first: str, last: str, key: str, draw: random.Random) -> Contact:
    return Contact(key, first, f"{first}.{last}.{key}@{draw.choice(DOMAINS)}".lower())


def _signup(who: Contact, at: datetime) -> dict:
    return signup_row(
        f"n-{who.key}",
        at,
        who.email,
        first_name=who.first_name,
        profiling_consent=True,
        tracking_consent=True,
        visitor_id=who.visitor_id,
    )


def _soft_opt_in(who: Contact, at: datetime) -> dict:
    said = {"source": "checkout", "basis": "soft_opt_in", "source_url": None, "first_name": who.first_name}
    return signup_row(f"n-{who.key}", at, who.email, **said)


def _order(who: Contact, at: datetime, draw: random.Random) -> list[dict]:
    goods = basket(draw, 105, 300)
    customer_id = f"c-{who.key}"
    placed_at = at - STATE_DELAYS["processing"]  # so that the payment has just come in
    states = ("pending", "processing")
    return order_rows(f"LS-{who.key}", placed_at, who.email, goods, now=at, states=states, customer_id=customer_id)


def _redeemed(who: Contact, coupon: dict[str, str], at: datetime, draw: random.Random) -> list[dict]:
    """An order with a code, written as WooCommerce keeps it: in small letters."""
    goods = basket(draw, 20, 90)
    subtotal = sum(products()[sku].price * quantity for sku, quantity in goods)
    discount = (subtotal * Decimal(coupon["coupon_amount"]) / 100).quantize(Decimal("0.01"))
    return order_rows(
        f"LS-{who.key}-c",
        at - STATE_DELAYS["processing"],
        who.email,
        goods,
        now=at,
        states=("pending", "processing"),
        discount=str(discount),
        coupons=[coupon["post_title"].lower()],
        customer_id=f"c-{who.key}",
    )


def _reading(who: Contact, taste: str, at: datetime, draw: random.Random) -> list[dict]:
    read = draw.sample(liked(taste), 2)
    return [
        view_row(f"v-{who.key}-{number}", at, article.article_id, who.visitor_id, email=who.email)
        for number, article in enumerate(read, 1)
    ]


def _passers_by(run: str, at: datetime, draw: random.Random) -> list[dict]:
    published = [article_id for article_id, article in articles().items() if article.status == "publish"]
    return [
        view_row(f"v-x{run}-{number}", at, article_id, f"v-x{run}-{number}", tracking_consent=draw.random() < 0.7)
        for number, article_id in enumerate(draw.sample(published, draw.randint(1, 4)), 1)
    ]


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[rest] + digits
    return digits
