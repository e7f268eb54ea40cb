"""The generated contacts: enough of each kind that every campaign has somebody to write to, and nobody stands out.

Everything is drawn from one fixed seed and counted back from `now`: the same `now` gives the same rows.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import resources

import yaml

from orchestration.demo.catalogue import Article, articles, products
from orchestration.demo.events import order_rows, signup_row, view_row
from orchestration.demo.people import Feed

DOMAINS = ("mail.test", "post.test", "inbox.test")

# What somebody may like to read about: a treatment and what lies under it.
TASTES = {
    "light": ("skin/led", "acne/led"),
    "resurfacing": ("skin/peels", "skin/microneedling"),
    "sun": ("skin/spf", "melasma"),
    "lips": ("lips",),
    "body": ("body", "hyperhidrosis"),
    "wellness": ("wellness",),
    "hair": ("hair",),
    "calm skin": ("rosacea", "acne"),
}
HEALTH_TASTES = ("hair", "calm skin")

NEWCOMERS = 18
BUYERS = 17
READERS = 24
NEW_READERS = 4
SMALL_BUYERS = 6
QUIET = 4
PASSERS_BY = 14


@dataclass(frozen=True)
class Contact:
    key: str
    first_name: str
    email: str

    @property
    def visitor_id(self) -> str:
        return f"v-{self.key}"


def names() -> list[tuple[str, str]]:
    """Every pair of a first name and a surname."""
    lists = yaml.safe_load((resources.files("orchestration.demo") / "names.yaml").read_text(encoding="utf-8"))
    return [(first, last) for first in lists["first"].split() for last in lists["last"].split()]


def crowd() -> list[Contact]:
    """The contacts, always the same ones in the same order."""
    draw = _draw()
    size = NEWCOMERS + BUYERS + READERS + NEW_READERS + SMALL_BUYERS + QUIET
    return [
        Contact(f"p{number:03d}", first, f"{first}.{last}@{draw.choice(DOMAINS)}".lower())
        for number, (first, last) in enumerate(draw.sample(names(), size), 1)
    ]


def add_crowd(feed: Feed, now: datetime) -> None:
    """All that the generated contacts did, relative to `now`."""
    draw = _draw()
    contacts = iter(crowd())
    for _ in range(NEWCOMERS):
        _newcomer(feed, next(contacts), now, draw)
    for number in range(BUYERS):
        _buyer(feed, next(contacts), now, draw, soft=number % 3 == 0)
    for number in range(READERS):
        # The hair and calm-skin readers are those who gave health consent; the rest go round the other tastes.
        _reader(feed, next(contacts), now, draw, taste=list(TASTES)[number % len(TASTES)])
    for number in range(NEW_READERS):
        _reader(feed, next(contacts), now, draw, taste=list(TASTES)[number], subscribed_hours=(400, 600))
    for _ in range(SMALL_BUYERS):
        _small_buyer(feed, next(contacts), now, draw)
    for _ in range(QUIET):
        _subscribe(feed, next(contacts), _ago(draw, now, (31 * 24, 44 * 24)))
    for number in range(PASSERS_BY):
        _passer_by(feed, number, now, draw)


def liked(taste: str) -> list[Article]:
    """The published articles of a taste."""
    return [
        article
        for article in articles().values()
        if article.status == "publish"
        and any(t == root or t.startswith(f"{root}/") for t in article.treatments for root in TASTES[taste])
    ]


def _draw() -> random.Random:
    # A made-up crowd needs no secrecy; it needs to repeat.
    return random.Random("Larkspur Skin")  # noqa: S311


def _ago(draw: random.Random, now: datetime, hours: tuple[int, int]) -> datetime:
    return now - timedelta(minutes=draw.randint(hours[0] * 60, hours[1] * 60))


def _subscribe(feed: Feed, who: Contact, at: datetime, **said: object) -> None:
    said = {"first_name": who.first_name} | said
    feed.signups.append(signup_row(f"n-{who.key}-1", at, who.email, **said))


def _views(
    feed: Feed, who: Contact, read: Sequence[Article], now: datetime, draw: random.Random, *, known: float = 0.5
) -> None:
    """One view of each article within the last 27 days; a share `known` of them with the address, the first always."""
    for number, article in enumerate(read, 1):
        email = who.email if number == 1 or draw.random() < known else None
        referrer = draw.choice((None, "https://search.test/", "https://larkspur-skin.test/blog"))
        at = _ago(draw, now, (3, 27 * 24))
        feed.views.append(
            view_row(f"v-{who.key}-{number}", at, article.article_id, who.visitor_id, email=email, referrer=referrer)
        )


def basket(draw: random.Random, least: int, most: int) -> list[tuple[str, int]]:
    """Goods worth more than `least` and at most `most` pounds."""
    on_sale = [product for product in products().values() if product.in_stock]
    while True:
        chosen = draw.sample(on_sale, draw.randint(1, 4))
        basket = [(product.sku, draw.choice((1, 1, 2))) for product in chosen]
        if least < sum(products()[sku].price * quantity for sku, quantity in basket) <= most:
            return basket


def _order(feed: Feed, who: Contact, placed_at: datetime, goods: list[tuple[str, int]], now: datetime) -> None:
    feed.orders += order_rows(feed.next_order_id(), placed_at, who.email, goods, now=now, customer_id=f"c-{who.key}")


def _newcomer(feed: Feed, who: Contact, now: datetime, draw: random.Random) -> None:
    interests = draw.sample(("skin", "lips", "body", "wellness", "hair"), draw.randint(0, 2))
    _subscribe(feed, who, _ago(draw, now, (2, 27 * 24)), interests=interests, tracking_consent=draw.random() < 0.5)


def _buyer(feed: Feed, who: Contact, now: datetime, draw: random.Random, *, soft: bool) -> None:
    placed_at = _ago(draw, now, (24, 40 * 24))
    _order(feed, who, placed_at, basket(draw, 105, 300), now)
    if soft:
        _subscribe(feed, who, placed_at, source="checkout", basis="soft_opt_in", source_url=None)
    else:
        _subscribe(feed, who, min(placed_at, _ago(draw, now, (31 * 24, 44 * 24))))


def _reader(
    feed: Feed,
    who: Contact,
    now: datetime,
    draw: random.Random,
    *,
    taste: str,
    subscribed_hours: tuple[int, int] = (31 * 24, 44 * 24),
) -> None:
    on_device = draw.random() < 0.5  # the form was sent from the device they read on
    _subscribe(
        feed,
        who,
        _ago(draw, now, subscribed_hours),
        profiling_consent=True,
        tracking_consent=True,
        health_consent=True if taste in HEALTH_TASTES else None,
        visitor_id=who.visitor_id if on_device else None,
    )
    shelf = liked(taste)
    read = draw.sample(shelf, min(len(shelf) - 3, draw.randint(2, 4)))  # some is left to recommend
    if draw.random() < 0.4:  # now and then something else catches the eye
        read.append(draw.choice([a for a in articles().values() if a.status == "publish" and a not in shelf]))
    _views(feed, who, read, now, draw)


def _small_buyer(feed: Feed, who: Contact, now: datetime, draw: random.Random) -> None:
    subscribed_at = _ago(draw, now, (20 * 24, 44 * 24))
    _subscribe(feed, who, subscribed_at)
    _order(feed, who, subscribed_at + timedelta(hours=draw.randint(1, 400)), basket(draw, 10, 90), now)


def _passer_by(feed: Feed, number: int, now: datetime, draw: random.Random) -> None:
    """Somebody who never said who they are; what they read together still says which articles belong together."""
    shelf = liked(draw.choice(list(TASTES)))
    for count, article in enumerate(draw.sample(shelf, min(len(shelf), 3)), 1):
        at = _ago(draw, now, (3, 35 * 24))
        consent = draw.random() < 0.7
        feed.views.append(
            view_row(f"v-x{number:02d}-{count}", at, article.article_id, f"v-x{number:02d}", tracking_consent=consent)
        )
