"""One row: what is taken, as what, and with which words the rest is turned down."""

import json
from datetime import UTC, datetime
from decimal import Decimal

from orchestration.core.identity import address_id
from orchestration.resources.keys import contact_key


def test_a_good_order_comes_out_as_it_went_in(shop, rows):
    shop.drop("orders/a.jsonl", [rows.order()])
    shop.ingest()
    assert shop.rows(
        "select event_id, occurred_at, placed_at, email, customer_id, subtotal, total, coupon_codes, lines from raw.orders"
    ) == [
        (
            "o-1",
            datetime(2026, 11, 1, 10, 11, tzinfo=UTC),
            datetime(2026, 11, 1, 9, 11, tzinfo=UTC),
            "a@mail.test",
            None,
            Decimal("100.01"),
            Decimal("100.01"),
            ["WELCOME10"],
            [{"line_id": "1", "sku": "S1", "name": "Serum", "quantity": 2, "unit_price": Decimal("50.0050")}],
        )
    ]
    assert shop.rejects() == []


def test_an_address_with_spaces_and_capitals_is_the_same_address(shop, rows):
    shop.drop(
        "signups/a.jsonl",
        [rows.signup(email="  Ada.Lovelace@Mail.TEST \t"), rows.signup(email="ada.lovelace@mail.test")],
    )
    shop.ingest()
    same = address_id("ada.lovelace@mail.test", contact_key(shop.settings))
    assert shop.rows("select distinct email, address_id::varchar from raw.signups") == [
        ("ada.lovelace@mail.test", same)
    ]


def test_an_address_in_another_script_gets_the_same_id_in_sql_and_in_python(shop, rows):
    shop.drop("signups/a.jsonl", [rows.signup(email="İΣΑΣ@MÜLLER.test")])
    shop.ingest()
    assert shop.rows("select address_id::varchar from raw.signups") == [
        (address_id("İΣΑΣ@MÜLLER.test", contact_key(shop.settings)),)
    ]


def test_what_is_no_address_is_turned_down_without_being_repeated(shop, rows):
    addresses = ["ada lovelace@mail.test", "no-at-sign", "two@at@signs", "@mail.test", "ada@", "a\nb@mail.test"]
    shop.drop("signups/a.jsonl", [rows.signup(email=address) for address in addresses])
    shop.ingest()
    assert shop.reasons() == ["email: not an address"] * len(addresses)


def test_an_address_change_carries_both_ids(shop, rows):
    shop.drop("signups/a.jsonl", [rows.signup(action="update_preferences", previous_email="Old@mail.test")])
    shop.ingest()
    assert shop.rows("select previous_email, previous_address_id::varchar from raw.signups") == [
        ("old@mail.test", address_id("old@mail.test", contact_key(shop.settings)))
    ]


BROKEN_ORDERS = [
    ({"event_id": ...}, "event_id: missing"),
    ({"event_id": None}, "event_id: missing"),
    ({"event_id": ""}, "event_id: empty"),
    ({"event_id": {"a": 1}}, "event_id: is neither text nor number"),
    ({"occurred_at": "2026-13-45"}, "occurred_at: '2026-13-45' is not a time with an offset"),
    ({"occurred_at": "2026-11-01T10:11:00"}, "occurred_at: '2026-11-01T10:11:00' is not a time with an offset"),
    ({"occurred_at": "2026-11-01"}, "occurred_at: '2026-11-01' is not a time with an offset"),
    ({"occurred_at": "2026-02-30T10:11:00Z"}, "occurred_at: '2026-02-30T10:11:00Z' is not a time with an offset"),
    (
        {"occurred_at": "2026-11-01T10:11:00+15:00"},
        "occurred_at: '2026-11-01T10:11:00+15:00' is not a time with an offset",
    ),
    ({"occurred_at": "2026-11-01T10:11:00.Z"}, "occurred_at: '2026-11-01T10:11:00.Z' is not a time with an offset"),
    ({"occurred_at": "-126-11-01T10:11:00Z"}, "occurred_at: '-126-11-01T10:11:00Z' is not a time with an offset"),
    ({"occurred_at": 1793527860}, "occurred_at: '1793527860' is not a time with an offset"),
    ({"occurred_at": "yesterday@noon Z"}, "occurred_at: the value is not a time with an offset"),
    ({"placed_at": ...}, "placed_at: missing"),
    (
        {"status": "lost"},
        "status: 'lost' is none of pending, processing, on-hold, completed, cancelled, refunded, failed",
    ),
    ({"currency": "gbp"}, "currency: 'gbp' is not a currency of three capitals"),
    ({"country": "UK"}, "country: 'UK' is not an ISO 3166 country code"),
    ({"country": "gb"}, "country: 'gb' is not an ISO 3166 country code"),
    ({"subtotal": -0.01}, "subtotal: '-0.01' is below 0"),
    ({"refunded": "-5.00"}, "refunded: '-5.00' is below 0"),
    ({"total": "twelve"}, "total: 'twelve' is not an amount of money"),
    ({"total": float("nan")}, "total: 'NaN' is not an amount of money"),
    ({"total": float("inf")}, "total: 'Infinity' is not an amount of money"),
    ({"total": True}, "total: 'true' is not an amount of money"),
    ({"total": "1e17"}, "total: '1e17' is not an amount of money"),
    ({"lines": ...}, "lines: missing"),
    ({"lines": {}}, "lines: is not a list"),
    ({"lines": [1]}, "lines: holds a null or a wrong item"),
    ({"lines": [None]}, "lines: holds a null or a wrong item"),
    ({"coupon_codes": "A"}, "coupon_codes: is not a list"),
    ({"coupon_codes": [None]}, "coupon_codes: holds a null or a wrong item"),
    ({"email": "nobody"}, "email: not an address"),
]


def test_an_order_that_breaks_a_rule_is_a_reject_with_its_line_and_its_bytes(shop, rows):
    good = json.dumps(rows.order()).encode()
    bad = [json.dumps(rows.order(**change)).encode() for change, _ in BROKEN_ORDERS]
    shop.drop("orders/a.jsonl", b"\n".join([good, *bad]) + b"\n")
    shop.ingest()
    reasons = [reason for _, reason in BROKEN_ORDERS]
    assert shop.rejects() == list(zip(range(2, len(bad) + 2), reasons, bad, strict=True))
    assert shop.rows("select count(*) from raw.orders") == [(1,)]


BROKEN_LINES = [
    ({"quantity": -1}, "lines.quantity: is below 1"),
    ({"quantity": 0}, "lines.quantity: is below 1"),
    ({"quantity": 1.5}, "lines.quantity: is not a whole number"),
    ({"quantity": None}, "lines.quantity: missing"),
    ({"unit_price": -1}, "lines.unit_price: is below 0"),
    ({"unit_price": "x"}, "lines.unit_price: is not an amount of money"),
    ({"line_id": ""}, "lines.line_id: empty"),
    ({"line_id": ...}, "lines.line_id: missing"),
]


def test_a_wrong_order_line_turns_down_the_order(shop, rows):
    (good,) = rows.order()["lines"]
    lines = [{key: value for key, value in (good | change).items() if value is not ...} for change, _ in BROKEN_LINES]
    shop.drop("orders/a.jsonl", [rows.order(lines=[good, line]) for line in lines])
    shop.ingest()
    assert shop.reasons() == [reason for _, reason in BROKEN_LINES]


TIMES = [
    ("2026-11-01T10:11:00.123456Z", datetime(2026, 11, 1, 10, 11, 0, 123456, tzinfo=UTC)),
    ("2026-11-01T10:11:00+01:00", datetime(2026, 11, 1, 9, 11, tzinfo=UTC)),
    ("2026-11-01 10:11:00-0530", datetime(2026, 11, 1, 15, 41, tzinfo=UTC)),
    ("2026-11-01T10:11Z", datetime(2026, 11, 1, 10, 11, tzinfo=UTC)),
    ("2026-11-01t10:11:00z", datetime(2026, 11, 1, 10, 11, tzinfo=UTC)),
    ("2026-11-01T10:11:00+00", datetime(2026, 11, 1, 10, 11, tzinfo=UTC)),
]


def test_iso_8601_in_its_usual_spellings_is_a_time(shop, rows):
    shop.drop("article_views/a.jsonl", [rows.view(occurred_at=text, event_id=text) for text, _ in TIMES])
    shop.ingest()
    assert shop.reasons() == []
    assert sorted(shop.rows("select event_id, occurred_at from raw.article_views")) == sorted(TIMES)


def test_consent_is_true_or_false_and_nothing_else(shop, rows):
    values = [1, 0, "yes", "", [], {}]
    shop.drop("article_views/a.jsonl", [rows.view(tracking_consent=value) for value in values])
    shop.ingest()
    assert shop.reasons() == ["tracking_consent: is neither true nor false"] * len(values)


def test_consent_that_is_not_there_is_missing_where_required_and_null_elsewhere(shop, rows):
    shop.drop("article_views/a.jsonl", [rows.view(tracking_consent=None), rows.view(tracking_consent=...)])
    shop.drop("signups/a.jsonl", [rows.signup(health_consent=None)])
    shop.ingest()
    assert shop.reasons() == ["tracking_consent: missing"] * 2
    assert shop.rows("select health_consent, profiling_consent from raw.signups") == [(None, True)]


def test_ids_keep_every_digit_and_a_number_is_taken_as_its_text(shop):
    line = (
        '{"event_id": 12, "occurred_at": "2026-11-01T10:11:00Z", "article_id": 9912716933365732261234567890, '
        '"url": "u", "visitor_id": -2314360211211303885, "tracking_consent": false}\n'
    )
    shop.drop("article_views/a.jsonl", line)
    shop.ingest()
    assert shop.rows("select event_id, article_id, visitor_id from raw.article_views") == [
        ("12", "9912716933365732261234567890", "-2314360211211303885")
    ]


def test_an_empty_optional_id_or_address_is_none(shop, rows):
    shop.drop("signups/a.jsonl", [rows.signup(visitor_id="", previous_email=" ")])
    shop.ingest()
    assert shop.rows("select visitor_id, previous_email, previous_address_id from raw.signups") == [(None, None, None)]


def test_money_is_a_number_or_its_text_rounded_to_pence(shop, rows):
    amounts = ["12.50", 12.5, 12.499999999999999, "1.25e1"]
    shop.drop("products/a.jsonl", [rows.product(price=amount) for amount in amounts])
    shop.ingest()
    assert shop.rows("select price, landing_row from raw.products order by landing_row") == [
        (Decimal("12.50"), number) for number in range(1, 5)
    ]


def test_a_field_nobody_knows_is_counted_per_name_and_kept_out(shop, rows):
    many = [rows.view(event_id=f"v-{n}", utm="x") for n in range(50)] + [
        rows.view(utm=None, extra={"a": [1]}),
        rows.view(),
    ]
    shop.drop("article_views/a.jsonl", many)
    shop.drop("article_views/b.jsonl", [rows.view(event_id=None, odd=1)])
    report = shop.ingest()
    assert shop.rows("select landing_file, unknown_fields from raw.landing_files order by 1") == [
        ("article_views/a.jsonl", {"utm": 51, "extra": 1}),
        ("article_views/b.jsonl", {"odd": 1}),
    ]
    assert report.per_source["article_views"].unknown_fields == {"utm": 51, "extra": 1, "odd": 1}
    assert shop.rows("select count(*) from raw.article_views") == [(52,)]


NO_ROWS = [
    (b'{"event_id": "v-1"', "the line is not JSON"),
    (b"hello", "the line is not JSON"),
    (b'{"a": 1} {"b": 2}', "the line is not JSON"),
    (b'{"event_id": "\\ud800"}', "the line is not JSON"),
    (b"[1, 2]", "the line is not a JSON object"),
    (b"7", "the line is not a JSON object"),
    (b"null", "the line is not a JSON object"),
    (b'"text"', "the line is not a JSON object"),
    (b'{"event_id": "\xff\xfe"}', "the line is not UTF-8"),
    (b"\x00\x01\x02", "the line holds a NUL character"),
    (b'{"event_id": "a\\u0000"}', "the line holds a NUL character"),
    (b'{"event_id": "a\\\\\\u0000"}', "the line holds a NUL character"),
    (b'{"event_id": "a\\\\u0000"}', "occurred_at: missing"),
    (b'{"event_id": "1", "event_id": "2"}', "a field is there twice"),
    (b"{}", "event_id: missing"),
    (b"[" * 5000 + b"]" * 5000, "the line is not a JSON object"),
]


def test_a_line_that_is_no_row_is_kept_byte_for_byte_and_the_rest_goes_in(shop, rows):
    good = json.dumps(rows.view()).encode()
    bad = [line for line, _ in NO_ROWS]
    shop.drop("article_views/a.jsonl", b"\n".join([good, *bad, good]) + b"\n")
    report = shop.ingest()
    assert shop.rejects() == [(number, reason, line) for number, (line, reason) in enumerate(NO_ROWS, 2)]
    assert report.per_source["article_views"].rows_landed == 2


def test_one_bad_row_among_a_hundred_alike_is_told_apart_from_them(shop, rows):
    good = json.dumps(rows.order()).encode() + b"\n"
    bad = [(json.dumps(rows.order(**change)).encode(), reason) for change, reason in BROKEN_ORDERS] + NO_ROWS
    shop.drop("orders/a.jsonl", b"".join(good * 100 + line + b"\n" for line, _ in bad))
    report = shop.ingest().per_source["orders"]
    assert shop.rejects() == [(number * 101, reason, line) for number, (line, reason) in enumerate(bad, 1)]
    assert (report.rows_landed, report.unknown_fields) == (100 * len(bad), {})


def test_a_field_that_is_there_twice_is_a_reject_wherever_it_stands_and_whatever_it_is_called(shop, rows):
    good = json.dumps(rows.view())
    twice = [
        '{"event_id": "v-2", ' + good[1:],
        good[:-1] + ', "tracking_consent": true}',
        good[:-1] + ', "event_id" : "v-1"}',
        good[:-1] + ', "odd": 1, "odd": 2}',
        good[:-1] + ', "event\\u005fid": "v-1"}',
    ]
    shop.drop("article_views/a.jsonl", "\n".join([good, *twice, good]) + "\n")
    shop.drop("article_views/b.jsonl", "\n".join([*twice, good]) + "\n")
    shop.ingest()
    shop.drop("article_views/c.jsonl", (twice[0] + "\n") * 3)
    shop.ingest()
    assert shop.reasons() == ["a field is there twice"] * 13
    assert shop.rows("select count(*) from raw.article_views") == [(3,)]


def test_rows_that_come_to_have_other_fields_half_way_are_all_told_apart(shop, rows):
    first = [rows.view(event_id=f"a-{number}", email="a@mail.test") for number in range(30_000)]
    then = [rows.view(event_id=f"b-{number}", utm="x", email=...) for number in range(30_000)]
    last = [rows.view(event_id=f"c-{number}", url=... if number % 2 else "u") for number in range(30_000)]
    shop.drop("article_views/a.jsonl", [*first, *then, *last])
    report = shop.ingest().per_source["article_views"]
    assert (report.rows_landed, report.rejects, report.unknown_fields) == (75_000, 15_000, {"utm": 30_000})
    assert shop.rows(
        "select left(event_id, 1) as kind, count(*), count(email) from raw.article_views group by 1 order by 1"
    ) == [
        ("a", 30_000, 30_000),
        ("b", 30_000, 0),
        ("c", 15_000, 0),
    ]


def test_a_field_may_have_any_name(shop, rows):
    shop.drop("article_views/a.jsonl", [rows.view(**{"it's\n": 1, "": 2, 'a"b': 3})])
    shop.drop("article_views/b.jsonl", [rows.view(**{"it's": 1, "x'; drop table raw.products; --": 2})])
    report = shop.ingest()
    assert report.per_source["article_views"].unknown_fields == {
        "it's\n": 1,
        "": 1,
        'a"b': 1,
        "it's": 1,
        "x'; drop table raw.products; --": 1,
    }
    assert shop.rows("select count(*) from raw.products") == [(0,)]


def test_an_unknown_field_may_be_nested_as_deep_as_it_likes(shop, rows):
    deep = json.dumps(rows.view())[:-1] + ', "deep": ' + "[" * 5000 + "]" * 5000 + "}"
    shop.drop("article_views/a.jsonl", deep + "\n")
    shop.ingest()
    assert shop.rows("select unknown_fields from raw.landing_files") == [({"deep": 1},)]
    assert shop.rows("select count(*) from raw.article_views") == [(1,)]
