"""Whole files: every format, what may be wrong with one, and each exactly once."""

import gzip
import json
import os
import signal
import subprocess
import sys
import textwrap
from datetime import UTC, datetime
from decimal import Decimal

import duckdb
import pytest

from orchestration.resources.landing import ingest
from orchestration.resources.landing_disk import passed_over
from orchestration.resources.landing_look import look

BOM = b"\xef\xbb\xbf"


def lines(*rows: dict) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def views(shop) -> list[str]:
    return [event_id for (event_id,) in shop.rows("select event_id from raw.article_views order by event_id")]


def test_a_byte_order_mark_crlf_and_blank_lines_change_nothing(shop, rows):
    text = (
        BOM
        + lines(rows.view()).replace(b"\n", b"\r\n")
        + b"\r\n  \n\n"
        + lines(rows.view(event_id="v-2")).rstrip()
        + b"\n \t"
    )
    shop.drop("article_views/a.jsonl", text)
    report = shop.ingest()
    assert views(shop) == ["v-1", "v-2"]
    assert report.per_source["article_views"].rows_read == 2
    assert shop.rejects() == []


def test_gzip_of_several_members_is_one_file(shop, rows):
    packed = gzip.compress(lines(rows.view())) + gzip.compress(lines(rows.view(event_id="v-2"))) + b"\0" * 20
    shop.drop("article_views/a.jsonl.gz", packed)
    shop.ingest()
    assert views(shop) == ["v-1", "v-2"]
    assert shop.rejects() == []


def test_a_file_that_is_no_gzip_though_named_so_is_one_reject_and_the_others_go_in(shop, rows):
    shop.drop("article_views/a.jsonl.gz", lines(rows.view(event_id="v-2")))
    shop.drop("article_views/b.jsonl", lines(rows.view()))
    shop.drop("orders/c.jsonl", lines(rows.order()))
    report = shop.ingest()
    ((line, reason, original),) = shop.rejects()
    assert (line, original) == (None, lines(rows.view(event_id="v-2")))
    assert reason.startswith("the file is no gzip, or damaged")
    assert views(shop) == ["v-1"]
    assert report.per_source["article_views"].rejects == 1
    assert shop.new() == []


def test_a_damaged_gzip_file_lands_nothing(shop, rows):
    packed = bytearray(gzip.compress(lines(rows.view())))
    packed[-6] ^= 0xFF
    shop.drop("article_views/a.jsonl.gz", bytes(packed))
    shop.ingest()
    assert views(shop) == []
    assert shop.rejects()[0][2] == bytes(packed)


def test_of_a_gzip_file_cut_short_the_whole_lines_land_and_the_cut_is_a_reject(shop, rows):
    many = lines(*(rows.view(event_id=f"v-{number:05}", url=os.urandom(20).hex()) for number in range(3000)))
    packed = gzip.compress(many)
    shop.drop("article_views/a.jsonl.gz", packed[: len(packed) // 2])
    report = shop.ingest()
    landed = report.per_source["article_views"].rows_landed
    assert 1000 < landed < 2000
    ((line, reason, original),) = shop.rejects()
    assert (line, reason) == (landed + 1, "the gzip file is cut short here")
    assert many.split(b"\n")[landed].startswith(original)


def test_an_empty_file_of_any_format_is_noted_and_nothing_else(shop):
    for name in ("a.jsonl", "b.jsonl.gz", "c.csv", "d.parquet"):
        shop.drop(f"orders/{name}", b"")
    report = shop.ingest()
    assert (report.per_source["orders"].files, report.per_source["orders"].rows_read) == (4, 0)
    assert shop.rejects() == []
    assert shop.new() == []


def test_a_line_of_ten_megabytes_lands_and_one_of_seventeen_is_a_reject(shop, rows):
    long = rows.view(event_id="v-2", url="u" * (10 << 20))
    longer = rows.view(event_id="v-3", url="u" * (17 << 20))
    shop.drop("article_views/a.jsonl", lines(rows.view(), long, longer, rows.view(event_id="v-4")))
    shop.ingest()
    assert views(shop) == ["v-1", "v-2", "v-4"]
    ((line, reason, original),) = shop.rejects()
    assert (line, reason) == (3, "the line is longer than 16 MB")
    assert original == lines(longer).rstrip()


def test_names_of_unfinished_and_foreign_files_are_passed_over(shop, rows):
    for name in (".a.jsonl", "_a.jsonl", "a.jsonl.tmp", "a.jsonl.part", "a.txt", "a.json"):
        shop.drop(f"article_views/{name}", lines(rows.view()))
    shop.drop("elsewhere/a.jsonl", lines(rows.view()))
    shop.drop("article_views/2026/11/a.jsonl", lines(rows.view()))
    assert shop.new() == ["article_views/2026/11/a.jsonl"]


def test_the_same_content_under_another_name_lands_once(shop, rows):
    shop.drop("article_views/a.jsonl", lines(rows.view()))
    shop.drop("article_views/b.jsonl", lines(rows.view()))
    shop.ingest()
    shop.drop("article_views/c.jsonl", lines(rows.view()))
    report = shop.ingest()
    assert report.duplicates == {"article_views/c.jsonl": "article_views/a.jsonl"}
    assert views(shop) == ["v-1"]
    assert shop.rows("select landing_file, duplicate_of, rows_read, rows_landed from raw.landing_files order by 1") == [
        ("article_views/a.jsonl", None, 1, 1),
        ("article_views/b.jsonl", "article_views/a.jsonl", 0, 0),
        ("article_views/c.jsonl", "article_views/a.jsonl", 0, 0),
    ]
    assert shop.new() == []


def test_the_same_event_in_two_files_is_there_twice(shop, rows):
    shop.drop("article_views/a.jsonl", lines(rows.view()))
    shop.drop("article_views/b.jsonl", lines(rows.view(), rows.view(event_id="v-2")))
    shop.ingest()
    assert views(shop) == ["v-1", "v-1", "v-2"]


def test_a_second_run_finds_nothing_to_do(shop, rows):
    shop.drop("article_views/a.jsonl", lines(rows.view()))
    assert shop.new() == ["article_views/a.jsonl"]
    stale = look(shop.settings, shop.warehouse).new
    assert shop.ingest().files == 1
    assert shop.new() == []
    assert shop.ingest().files == 0
    assert ingest(shop.settings, shop.warehouse, stale).files == 0
    assert views(shop) == ["v-1"]


def test_a_file_changed_after_it_landed_is_a_new_file_and_noted(shop, rows):
    file = shop.drop("article_views/a.jsonl", lines(rows.view()))
    shop.ingest()
    file.write_bytes(lines(rows.view(event_id="v-2")))
    os.utime(file, ns=(1, 1))
    report = shop.ingest()
    assert report.changed == ["article_views/a.jsonl"]
    assert views(shop) == ["v-1", "v-2"]
    assert shop.rows("select count(*) from raw.landing_files where landing_file = 'article_views/a.jsonl'") == [(2,)]


def test_a_file_touched_but_not_changed_lands_nothing_again(shop, rows):
    file = shop.drop("article_views/a.jsonl", lines(rows.view()))
    shop.ingest()
    os.utime(file, ns=(1, 1))
    assert shop.ingest().duplicates == {"article_views/a.jsonl": "article_views/a.jsonl"}
    assert views(shop) == ["v-1"]
    assert shop.new() == []


def test_a_file_that_went_away_is_left_for_the_next_batch_and_the_others_go_in(shop, rows):
    gone = shop.drop("article_views/a.jsonl", lines(rows.view()))
    shop.drop("article_views/b.jsonl", lines(rows.view(event_id="v-2")))
    files = look(shop.settings, shop.warehouse).new
    gone.unlink()
    report = ingest(shop.settings, shop.warehouse, files)
    assert list(report.left) == ["article_views/a.jsonl"]
    assert "can't be read" in report.left["article_views/a.jsonl"]
    assert views(shop) == ["v-2"]
    shop.drop("article_views/a.jsonl", lines(rows.view()))
    assert shop.new() == ["article_views/a.jsonl"]


@pytest.mark.parametrize("format", ["jsonl", "csv", "parquet"])
def test_a_file_that_grew_since_it_was_listed_is_left(shop, rows, format):
    file = shop.drop(f"article_views/a.{format}", b"event_id\n")
    files = look(shop.settings, shop.warehouse).new
    file.write_bytes(b"event_id\n1\n")
    report = ingest(shop.settings, shop.warehouse, files)
    assert "changed while it was read" in report.left[f"article_views/a.{format}"]
    assert shop.rows("select count(*) from raw.landing_files") == [(0,)]


def test_csv_in_any_order_of_columns_with_quoted_line_breaks(shop):
    text = (
        "visitor_id,event_id,url,article_id,tracking_consent,occurred_at,campaign\r\n"
        'v,e-1,"https://x.test/?a=1,2",00017,true,2026-11-01T10:11:00Z,x\r\n'
        'v,e-2,"two\r\nlines, ""quoted""",2,FALSE,2026-11-01T10:11:00Z,\r\n'
        "\r\n"
        "v,e-3,u,3,true\r\n"
        "v,e-4,u,4,true,2026-11-01T10:11:00Z,,,\r\n"
        "v,e-5,u,5,maybe,2026-11-01T10:11:00Z,y\r\n"
        'v,e-6,5" tape,6,true,2026-11-01T10:11:00Z,y\r\n'
        "v,e-7,u,7,true,2026-11-01T10:11:00Z,y"
    )
    shop.drop("article_views/a.csv", BOM + text.encode())
    report = shop.ingest()
    assert shop.rows("select event_id, article_id, url, tracking_consent, email from raw.article_views order by 1") == [
        ("e-1", "00017", "https://x.test/?a=1,2", True, None),
        ("e-2", "2", 'two\r\nlines, "quoted"', False, None),
        ("e-6", "6", '5" tape', True, None),
        ("e-7", "7", "u", True, None),
    ]
    assert shop.rejects() == [
        (6, "the row has 5 fields, the header 7", b"v,e-3,u,3,true"),
        (7, "the row has 9 fields, the header 7", b"v,e-4,u,4,true,2026-11-01T10:11:00Z,,,"),
        (8, "tracking_consent: is neither true nor false", b"v,e-5,u,5,maybe,2026-11-01T10:11:00Z,y"),
    ]
    assert report.per_source["article_views"].unknown_fields == {"campaign": 5}
    assert report.per_source["article_views"].rows_read == 7


def test_csv_lists_are_json_text(shop, rows):
    order = rows.order()
    header = list(order)
    cells = [json.dumps(v) if isinstance(v, list) else "" if v is None else str(v) for v in order.values()]
    row = ";".join('"' + cell.replace('"', '""') + '"' for cell in cells)
    broken = row.replace('""line_id""', '""line_id')
    shop.drop("orders/a.csv", "\n".join([";".join(header), row, broken]))
    shop.ingest()
    assert shop.rows("select email, customer_id, subtotal, coupon_codes, lines[1].unit_price from raw.orders") == [
        ("a@mail.test", None, Decimal("100.01"), ["WELCOME10"], Decimal("50.0050"))
    ]
    assert shop.rejects() == [(3, "lines: is not a list", broken.encode())]


def test_a_stray_quote_in_csv_does_not_swallow_the_rest_of_the_file(shop):
    good = [f"S{number},n,u,1.00,GBP,true" for number in range(100)]
    text = ["sku,name,url,price,currency,in_stock", *good[:50], 'S,"open,u,1.00,GBP,true', *good[50:]]
    shop.drop("products/a.csv", "\n".join(text))
    shop.ingest()
    assert shop.rows("select count(distinct sku) from raw.products") == [(100,)]
    assert [(line, original) for line, _, original in shop.rejects()] == [(52, b'S,"open,u,1.00,GBP,true')]


def test_csv_without_a_required_column_and_without_any_header(shop):
    shop.drop("products/a.csv", "sku,name,url,price,currency\nS,n,u,1,GBP\n")
    shop.drop("products/b.csv", "S,n,u,1,GBP,true\n")
    shop.drop("products/c.csv", b"sku,name,url,price,currency,in_stock\nS\xff,n,u,1,GBP,true\nT,n,u,1,GBP,true\n")
    shop.ingest()
    assert shop.rejects() == [
        (2, "in_stock: missing", b"S,n,u,1,GBP"),
        (None, "the first line names no field of products", b"S,n,u,1,GBP,true\n"),
        (2, "the line is not UTF-8", b"S\xff,n,u,1,GBP,true"),
    ]
    assert shop.rows("select sku, landing_row from raw.products") == [("T", 3)]


def parquet(shop, path: str, select: str) -> None:
    file = shop.drop(path, b"")
    with duckdb.connect() as con:
        con.execute("set TimeZone = 'UTC'")
        con.execute(f"copy ({select}) to '{file}' (format parquet)")


def test_parquet_with_its_own_types(shop):
    parquet(
        shop,
        "articles/a.parquet",
        "select 9007199254740993 as article_id, 'u' as url, 't' as title, '' as summary, 'b' as body, "
        "['hair', 'lips'] as treatments, timestamptz '2026-11-01 10:11:00+01' as published_at, 'publish' as status, 1 as odd",
    )
    report = shop.ingest()
    assert shop.rejects() == []
    assert shop.rows("select article_id, treatments, published_at, landing_row from raw.articles") == [
        ("9007199254740993", ["hair", "lips"], datetime(2026, 11, 1, 9, 11, tzinfo=UTC), 1)
    ]
    assert report.per_source["articles"].unknown_fields == {"odd": 1}


def test_a_parquet_column_of_the_wrong_type_is_cast_where_its_values_fit(shop):
    parquet(
        shop,
        "products/a.parquet",
        "select * from (values ('S1', 'n', 'u', '9.50', 'GBP', 1), ('S2', 'n', 'u', 'dear', 'GBP', 1), "
        "('S3', 'n', 'u', '1', 'GBP', 0), ('S4', 'n', 'u', '1', 'GBP', 2)) t(sku, name, url, price, currency, in_stock)",
    )
    shop.ingest()
    assert shop.rows("select sku, price, in_stock from raw.products order by 1") == [
        ("S1", Decimal("9.50"), True),
        ("S3", Decimal("1.00"), False),
    ]
    assert [(line, reason) for line, reason, _ in shop.rejects()] == [
        (2, "price: 'dear' is not an amount of money"),
        (4, "in_stock: is neither true nor false"),
    ]


def test_a_parquet_time_without_an_offset_is_a_reject(shop):
    parquet(
        shop,
        "article_views/a.parquet",
        "select 'e' as event_id, timestamp '2026-11-01 10:11:00' as occurred_at, 'a' as article_id, 'u' as url, "
        "'v' as visitor_id, true as tracking_consent",
    )
    shop.ingest()
    assert shop.reasons() == ["occurred_at: '2026-11-01 10:11:00' is not a time with an offset"]


def test_a_nul_character_is_a_reject_in_csv_and_in_parquet_too(shop):
    shop.drop("products/a.csv", "sku,name,url,price,currency,in_stock\nA,n\0,u,1,GBP,true\nB,n\\u0000,u,1,GBP,true\n")
    parquet(
        shop,
        "products/b.parquet",
        "select unnest(['C', 'D' || chr(0)]) as sku, 'n' as name, 'u' as url, 1 as price, 'GBP' as currency, true as in_stock",
    )
    shop.ingest()
    assert shop.rows("select sku from raw.products order by 1") == [("B",), ("C",)]
    assert [(line, reason) for line, reason, _ in shop.rejects()] == [
        (2, "the line holds a NUL character"),
        (2, "the row holds a NUL character"),
    ]


def test_a_parquet_file_that_is_none_is_one_reject(shop):
    shop.drop("products/a.parquet", b"PAR1 and then nothing")
    shop.ingest()
    assert shop.rejects() == [(None, "the file is not Parquet, or damaged", b"PAR1 and then nothing")]


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from orchestration.resources.landing import Batch, ingest
    from orchestration.resources.warehouse import Warehouse
    from orchestration.settings import Settings

    settings = Settings.from_env({"DATA_DIR": sys.argv[1]})
    Batch._record = lambda batch: os.kill(os.getpid(), signal.SIGKILL)
    ingest(settings, Warehouse(settings))
"""


def test_killed_before_the_commit_nothing_has_happened_and_the_next_run_goes_on(shop, rows):
    shop.drop("article_views/a.jsonl", lines(rows.view()))
    shop.drop("orders/a.jsonl", lines(rows.order(), {}))
    process = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(shop.settings.data_dir)], check=False, timeout=60
    )
    assert process.returncode == -signal.SIGKILL
    for table in ("article_views", "orders", "rejects", "landing_files"):
        assert shop.rows(f"select count(*) from raw.{table}") == [(0,)]
    shop.ingest()
    assert views(shop) == ["v-1"]
    assert len(shop.rejects()) == 1
    assert shop.rows("select count(*), count(distinct batch_id) from raw.landing_files") == [(2, 1)]


def test_what_is_no_file_stops_no_other_and_is_told(shop, rows):
    shop.drop("article_views/a.jsonl", lines(rows.view()))
    folder = shop.settings.landing_dir / "article_views"
    os.mkfifo(folder / "pipe.jsonl")  # to open it would wait without end
    (folder / "circle.jsonl").symlink_to("circle.jsonl")
    (folder / "nowhere.jsonl").symlink_to("gone.jsonl")
    (folder / os.fsdecode(b"latin\xe9.jsonl")).write_bytes(lines(rows.view(event_id="v-2")))
    assert shop.new() == ["article_views/a.jsonl"]
    shop.ingest()
    assert views(shop) == ["v-1"]
    assert passed_over(shop.settings) == [
        "article_views/circle.jsonl",
        "article_views/latin\\xe9.jsonl",
        "article_views/nowhere.jsonl",
        "article_views/pipe.jsonl",
    ]
