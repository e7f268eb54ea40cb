"""Ingested landing files move to the archive: never lost, never ingested twice, whatever it was killed between."""

import gzip
import json
import os
from datetime import UTC, datetime, timedelta

import pytest

from orchestration.core.erasure import Person, Span, Traces
from orchestration.core.identity import address_id
from orchestration.resources import landing_archive
from orchestration.resources.erasure_landing import scrub_landing
from orchestration.resources.forgotten import Forgotten, Mark, remember
from orchestration.resources.keys import contact_key
from orchestration.resources.landing_archive import archive_landing
from orchestration.settings import Settings

LATER = timedelta(seconds=1)


def archive(shop):
    return archive_landing(shop.settings, shop.warehouse, before=datetime.now(UTC) + LATER)


def archived(shop) -> dict[str, bytes]:
    folder = shop.settings.archive_dir
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def in_landing(shop) -> list[str]:
    folder = shop.settings.landing_dir
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def the_day(source: str) -> str:
    return f"{source}/{datetime.now(UTC):%Y-%m}/{datetime.now(UTC):%Y-%m-%d}.jsonl.gz"


def event_ids(packed: bytes) -> list[str]:
    return [json.loads(line)["event_id"] for line in gzip.decompress(packed).splitlines()]


def test_small_files_are_put_together_in_the_order_they_came_and_others_kept_as_they_are(shop, rows):
    shop.drop("article_views/b.jsonl", b"\xef\xbb\xbf" + json.dumps(rows.view(event_id="v-1")).encode())  # no line feed
    shop.ingest()
    shop.drop("article_views/a.jsonl", [rows.view(event_id="v-2"), rows.view(event_id="v-3")])
    csv = shop.drop("products/all.csv", "sku,name,url,price,currency,in_stock\nS1,Serum,u,9.5,GBP,true\n").read_bytes()
    shop.ingest()
    assert archive(shop) == 3
    assert in_landing(shop) == []
    [views, products] = sorted(archived(shop).items())
    assert views[0] == the_day("article_views")
    assert event_ids(views[1]) == ["v-1", "v-2", "v-3"]
    assert products[0].startswith(f"products/{datetime.now(UTC):%Y-%m}/") and products[0].endswith("-all.csv")
    assert products[1] == csv


def test_files_of_later_that_day_are_added_to_the_same_file(shop, rows):
    for number in (1, 2):
        shop.drop(f"article_views/{number}.jsonl", [rows.view(event_id=f"v-{number}")])
        shop.ingest()
        archive(shop)
    assert event_ids(archived(shop)[the_day("article_views")]) == ["v-1", "v-2"]


def test_a_warehouse_made_anew_from_the_archive_is_the_same(shop, rows, tmp_path):
    for number in range(5):
        shop.drop(f"article_views/{number}.jsonl", [rows.view(event_id=f"v-{number}")])
    shop.drop("article_views/bad.jsonl", b"\xff\xfe\n{}\n")
    shop.ingest()
    archive(shop)
    told = "select event_id from raw.article_views order by 1", "select reason, original from raw.rejects order by 1"
    before = [shop.rows(query) for query in told]
    again = type(shop)(tmp_path / "again")
    again.settings.landing_dir.parent.mkdir(parents=True)
    shop.settings.archive_dir.rename(again.settings.landing_dir)
    again.ingest()
    assert [again.rows(query) for query in told] == before


def test_what_was_not_ingested_or_only_just_or_was_changed_stays(shop, rows):
    shop.drop("article_views/a.jsonl", [rows.view()])
    shop.ingest()
    assert archive_landing(shop.settings, shop.warehouse, before=datetime.now(UTC) - timedelta(hours=1)) == 0
    changed = shop.settings.landing_dir / "article_views/a.jsonl"
    times = changed.stat().st_atime_ns, changed.stat().st_mtime_ns
    changed.write_bytes(changed.read_bytes().replace(b"v-1", b"v-9"))
    os.utime(changed, ns=times)  # the same size and time, so only its content tells
    shop.drop("article_views/new.jsonl", [rows.view(event_id="v-2")])
    shop.drop("article_views/notes.txt", b"mine")
    assert archive(shop) == 0
    assert in_landing(shop) == ["article_views/a.jsonl", "article_views/new.jsonl", "article_views/notes.txt"]
    assert archived(shop) == {}


def test_an_archived_file_that_is_delivered_again_is_not_ingested_and_goes_without_being_archived_twice(shop, rows):
    file = shop.drop("article_views/a.jsonl", [rows.view()])
    stat, content = file.stat(), file.read_bytes()
    shop.ingest()
    archive(shop)
    before = archived(shop)
    file.write_bytes(content)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert shop.new() == []
    assert shop.ingest().files == 0
    assert archive(shop) == 1
    assert (in_landing(shop), archived(shop)) == ([], before)


@pytest.mark.parametrize("step", ["_note", "_name"])
def test_killed_in_the_middle_nothing_is_lost_and_the_next_turn_ends_it(shop, rows, monkeypatch, step):
    for number in range(3):
        shop.drop(f"article_views/{number}.jsonl", [rows.view(event_id=f"v-{number}")])
    shop.drop("article_views/3.csv", "event_id\nv-3\n")
    shop.ingest()
    with monkeypatch.context() as patch:

        def die(*_):
            raise KeyboardInterrupt

        patch.setattr(landing_archive, step, die)
        with pytest.raises(KeyboardInterrupt):
            archive(shop)
    assert len(in_landing(shop)) == 4
    assert archive(shop) == 4
    assert in_landing(shop) == []
    assert {*event_ids(archived(shop)[the_day("article_views")])} == {"v-0", "v-1", "v-2"}
    assert not any(name.endswith(".tmp") for name in archived(shop))
    assert shop.ingest().files == 0


def test_only_old_empty_folders_are_swept_and_hidden_ones_never(shop, rows):
    for name in ("article_views/2026/11", "orders/new", ".collector/orders"):
        (shop.settings.landing_dir / name).mkdir(parents=True)
    shop.drop("article_views/2026/11/a.jsonl", [rows.view()])
    shop.ingest()
    archive(shop)
    assert (shop.settings.landing_dir / "article_views/2026/11").exists()
    for folder in ("article_views/2026/11", ".collector/orders"):
        os.utime(shop.settings.landing_dir / folder, (1, 1))
    archive(shop)
    left = [path.relative_to(shop.settings.landing_dir).as_posix() for path in shop.settings.landing_dir.rglob("*")]
    assert sorted(left) == [
        ".collector",
        ".collector/orders",
        "article_views",
        "article_views/2026",
        "orders",
        "orders/new",
    ]


def test_the_archive_holds_personal_data_so_only_its_owner_reads_it(shop, rows):
    shop.drop("signups/a.jsonl", [rows.signup()])
    shop.drop("signups/b.csv", "event_id\n")
    shop.ingest()
    archive(shop)
    files = [path for path in shop.settings.archive_dir.rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_erasure_finds_a_person_in_the_archive(shop, rows):
    shop.drop("signups/a.jsonl", [rows.signup(), rows.signup(email="b@mail.test", event_id="s-2")])
    shop.drop(
        "signups/b.csv", "event_id,email,action,source,occurred_at\ns-3,A@mail.test,subscribe,x,2026-11-01T10:11:00Z\n"
    )
    shop.ingest()
    archive(shop)
    assert scrub(shop, "a@mail.test").rows == 2
    found = archived(shop)
    assert event_ids(found[the_day("signups")]) == ["s-2"]
    assert not any(b"A@mail" in content for content in found.values())


def test_erasure_finds_what_came_again_of_somebody_erased_before_in_the_archive_too(shop, rows):
    key = contact_key(shop.settings)
    until = datetime(2026, 11, 20, tzinfo=UTC)
    remember(shop.settings, [Mark(address_id("a@mail.test", key), datetime(1, 1, 1, tzinfo=UTC), until)])
    shop.drop("signups/again.jsonl", [rows.signup(), rows.signup(email="b@mail.test", event_id="s-2")])
    shop.ingest()
    archive(shop)
    scrub(shop, "nobody@mail.test")
    assert event_ids(archived(shop)[the_day("signups")]) == ["s-2"]


def scrub(shop, address: str):
    settings: Settings = shop.settings
    key = contact_key(settings)
    spans = (Span(address_id(address, key)),)
    person = Person(contact_ids=("c",), addresses={address: spans}, spans=spans)
    with shop.warehouse.writer() as con:
        return scrub_landing(con, settings, person, Traces([address]), Forgotten(settings, key))
