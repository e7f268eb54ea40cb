"""The hand-made contacts of people.yaml as events. `shows` of each says which rule they are there for."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from importlib import resources

import yaml

from orchestration.demo.events import order_rows, signup_row, view_row

_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


@dataclass
class Feed:
    """The rows to be written, by the file they go to. Late rows come in a second file, after the first."""

    orders: list[dict] = field(default_factory=list)
    late_orders: list[dict] = field(default_factory=list)
    signups: list[dict] = field(default_factory=list)
    views: list[dict] = field(default_factory=list)
    late_views: list[dict] = field(default_factory=list)
    orders_taken: int = 0

    def next_order_id(self) -> str:
        self.orders_taken += 1
        return f"LS-{10000 + self.orders_taken}"


def span(text: str) -> timedelta:
    """A length of time such as `29d 18h`; `-2d` is negative. Raises ValueError for anything else."""
    sign = -1 if text.startswith("-") else 1
    parts = re.findall(r"(\d+)([dhm])", text)
    if not parts or " ".join(f"{number}{unit}" for number, unit in parts) != text.lstrip("-"):
        raise ValueError(f"{text!r} is not a length of time such as 29d 18h")
    return sign * timedelta(**{_UNITS[unit]: int(number) for number, unit in parts})


@cache
def people() -> tuple[Mapping, ...]:
    """The entries of people.yaml, as they stand there."""
    text = (resources.files("orchestration.demo") / "people.yaml").read_text(encoding="utf-8")
    return tuple(yaml.safe_load(text))


def add_people(feed: Feed, now: datetime) -> None:
    """All that the hand-made contacts did, relative to `now`."""
    for person in people():
        _add_signups(feed, person, now)
        _add_orders(feed, person, now)
        _add_views(feed, person, now)


def _visitor(person: Mapping) -> str:
    return person.get("visitor", f"v-{person['id']}")


def _add_signups(feed: Feed, person: Mapping, now: datetime) -> None:
    for number, entry in enumerate(person.get("signups", ()), 1):
        said = {"email": person["email"], "first_name": person["first_name"]} | entry
        at = now - span(said.pop("ago"))
        if said.get("visitor_id") == "own":
            said["visitor_id"] = _visitor(person)
        feed.signups.append(signup_row(f"n-{person['id']}-{number}", at, **said))


def _add_orders(feed: Feed, person: Mapping, now: datetime) -> None:
    for entry in person.get("orders", ()):
        said = {"email": person["email"], "customer_id": f"c-{person['id']}"} | entry
        placed_at = now - span(said.pop("ago"))
        goods = list(said.pop("goods").items())
        twice = said.pop("twice", False)
        rows = order_rows(feed.next_order_id(), placed_at, said.pop("email"), goods, now=now, **said)
        feed.orders += rows
        feed.late_orders += rows if twice else []


def _add_views(feed: Feed, person: Mapping, now: datetime) -> None:
    for number, entry in enumerate(person.get("views", ()), 1):
        said = {"email": person["email"]} | entry
        at = now - span(said.pop("ago"))
        if not said.pop("known", False):
            said["email"] = None
        into = feed.late_views if said.pop("late", False) else feed.views
        into.append(view_row(f"v-{person['id']}-{number}", at, said.pop("article"), _visitor(person), **said))
