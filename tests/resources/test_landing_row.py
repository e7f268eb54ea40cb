"""What the collector accepts does not become a reject: its rules in Python against those in SQL."""

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.contracts import SOURCES
from orchestration.core.errors import EventRefused
from orchestration.core.landing_row import landing_row

INSTANTS = ["2026-11-01T10:11:00Z", "2026-11-01 10:11+05:30", "2026-11-01T10:11:00,5-0130", "0001-01-01T00:00:00+14:00"]
ODD = [
    None,
    "",
    0,
    -1,
    2**70,
    0.1,
    True,
    "true",
    [],
    [1],
    {},
    "NaN",
    "1e400",
    "-0.004",
    "a\x00b",
    "\ud800",
    "[x",
    '{"a":1}',
]
TEXTS = st.sampled_from(["x", "[", "{", "ſ", "a b", "\u2028", "İ", "\x85", "\x1f"]) | st.text(max_size=5)
EDGES = {
    "text": TEXTS,
    "id": TEXTS | st.integers(),
    "email": st.builds("{}@{}".format, TEXTS, TEXTS),
    "country": st.sampled_from(["ZZ", "gb", "İE"]),
    "currency": st.sampled_from(["EUR", "gbp", "ÄÖÜ"]),
    "instant": st.sampled_from(INSTANTS) | st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
    "money": st.decimals(-1, 10**13, places=5).map(str) | st.floats(0, 1e14) | st.integers(0, 10**14),
    "integer": st.integers(-1, 2**65),
    "boolean": st.booleans(),
    "texts": st.lists(TEXTS, max_size=3),
    "structs": st.lists(st.fixed_dictionaries({"line_id": TEXTS, "sku": TEXTS, "name": TEXTS}), max_size=2).map(
        lambda lines: [line | {"quantity": 1, "unit_price": "0.5"} for line in lines]
    ),
}
PLAIN = {
    "country": "GB",
    "currency": "GBP",
    "instant": "2026-11-01T10:11:00Z",
    "money": "9.99",
    "integer": 1,
    "boolean": True,
    "texts": [],
    "structs": [],
}


@st.composite
def _rows(draw):
    """A plain row, one or two of whose fields are at the edge of what may be, or beyond."""
    source = SOURCES[draw(st.sampled_from(sorted(SOURCES)))]
    row = {f.name: f.allowed[0] if f.allowed else PLAIN.get(f.kind, "ivy@mail.test") for f in source.fields}
    for field in draw(st.lists(st.sampled_from(source.fields), min_size=1, max_size=2)):
        row[field.name] = draw(st.sampled_from(ODD) | EDGES[field.kind])
    return source.name, row


def test_every_row_that_the_collector_accepts_lands(shop):
    accepted: dict[str, list[dict]] = {name: [] for name in SOURCES}

    @settings(max_examples=500, deadline=None, database=None, derandomize=True)  # enough of each source are accepted
    @given(_rows())
    def draw(drawn):
        name, said = drawn
        with suppress(EventRefused):
            accepted[name].append(landing_row(SOURCES[name], said))

    draw()
    for name, rows in accepted.items():
        assert len(rows) > 20, name
        shop.drop(f"{name}/all.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    report = shop.ingest()
    assert shop.rejects() == []
    assert {name: report.per_source[name].rows_landed for name in SOURCES} == {
        name: len(rows) for name, rows in accepted.items()
    }


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("email", None, "email: missing"),
        ("email", "nobody at all", "email: not an address"),
        ("email", "a" * 250 + "@b.test", "email: not an address"),
        ("action", "shout", "action: is none of subscribe, unsubscribe, update_preferences"),
        ("occurred_at", "2026-11-01T10:11:00", "occurred_at: is not a time with an offset"),
        ("occurred_at", "2026-02-30T10:11:00Z", "occurred_at: is not a time with an offset"),
        ("interests", "skin", "interests: is not a list"),
        ("profiling_consent", "yes", "profiling_consent: is neither true nor false"),
        ("first_name", "a\x00", "first_name: holds a NUL or half a character"),
        ("event_id", "", "event_id: empty"),
    ],
)
def test_a_refusal_says_which_rule_and_repeats_no_value(field, value, why):
    row = {
        "event_id": 1,
        "occurred_at": "2026-11-01T10:11:00Z",
        "email": "a@b.test",
        "action": "subscribe",
        "source": "x",
        "interests": [],
    }
    assert landing_row(SOURCES["signups"], row)["event_id"] == "1"
    with pytest.raises(EventRefused) as refused:
        landing_row(SOURCES["signups"], row | {field: value})
    assert str(refused.value) == why
