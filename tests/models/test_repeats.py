"""The same event any number of times, in any order, in any file, under several bodies (DESIGN 3)."""

import pytest

TABLES = {
    "marts.contacts": "*",
    "marts.orders": "*",
    "marts.segment_members": "* exclude (entered_at)",
    "marts.related_articles": "*",
    "marts.recommended_articles": "*",
    "marts.campaign_deliveries": "*",
    "marts.campaign_performance": "*",
    "intermediate.int_order_events": "* exclude (build_no, bodies)",
    "intermediate.int_signups": "* exclude (build_no, bodies)",
    "intermediate.int_article_views": "* exclude (build_no, bodies)",
    "intermediate.int_consents": "*",
    "intermediate.int_visitors": "*",
}


@pytest.mark.parametrize("table", TABLES)
def test_adding_week_by_week_equals_building_from_scratch(world, table):
    query = f"select {TABLES[table]} from lake.{table}"
    added, scratch = (sorted(map(repr, seen.rows(query))) for seen in (world.second, world.scratch))
    assert added == scratch
    assert added


def test_of_two_bodies_the_later_one_counts(first):
    assert str(first.order("order-of-two-bodies").subtotal) == "90.00"
    assert first.segments("two-bodies") == set()


def test_of_two_bodies_at_one_instant_the_greater_text_counts(first):
    assert first.contact("two-bodies-at-once").first_name == "Zoe"


def test_two_bodies_are_counted(first):
    rows = first.rows("select body_count from lake.intermediate.int_order_events where event_id = 'two-bodies'")
    assert rows == [{"body_count": 2}]
    same = first.rows(
        """
        select body_count from lake.intermediate.int_article_views where address_id = ? and article_id = 'peel-1'
        """,
        first.id("same-event-twice"),
    )
    assert same == [{"body_count": 1}]


def test_a_body_that_is_not_due_yet_waits(first, second):
    assert str(first.order("order-of-later-body").subtotal) == "150.00"
    assert str(second.order("order-of-later-body").subtotal) == "90.00"
    assert second.segments("later-body") == set()


def test_a_body_that_names_another_order_leaves_none_behind(first, second):
    assert first.order("wrong-order") is not None
    assert second.order("wrong-order") is None
    assert second.order("right-order").contact_id == second.contact("body-names-order-1").contact_id
    assert second.contact("body-names-order-1").order_count == 1


def test_a_body_that_names_another_person_leaves_nobody_behind(first, second):
    assert first.contact("body-names-wrong-person").is_subscribed
    assert second.contact("body-names-wrong-person") is None
    assert second.contact("body-names-right-person").is_subscribed


def test_a_body_that_names_another_device_frees_the_first(first, second):
    assert "treatment_readers" in first.segments("device-renamed")
    assert "treatment_readers" not in second.segments("device-renamed")
    assert second.rows("select * from lake.intermediate.int_visitors where visitor_id = 'd-wrong'") == []


def test_a_change_of_address_that_is_withdrawn_gives_everything_back(first, second):
    assert first.contact("wrongly-moved").order_count == 1
    assert second.contact("wrongly-moved").order_count == 0
    assert second.contact("wrongly-moved").email == "wrongly-moved@world.test"
    theirs = second.contact("wrongly-moved-2")
    assert (theirs.email, theirs.order_count, theirs.is_subscribed) == ("wrongly-moved-2@world.test", 1, True)


def test_who_is_in_a_segment_has_one_open_stay_in_it(second):
    history = second.rows(
        "select segment, contact_id::varchar as contact_id from lake.marts.segment_history where left_at is null"
    )
    assert sorted((row["segment"], row["contact_id"]) for row in history) == sorted(second.members())
