"""The demo shop's files, read and counted anew with nothing but the standard library: a second opinion on its segments."""

import csv
import gzip
import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from orchestration.demo.seed import seed

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SENSITIVE = ("hair", "acne", "rosacea", "melasma", "hyperhidrosis")


@dataclass
class Landed:
    """All rows under a landing folder by source, with what could not be read."""

    rows: dict[str, list[dict]] = field(default_factory=lambda: defaultdict(list))
    unreadable: list[str] = field(default_factory=list)

    def events(self, source: str, now: datetime) -> list[dict]:
        """Each event once, none from the future, in the order they happened."""
        once = {row["event_id"]: row for row in self.rows[source] if at(row) <= now}
        return sorted(once.values(), key=at)


@dataclass
class Consent:
    subscribed: bool = False
    basis: str | None = None
    first_subscribe: datetime | None = None
    answers: dict = field(default_factory=dict)


@dataclass
class Count:
    """Who is in which segment, and who may be mailed; everybody is named by their address of today."""

    segments: dict[str, set[str]]
    mailable: set[str]
    read: dict[str, set[str]]
    health_consented: set[str]


def at(row: dict) -> datetime:
    return datetime.fromisoformat(row["occurred_at"])


@pytest.fixture(scope="session")
def now() -> datetime:
    return NOW


@pytest.fixture(scope="session")
def landing(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("landing")
    seed(folder, NOW)
    return folder


@pytest.fixture(scope="session")
def read_landing():
    return _read


@pytest.fixture(scope="session")
def landed(landing) -> Landed:
    return _read(landing)


@pytest.fixture(scope="session")
def count(landed) -> Count:
    return _count(landed, NOW)


def _read(folder: Path) -> Landed:
    landed = Landed()
    for path in sorted(path for path in folder.glob("*/*") if not path.name.startswith(".")):
        into = landed.rows[path.parent.name]
        if path.suffix == ".parquet":
            into += pq.read_table(path).to_pylist()
        elif path.suffix == ".csv":
            with path.open(newline="", encoding="utf-8") as lines:
                into += [_from_cells(row) for row in csv.DictReader(lines)]
        else:
            content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            for line in content.decode().splitlines():
                _read_line(landed, into, line)
    return landed


def _read_line(landed: Landed, into: list[dict], line: str) -> None:
    try:
        row = json.loads(line)
        datetime.fromisoformat(row.get("occurred_at", "2026-01-01"))
    except ValueError:
        landed.unreadable.append(line)
    else:
        into.append(row)


def _from_cells(cells: dict[str, str]) -> dict:
    row = {name: {"": None, "true": True, "false": False}.get(text, text) for name, text in cells.items()}
    return row | {"interests": json.loads(row["interests"])}


def _count(landed: Landed, now: datetime) -> Count:
    signups = landed.events("signups", now)
    address_of = {
        _clean(row["previous_email"]): _clean(row["email"]) for row in signups if row["previous_email"] is not None
    }

    def person(address: str) -> str:
        return address_of.get(_clean(address), _clean(address))

    consents = _consents(signups, person)
    orders = _orders(landed.events("orders", now))
    read = _read_articles(landed, consents, person, now)
    bought = {person(o["email"]) for o in orders if o["email"] and o["status"] not in ("cancelled", "failed")}
    month_ago = now - timedelta(days=30)
    segments = {
        "new_subscribers": {who for who, c in consents.items() if c.first_subscribe and c.first_subscribe > month_ago}
        - bought,
        "high_value_free_delivery": {person(o["email"]) for o in orders if o["email"] and _is_over_the_line(o, now)},
        "treatment_readers": {who for who, articles in read.items() if len(articles) >= 2},
    }
    mailable = {who for who, c in consents.items() if c.subscribed and c.basis}
    health_consented = {who for who, c in consents.items() if c.answers.get("health_consent")}
    return Count(segments, mailable, read, health_consented)


def _clean(address: str) -> str:
    return address.strip().lower()


def _consents(signups: list[dict], person) -> dict[str, Consent]:
    states: dict[str, Consent] = defaultdict(Consent)
    for row in sorted(signups, key=lambda row: (at(row), row["action"] == "unsubscribe")):
        state = states[person(row["email"])]
        if row["action"] == "unsubscribe":
            states[person(row["email"])] = Consent(first_subscribe=state.first_subscribe)
            continue
        if row["action"] == "subscribe":
            state.subscribed = True
            state.basis = row["basis"] or state.basis
            state.first_subscribe = state.first_subscribe or at(row)
        names = ("profiling_consent", "health_consent", "tracking_consent")
        state.answers |= {name: row[name] for name in names if row[name] is not None}
    return states


def _orders(events: list[dict]) -> list[dict]:
    return list({row["order_id"]: row for row in events}.values())


def _is_over_the_line(order: dict, now: datetime) -> bool:
    charged = sum(
        (sign * Decimal(str(order[part])) for part, sign in (("subtotal", 1), ("discount", -1), ("refunded", -1))),
        Decimal(0),
    )
    placed_at = datetime.fromisoformat(order["placed_at"])
    return (
        (order["currency"], order["country"]) == ("GBP", "GB")
        and order["status"] in ("processing", "completed")
        and now - timedelta(days=180) < placed_at
        and charged > 100
    )


def _read_articles(landed: Landed, consents: dict[str, Consent], person, now: datetime) -> dict[str, set[str]]:
    treatments = {row["article_id"]: row["treatments"] for row in landed.rows["articles"]}
    views = [row for row in landed.events("article_views", now) if row["tracking_consent"]]
    known: dict[str, set[str]] = defaultdict(set)
    for row in views + [row for row in landed.events("signups", now) if row["tracking_consent"]]:
        if row["email"] and row["visitor_id"]:
            known[row["visitor_id"]].add(person(row["email"]))
    read: dict[str, set[str]] = defaultdict(set)
    for row in views:
        owners = {person(row["email"])} if row["email"] else known[row["visitor_id"]]
        if len(owners) != 1 or at(row) <= now - timedelta(days=30):
            continue
        (owner,) = owners
        may = consents[owner].answers
        open_ones = [t for t in treatments[row["article_id"]] if t.split("/")[0] not in SENSITIVE]
        if may.get("profiling_consent") and (
            open_ones or (treatments[row["article_id"]] and may.get("health_consent"))
        ):
            read[owner].add(row["article_id"])
    return read
