"""A warehouse and a landing folder of one test's own."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from orchestration.resources.landing import ingest
from orchestration.resources.landing_look import look
from orchestration.resources.landing_report import IngestReport
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings


class Shop:
    """Drops files, ingests them, and reads back what landed."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings.from_env({"DATA_DIR": str(folder / "data")})
        self.warehouse = Warehouse(self.settings)

    def drop(self, path: str, content: bytes | str | list[dict]) -> Path:
        """Write a landing file: bytes as they are, text as UTF-8, rows as lines of JSON."""
        if isinstance(content, list):
            content = "".join(json.dumps(row) + "\n" for row in content)
        file = self.settings.landing_dir / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def ingest(self) -> IngestReport:
        return ingest(self.settings, self.warehouse)

    def new(self) -> list[str]:
        return [file.path for file in look(self.settings, self.warehouse).new]

    def rows(self, query: str) -> list[tuple]:
        with self.warehouse.latest() as con:
            return con.execute(query).fetchall()

    def rejects(self) -> list[tuple]:
        """(line, reason, original bytes), in order."""
        return self.rows("select line, reason, original from raw.rejects order by landing_file, line, reason")

    def reasons(self) -> list[str]:
        return [reason for _, reason, _ in self.rejects()]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    yield Shop(tmp_path)


VIEW = {
    "event_id": "v-1",
    "occurred_at": "2026-11-01T10:11:00.000Z",
    "article_id": "991271693336573226",
    "url": "https://shop.test/blog/1",
    "visitor_id": "visitor--1",
    "email": None,
    "referrer": None,
    "tracking_consent": True,
}
ORDER = {
    "event_id": "o-1",
    "occurred_at": "2026-11-01T10:11:00+00:00",
    "order_id": "1",
    "status": "processing",
    "placed_at": "2026-11-01T10:11:00+01:00",
    "email": "a@mail.test",
    "customer_id": None,
    "currency": "GBP",
    "country": "GB",
    "subtotal": 100.01,
    "discount": 0,
    "shipping": 0,
    "tax": 0,
    "total": "100.01",
    "refunded": 0,
    "coupon_codes": ["WELCOME10"],
    "lines": [{"line_id": "1", "sku": "S1", "name": "Serum", "quantity": 2, "unit_price": 50.005}],
}
SIGNUP = {
    "event_id": "s-1",
    "occurred_at": "2026-11-01T10:11:00Z",
    "email": "a@mail.test",
    "action": "subscribe",
    "source": "form",
    "basis": "consent",
    "interests": [],
    "profiling_consent": True,
}
PRODUCT = {"sku": "S1", "name": "Serum", "url": "https://x.test/s1", "price": 9.5, "currency": "GBP", "in_stock": True}


@pytest.fixture
def rows() -> SimpleNamespace:
    """Good rows to change: `rows.view(event_id="v-2")`; a value of `...` takes the field away."""

    def maker(good: dict):
        return lambda **changes: {key: value for key, value in (good | changes).items() if value is not ...}

    return SimpleNamespace(view=maker(VIEW), order=maker(ORDER), signup=maker(SIGNUP), product=maker(PRODUCT))
