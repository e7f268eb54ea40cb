"""The seeding as its reader finds it: files, formats, repeatability, and enough people for every campaign."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from orchestration.demo.catalogue import SHOP, articles, products
from orchestration.demo.crowd import TASTES, liked
from orchestration.demo.seed import seed
from orchestration.settings import PROJECT_DIR

# Named here so that the two are known: a later check of what an email may say has to catch them.
NAMES_A_PRESCRIPTION_ONLY_MEDICINE = {"art-0001": "finasteride", "art-0002": "botulinum toxin"}
FORBIDDEN = (
    "finasteride, dutasteride, minoxidil, tretinoin, isotretinoin, hydroquinone, hyaluronidase, semaglutide, botox, "
    "botulinum, anti-wrinkle, b12, weight-loss, prescription, steroid, regrow, cures, heals, treats, guaranteed, hurry, "
    "last chance, today only, while stocks last"
)


def _emailable():
    """The articles that no rule about what an email may say stands against."""
    return [
        article
        for article in articles().values()
        if article.status == "publish" and article.article_id not in NAMES_A_PRESCRIPTION_ONLY_MEDICINE
    ]


def _is_open_to_all(article):
    """May be recommended without health consent: none of its treatments says anything about a reader's health."""
    sensitive = ("hair", "acne", "rosacea", "melasma", "hyperhidrosis")
    return all(treatment.split("/")[0] not in sensitive for treatment in article.treatments)


def _content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("*/*")}


def test_the_same_moment_gives_the_same_bytes(landing, now, tmp_path):
    seed(tmp_path, now)
    assert _content(tmp_path) == _content(landing)


def test_a_second_seeding_writes_nothing_and_says_so(tmp_path, now):
    first = seed(tmp_path, now)
    before = _content(tmp_path)
    second = seed(tmp_path, now + timedelta(days=3))
    assert first.written and not second.written
    assert "there already" in str(second)
    assert _content(tmp_path) == before


def test_files_that_moved_to_the_archive_are_not_written_again(tmp_path, now):
    seed(tmp_path, now)
    for path in tmp_path.glob("*/demo-*"):
        path.unlink()
    assert seed(tmp_path, now + timedelta(days=3)).written == {}
    assert list(tmp_path.glob("*/demo-*")) == []


def test_a_seeding_that_was_cut_short_is_finished_with_its_own_moment(landing, tmp_path, now):
    seed(tmp_path, now)
    for path in [*tmp_path.glob("signups/*"), *tmp_path.glob("article_views/*"), *tmp_path.glob(".demo-*")]:
        path.unlink()
    seed(tmp_path, now + timedelta(minutes=5))
    assert _content(tmp_path) == _content(landing)


def test_each_source_is_there_and_each_format_is_used(landing):
    assert {path.parent.name for path in landing.glob("*/*")} == {
        "orders",
        "signups",
        "article_views",
        "articles",
        "products",
    }
    assert {"".join(path.suffixes) for path in landing.glob("*/*")} == {".jsonl", ".jsonl.gz", ".csv", ".parquet"}


def test_two_lines_of_one_file_cannot_be_read_and_all_else_can(landed):
    assert len(landed.unreadable) == 2
    assert {source: bool(rows) for source, rows in landed.rows.items()} == dict.fromkeys(landed.rows, True)


def test_every_address_ends_in_test_and_every_link_goes_to_the_made_up_shop(landed):
    for source in ("orders", "signups", "article_views"):
        for row in landed.rows[source]:
            for address in (row["email"], row.get("previous_email")):
                assert address is None or address.strip().lower().endswith(".test")
    for source in ("articles", "products", "article_views"):
        assert all(row["url"].startswith(f"{SHOP}/") for row in landed.rows[source])


def test_no_event_id_stands_for_two_different_events(landed):
    for source in ("orders", "signups", "article_views"):
        bodies: dict[str, dict] = {}
        for row in landed.rows[source]:
            assert bodies.setdefault(row["event_id"], row) == row


def test_at_least_fifteen_members_of_each_segment_may_be_mailed(count):
    sizes = {segment: len(members & count.mailable) for segment, members in count.segments.items()}
    assert min(sizes.values()) >= 15, sizes


def test_each_campaign_has_fifteen_of_its_own_when_nobody_gets_two(count):
    taken: set[str] = set()
    for segment in ("new_subscribers", "high_value_free_delivery", "treatment_readers"):
        own = (count.segments[segment] & count.mailable) - taken
        assert len(own) >= 15, segment
        taken |= own


def test_readers_differ_in_what_they_read_and_each_has_unread_reading_left_in_their_taste(count):
    shelves = {frozenset(count.read[who]) for who in count.segments["treatment_readers"]}
    assert len(shelves) >= 15
    for who in count.segments["treatment_readers"]:
        read = count.read[who]
        may_get = [article for article in _emailable() if _is_open_to_all(article) or who in count.health_consented]
        about = {treatment for article_id in read for treatment in articles()[article_id].treatments}
        related = [a for a in may_get if a.article_id not in read and about & set(a.treatments)]
        assert len(related) >= 2, read


@pytest.mark.parametrize("taste", TASTES)
def test_each_taste_has_enough_to_read(taste):
    assert len(liked(taste)) >= 4


def test_the_articles_are_really_written_and_no_two_are_the_same():
    bodies = [article.body for article in articles().values()]
    assert len(bodies) >= 24 and len(set(bodies)) == len(bodies)
    assert len({article.title for article in articles().values()}) == len(bodies)
    for article in articles().values():
        assert 150 <= len(article.body.split()) <= 400, article.slug
        assert 8 <= len(article.summary.split()) <= 40, article.slug
        assert len(article.treatments) <= 3
    assert sum(_is_open_to_all(article) for article in _emailable()) >= 14


def test_only_the_two_articles_meant_for_it_name_what_must_not_be_advertised():
    for article in articles().values():
        words = f"{article.title} {article.summary} {article.body}".lower()
        if article.article_id in NAMES_A_PRESCRIPTION_ONLY_MEDICINE:
            assert NAMES_A_PRESCRIPTION_ONLY_MEDICINE[article.article_id] in words
        else:
            assert [word for word in FORBIDDEN.split(", ") if word in words] == [], article.slug


def test_the_goods_are_plausible():
    assert 25 <= len(products()) <= 40
    assert all(0 < product.price < 500 for product in products().values())
    assert {product.in_stock for product in products().values()} == {True, False}


def test_the_command_writes_where_the_settings_say_and_prints_one_line(tmp_path):
    env = {"LANDING": str(tmp_path), "AS_OF": "2026-11-23T12:00:00Z", "PYTHONPATH": str(PROJECT_DIR)}
    command = [sys.executable, "-m", "orchestration.demo", "seed"]
    ran = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert ran.stdout.count("\n") == 1 and "2026-11-23 12:00 UTC" in ran.stdout
    assert len(list(tmp_path.glob("*/demo-20261123T120000Z-*"))) == 7
