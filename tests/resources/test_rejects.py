"""Rejects come back: handed out, mended, put back once, whatever it was killed between."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestration.core.contracts import COUNTRIES
from orchestration.core.erasure import Person, Span, Traces
from orchestration.core.errors import RejectsError
from orchestration.core.identity import address_id
from orchestration.resources import rejects as rejects_module
from orchestration.resources.erasure_files import scrub_mending
from orchestration.resources.keys import contact_key
from orchestration.resources.landing_archive import archive_landing
from orchestration.resources.landing_replayed import end_replays
from orchestration.resources.rejects import Rejects, Tally


@pytest.fixture
def rejects(shop):
    return Rejects(shop.settings, shop.warehouse)


def status(shop) -> list[tuple]:
    return shop.rows("select line, status from raw.rejects order by batch_id, landing_file, line")


def landed(shop) -> list[str]:
    return [one for (one,) in shop.rows("select event_id from raw.article_views order by 1")]


def mend(path: str, **changes) -> str:
    """Change each row of a handed out file; gives its text."""
    told = [json.loads(line) for line in Path(path).read_text().splitlines()]
    for one in told:
        one["row"] = (one["row"] or {}) | changes
    return "".join(json.dumps(one) + "\n" for one in told)


def bad_times(shop, rows, *names):
    shop.drop("article_views/a.jsonl", [rows.view(event_id=name, occurred_at="yesterday") for name in names])
    shop.ingest()


def test_a_mended_row_goes_in_once_and_raw_rejects_says_so(shop, rows, rejects):
    bad_times(shop, rows, "v-1", "v-2")
    path, number = rejects.hand_out("article_views", "occurred_at")
    assert number == 2 and Path(path).stat().st_mode & 0o777 == 0o600
    text = mend(path, occurred_at="2026-11-01T10:11:00Z")
    done = rejects.replay_mended(text)
    assert (done.replayed, done.left) == (2, [])
    assert shop.ingest().per_source["article_views"].rows_landed == 2
    assert landed(shop) == ["v-1", "v-2"]
    assert status(shop) == [(1, "replayed"), (2, "replayed")]
    again = rejects.replay_mended(text)
    assert (again.replayed, again.files, again.left) == (0, [], [(2, "not open any more")])
    assert shop.ingest().files == 0
    assert landed(shop) == ["v-1", "v-2"]


def test_what_was_not_changed_stays_open_and_what_is_to_be_dismissed_is(shop, rows, rejects):
    bad_times(shop, rows, "v-1", "v-2", "v-3")
    told = [json.loads(line) for line in Path(rejects.hand_out("article_views", "")[0]).read_text().splitlines()]
    told[0]["row"]["occurred_at"] = "2026-11-01T10:11:00Z"
    told[1]["dismiss"] = True
    done = rejects.replay_mended("\n".join(map(json.dumps, told)))
    assert (done.replayed, done.dismissed, done.left) == (1, 1, [(1, "not changed")])
    assert status(shop) == [(1, "replayed"), (2, "dismissed"), (3, "open")]
    assert rejects.tally() == [Tally("article_views", "occurred_at: 'yesterday' is not a time with an offset", 1, 1, 1)]


def test_what_arrived_is_handed_out_byte_by_byte_with_where_it_came_from(shop, rows, rejects):
    good = json.dumps(rows.view(event_id="v-1", referrer="café"), ensure_ascii=False)
    shop.drop("article_views/a.jsonl", good.encode("cp1252") + b"\nnot json\n")
    shop.ingest()
    [first, second] = map(json.loads, Path(rejects.hand_out("article_views", "")[0]).read_text().splitlines())
    assert (first["landing_file"], first["line"], first["reason"]) == (
        "article_views/a.jsonl",
        1,
        "the line is not UTF-8",
    )
    assert "original" not in first and first["row"]["referrer"] == "café"
    assert (second["original"], second["row"]) == ("not json", None)
    assert rejects.replay_mended(json.dumps(first) + "\n" + json.dumps(second)).replayed == 1
    shop.ingest()
    assert shop.rows("select referrer from raw.article_views") == [("café",)]


def test_a_record_of_csv_is_handed_out_by_the_names_of_its_columns_also_from_the_archive(shop, rejects):
    shop.drop("products/a.csv", "sku;name;url;price;currency;in_stock\nS1;Serum;u;cheap;GBP;true\n")
    shop.ingest()
    archive_landing(shop.settings, shop.warehouse, before=datetime.now(UTC) + timedelta(seconds=1))
    path, _ = rejects.hand_out("products", "price")
    assert json.loads(Path(path).read_text())["row"]["sku"] == "S1"
    assert rejects.replay_mended(mend(path, price="9.50")).replayed == 1
    shop.ingest()
    assert shop.rows("select sku, price::varchar, in_stock from raw.products") == [("S1", "9.50", True)]


def as_csv(row: dict) -> str:
    told = [value if isinstance(value, str) else "" if value is None else json.dumps(value) for value in row.values()]
    fields = ",".join('"' + text.replace('"', '""') + '"' for text in told)
    return f"{','.join(row)}\n{fields}\n"


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_rejects_go_back_as_they_came_once_they_can_be_read(shop, rows, rejects, monkeypatch, format):
    """The file is nothing but its reject, so what is put back has the very content of what had landed."""
    row = rows.order(country="QQ")
    shop.drop(f"orders/a.{format}", [row] if format == "jsonl" else as_csv(row))
    shop.ingest()
    assert shop.rows("select count(*) from raw.orders") == [(0,)]
    for module in ("landing_rules", "landing_sql"):  # the contract has learnt of a country
        monkeypatch.setattr(f"orchestration.resources.{module}.COUNTRIES", (*COUNTRIES, "QQ"))
    assert rejects.replay("orders", "country").replayed == 1
    assert shop.ingest().per_source["orders"].rows_landed == 1
    assert shop.rows("select country, total::varchar, len(lines) from raw.orders") == [("QQ", "100.01", 1)]
    assert [one for _, one in status(shop)] == ["replayed"]


def test_a_file_that_could_not_be_read_at_all_goes_back_whole(shop, rejects):
    shop.drop("products/a.parquet", b"not parquet")
    shop.ingest()
    done = rejects.replay("products", "not Parquet")
    [path] = done.files
    assert (shop.settings.landing_dir / path).read_bytes() == b"not parquet"
    with pytest.raises(RejectsError, match="mended as a file"):
        rejects.hand_out("products", "")


def test_a_csv_file_that_is_gone_took_the_names_of_its_columns_along(shop, rejects):
    file = shop.drop("products/a.csv", "sku,name,url,price,currency,in_stock\nS1,n,u,1,pounds,true\n")
    shop.ingest()
    file.unlink()
    [(number, why)] = rejects.replay("products", "").left
    assert number == 1 and "hand them out" in why
    assert status(shop) == [(2, "open")]


@pytest.mark.parametrize("step", ["_mark", "name_drafts"])
def test_killed_in_the_middle_a_mended_row_goes_in_once(shop, rows, rejects, monkeypatch, step):
    bad_times(shop, rows, "v-1")
    text = mend(rejects.hand_out("article_views", "")[0], occurred_at="2026-11-01T10:11:00Z")
    with monkeypatch.context() as patch:

        def die(*_):
            raise KeyboardInterrupt

        patch.setattr(rejects_module, step, die)
        with pytest.raises(KeyboardInterrupt):
            rejects.replay_mended(text)
    assert end_replays(shop.settings, shop.warehouse) == (1 if step == "name_drafts" else 0)
    rejects.replay_mended(text)
    shop.ingest()
    assert landed(shop) == ["v-1"]
    assert status(shop) == [(1, "replayed")]
    assert list((shop.settings.landing_dir / "article_views/replayed").glob("*.tmp")) == []


@pytest.mark.parametrize("text", ["not json", "{}", '{"reject": "x", "source": "orders", "row": [1]}', "[]"])
def test_a_file_that_was_damaged_puts_nothing_back_and_says_where(shop, rows, rejects, text):
    bad_times(shop, rows, "v-1")
    mended = mend(rejects.hand_out("article_views", "")[0], occurred_at="2026-11-01T10:11:00Z")
    with pytest.raises(RejectsError, match="Line 2"):
        rejects.replay_mended(mended + text)
    assert status(shop) == [(1, "open")]


def test_dismissed_rejects_keep_their_bytes_and_are_not_handed_out(shop, rows, rejects):
    bad_times(shop, rows, "v-1")
    assert rejects.dismiss("article_views", "OCCURRED") == 1
    assert shop.rows("select status, original is not null from raw.rejects") == [("dismissed", True)]
    with pytest.raises(RejectsError, match="No open reject"):
        rejects.hand_out("article_views", "")


def test_rejects_of_a_warehouse_made_before_there_was_a_status_are_open(shop, rows, rejects):
    bad_times(shop, rows, "v-1")
    with shop.warehouse.writer() as con:
        for column in ("status", "status_at", "replayed_in"):
            con.execute(f"alter table lake.raw.rejects drop column {column}")
    with shop.warehouse.writer():
        pass
    assert [one.open for one in rejects.tally()] == [1]
    assert rejects.hand_out("article_views", "")[1] == 1


def test_an_erasure_cleans_what_was_handed_out(shop, rows, rejects):
    bad = {"occurred_at": "yesterday"}
    shop.drop("signups/a.jsonl", [rows.signup(**bad), rows.signup(email="B@mail.test", **bad)])
    shop.drop("article_views/a.jsonl", [rows.view(visitor_id="hers", **bad)])
    shop.ingest()
    signups, views = (Path(rejects.hand_out(source, "")[0]) for source in ("signups", "article_views"))
    spans = (Span(address_id("b@mail.test", contact_key(shop.settings))),)
    person = Person(("c",), {"b@mail.test": spans}, spans, devices=frozenset({"hers"}))
    assert scrub_mending(shop.settings, person, Traces(["b@mail.test"])) == 2
    assert "a@mail.test" in signups.read_text() and "B@mail" not in signups.read_text()
    assert views.read_text() == ""
    assert signups.stat().st_mode & 0o777 == 0o600


def test_an_erasure_cleans_what_an_editor_saved_in_another_encoding(shop, rows, rejects):
    bad = {"occurred_at": "yesterday"}
    shop.drop("signups/a.jsonl", [rows.signup(first_name="Zoé", **bad), rows.signup(email="b@mail.test", **bad)])
    shop.ingest()
    path = Path(rejects.hand_out("signups", "")[0])
    path.write_bytes(path.read_text().encode("cp1252"))
    spans = (Span(address_id("b@mail.test", contact_key(shop.settings))),)
    person = Person(("c",), {"b@mail.test": spans}, spans)
    assert scrub_mending(shop.settings, person, Traces(["b@mail.test"])) == 1
    left = path.read_text(encoding="cp1252")
    assert "Zoé" in left and "b@mail.test" not in left
