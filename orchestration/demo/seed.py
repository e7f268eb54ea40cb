"""Some weeks of the demo shop as landing files, each format used at least once.

Files are named after the moment they are counted back from, so that a seeding that was cut short is finished with the
same moment, and one that is complete is left alone.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from orchestration.demo.catalogue import articles, products
from orchestration.demo.crowd import add_crowd
from orchestration.demo.files import csv_text, gzipped, json_lines, products_parquet, put
from orchestration.demo.people import Feed, add_people

_STAMP = "%Y%m%dT%H%M%SZ"
# What a broken beacon sends: half a line, and a time that is none. Both become rejects, the rest of the file lands.
BROKEN_VIEWS = (
    '{"event_id": "v-cut-short", "occurred_at": "2026-',
    '{"event_id": "v-no-time", "occurred_at": "yesterday", "article_id": "art-0003", '
    '"url": "https://larkspur-skin.test/blog/", "visitor_id": "v-broken", "tracking_consent": true}',
)


@dataclass(frozen=True)
class Seeded:
    """What a seeding did: `written` maps each new file (relative to the landing folder) to its rows."""

    written: dict[str, int]
    counted_from: datetime

    def __str__(self) -> str:
        since = f"counted back from {self.counted_from:%Y-%m-%d %H:%M} UTC"
        if not self.written:
            return f"The demo shop's files are there already ({since}); nothing written."
        return f"Wrote {sum(self.written.values())} rows in {len(self.written)} files of the demo shop, {since}."


def seed(landing_dir: Path, now: datetime) -> Seeded:
    """Write the demo shop's weeks before `now` (an aware time) into `landing_dir`, unless they are there.

    Orders come before signups and signups before views: whoever reads the folder half-way through never sees somebody
    agree to emails without the purchases that decide which.
    """
    started = _earlier_start(landing_dir) or now.astimezone(UTC).replace(microsecond=0)
    stamp = started.strftime(_STAMP)
    written: dict[str, int] = {}
    done = landing_dir / f".demo-{stamp}-done"
    if done.exists():
        return Seeded(written, started)
    for name, (content, rows) in _files(started).items():
        path = landing_dir / name.format(stamp=stamp)
        if not path.exists():
            put(path, content)
            written[str(path.relative_to(landing_dir))] = rows
    done.touch()  # the files themselves move to the archive
    return Seeded(written, started)


def _earlier_start(landing_dir: Path) -> datetime | None:
    stamps = [re.match(r"\.?demo-(\d{8}T\d{6}Z)-", path.name) for path in _traces(landing_dir)]
    found = [datetime.strptime(match[1], _STAMP).replace(tzinfo=UTC) for match in stamps if match]
    return min(found, default=None)


def _traces(landing_dir: Path) -> list[Path]:
    return [*landing_dir.glob("*/demo-*"), *landing_dir.glob(".demo-*")]


def _files(now: datetime) -> dict[str, tuple[bytes, int]]:
    """The files in the order they are written: name → (content, rows)."""
    feed = Feed()
    add_people(feed, now)
    add_crowd(feed, now)
    for rows in (feed.orders, feed.signups, feed.views):
        rows.sort(key=lambda row: (row["occurred_at"], row["event_id"]))
    catalogue = [article.row(now) for article in articles().values()]
    goods = [product.row() for product in products().values()]
    return {
        "articles/demo-{stamp}-articles.jsonl": (json_lines(catalogue), len(catalogue)),
        "products/demo-{stamp}-products.parquet": (products_parquet(goods), len(goods)),
        "orders/demo-{stamp}-orders.jsonl.gz": (gzipped(json_lines(feed.orders)), len(feed.orders)),
        "orders/demo-{stamp}-orders-again.jsonl": (json_lines(feed.late_orders), len(feed.late_orders)),
        "signups/demo-{stamp}-signups.csv": (csv_text(feed.signups), len(feed.signups)),
        "article_views/demo-{stamp}-views.jsonl": (json_lines(feed.views), len(feed.views)),
        "article_views/demo-{stamp}-views-late.jsonl": (
            json_lines(feed.late_views, broken=BROKEN_VIEWS),
            len(feed.late_views) + len(BROKEN_VIEWS),
        ),
    }
