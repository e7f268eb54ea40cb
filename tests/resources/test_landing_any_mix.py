"""Whatever the mix of good and bad lines: each one lands or is a reject, and good rows come out as they went in."""

import itertools
import json
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.resources.landing import ingest
from orchestration.resources.landing_report import SourceReport
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
ids = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
moments = st.datetimes(datetime(1990, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
money = st.decimals(0, 10**9, places=2)
views = st.fixed_dictionaries(
    {
        "event_id": ids,
        "occurred_at": moments,
        "article_id": ids | st.integers(-(10**18), 10**18),
        "url": texts,
        "visitor_id": ids,
        "tracking_consent": st.booleans(),
    },
    optional={
        "referrer": st.none() | texts,
        "email": st.none() | st.just("Ada@Mail.test"),
        "odd": st.integers(),
        "Ω": texts,
    },
)
not_rows = st.sampled_from(
    [
        b"{",
        b"[]",
        b"7",
        b"\xff\xfe\x00",
        b'{"event_id": 1}',
        b'{"a": "\xc3\x28"}',
        b"{}{}",
        b'{"event_id": "x", "event_id": "y"}',
    ]
)
blanks = st.sampled_from([b"", b" ", b"\t\r", b"  \r"])


numbers = itertools.count()
quick = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def ours() -> Iterator[Settings]:
    """One warehouse for all examples: each drops a file of its own, and looks at what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        yield Settings.from_env({"DATA_DIR": folder})


def land(ours: Settings, source: str, content: bytes, columns: str, order: str) -> tuple[SourceReport, list, list]:
    path = f"{source}/{next(numbers)}.jsonl"
    file = ours.landing_dir / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    warehouse = Warehouse(ours)
    report = ingest(ours, warehouse).per_source[source]
    with warehouse.latest() as con:
        landed = con.execute(
            f"select {columns} from raw.{source} where landing_file = ? order by {order}", [path]
        ).fetchall()
        rejects = con.execute(
            "select line, original from raw.rejects where landing_file = ? order by line", [path]
        ).fetchall()
    return report, landed, rejects


def as_line(view: dict) -> bytes:
    return json.dumps(view | {"occurred_at": view["occurred_at"].isoformat()}, ensure_ascii=False).encode()


def as_row(view: dict) -> tuple:
    email = view.get("email")
    return (
        view["event_id"],
        (view["occurred_at"] - EPOCH) // timedelta(microseconds=1),
        str(view["article_id"]),
        view["url"],
        view["visitor_id"],
        email and email.lower(),
        view.get("referrer"),
        view["tracking_consent"],
    )


@quick
@given(
    pieces=st.lists(views | not_rows | blanks, max_size=30),
    ending=st.sampled_from([b"\n", b"\r\n"]),
    last=st.sampled_from([b"", b"\n"]),
    head=st.sampled_from([b"", b"\xef\xbb\xbf"]),
)
def test_every_line_lands_or_is_a_reject(ours, pieces, ending, last, head):
    signature = {
        "event_id": f"example {next(numbers)}",
        "url": "",
        "article_id": 1,
        "visitor_id": "v",
        "tracking_consent": True,
    }
    pieces = [*pieces, signature | {"occurred_at": datetime(2026, 1, 1, tzinfo=UTC)}]
    written = [as_line(piece) if isinstance(piece, dict) else piece for piece in pieces]
    good = [piece for piece in pieces if isinstance(piece, dict)]
    bad = [(number, piece) for number, piece in enumerate(pieces, 1) if isinstance(piece, bytes) and piece.strip()]
    report, landed, rejects = land(
        ours,
        "article_views",
        head + ending.join(written) + last,
        "event_id, epoch_us(occurred_at), article_id, url, visitor_id, email, referrer, tracking_consent",
        "all",
    )
    assert (report.rows_read, report.rows_landed, report.rejects) == (len(good) + len(bad), len(good), len(bad))
    assert sorted(map(repr, landed)) == sorted(repr(as_row(view)) for view in good)
    assert [(line, original.rstrip(b"\r")) for line, original in rejects] == bad
    for name in ("odd", "Ω"):
        assert report.unknown_fields[name] == sum(name in view for view in good)


@quick
@given(prices=st.lists(money, min_size=1, max_size=20))
def test_money_comes_out_to_the_penny(ours, prices):
    row = {"name": f"example {next(numbers)}", "url": "u", "currency": "GBP", "in_stock": True}
    content = "".join(
        json.dumps(row | {"sku": str(number), "price": str(price) if number % 2 else float(price)}) + "\n"
        for number, price in enumerate(prices)
    )
    _, landed, _ = land(ours, "products", content.encode(), "price", "landing_row")
    assert [price for (price,) in landed] == prices
