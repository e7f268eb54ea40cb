"""Profiling consent, and two different articles with a treatment read in the last 30 days (DESIGN 5)."""

import pytest

READERS = "treatment_readers"


@pytest.mark.parametrize(
    "name",
    [
        "reader",
        "one-within-day-thirty",
        "hair-with-health",
        "one-treatment-allowed",
        "hairnets-are-not-hair",
        "reads-drafts",
    ],
)
def test_two_articles_that_count(first, name):
    assert READERS in first.segments(name)


@pytest.mark.parametrize(
    "name",
    [
        "same-article-twice",
        "one-at-day-thirty",
        "not-profiled",
        "not-tracked",
        "hair-without-health",
        "health-taken-back",
        "no-treatment",
        "same-event-twice",
        "one-event-two-articles",
    ],
)
def test_less_than_two_that_count(first, name):
    assert READERS not in first.segments(name)


@pytest.mark.parametrize("name", ["known-later", "known-by-view"])
def test_what_was_read_on_a_device_joins_its_only_contact_once_they_are_known(first, name):
    assert READERS in first.segments(name)


def test_a_contact_known_in_a_later_build_gets_the_earlier_views(first, second):
    assert first.contact("known-in-week-two") is None
    assert READERS in second.segments("known-in-week-two")


@pytest.mark.parametrize("name", ["has-two-devices", "reads-and-moves"])
def test_one_person_is_one_reader_on_two_devices_and_under_two_addresses(first, name):
    assert READERS in first.segments(name)


def test_without_tracking_consent_nobody_becomes_known(first):
    assert READERS not in first.segments("known-by-untracked-view")
    rows = first.rows("select * from lake.intermediate.int_visitors where visitor_id = 'd-untracked'")
    assert rows == []


def test_on_a_shared_device_only_what_carries_an_address_is_somebodys(first):
    assert READERS not in first.segments("shares-a")
    assert READERS in first.segments("shares-b")


def test_a_second_contact_on_the_device_takes_back_what_was_attributed(first, second):
    assert READERS in first.segments("alone-till-then")
    assert READERS not in second.segments("alone-till-then")
    assert READERS not in second.segments("second-on-the-device")


def test_a_shared_device_stays_shared_when_one_of_the_two_changes_address(second):
    rows = second.rows(
        "select contact_id, is_shared from lake.intermediate.int_visitors where visitor_id = 'd-stays-shared'"
    )
    assert rows == [{"contact_id": None, "is_shared": True}]
    assert READERS not in second.segments("stays-shared-b")


def test_nothing_recommended_was_read_also_when_nothing_else_is_left(first, second):
    left = "select article_id from lake.marts.recommended_articles where contact_id = ?"
    assert {row["article_id"] for row in first.rows(left, first.id("reads-it-all"))} >= {"peel-4"}
    assert "peel-4" not in {row["article_id"] for row in second.rows(left, second.id("reads-it-all"))}


def test_what_is_recommended_is_published_and_allowed(first):
    rows = first.rows("select article_id from lake.marts.recommended_articles where contact_id = ?", first.id("reader"))
    articles = {row["article_id"] for row in rows}
    assert {"peel-3", "peel-4"} <= articles
    assert not articles & {"peel-1", "peel-2", "peel-draft", "hair-1", "hair-2", "hair-3", "acne-and-led"}


def test_the_reason_names_the_views(first):
    (row,) = first.rows(
        "select reason from lake.marts.segment_members where contact_id = ? and segment = ?",
        first.id("reader"),
        READERS,
    )
    views = first.rows(
        "select event_id from lake.intermediate.int_article_views where address_id = ? order by occurred_at desc",
        first.id("reader"),
    )
    assert row["reason"] == f"2 articles in 30 days, last {views[0]['event_id']} and {views[1]['event_id']}"
