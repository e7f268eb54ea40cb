"""Rows of people who were erased, as they arrive again."""

from datetime import UTC, datetime, timedelta

import pytest

from orchestration.core.erasure import EVER_BEFORE
from orchestration.core.identity import address_id
from orchestration.resources.forgotten import Mark, marked_id, marks, remember
from orchestration.resources.keys import contact_key

ERASED_AT = datetime(2026, 11, 10, 12, tzinfo=UTC)
BEFORE, AFTER = "2026-11-10T11:59:59Z", "2026-11-10T12:00:00Z"


@pytest.fixture
def forgetful(shop):
    """A shop that has forgotten zoe@mail.test, her device z-1, her order 77 and her account c-7."""
    key = contact_key(shop.settings)
    ids = [address_id("zoe@mail.test", key)]
    ids += [marked_id(kind, value, key) for kind, value in (("visitor", "z-1"), ("order", "77"), ("account", "c-7"))]
    remember(shop.settings, [Mark(one, EVER_BEFORE, ERASED_AT) for one in ids])
    return shop


@pytest.mark.parametrize("path", ["signups/a.jsonl", "signups/a.csv"])
def test_what_they_said_before_the_erasure_does_not_land_and_what_they_say_after_it_does(forgetful, rows, path):
    said = [
        rows.signup(event_id="s-old", occurred_at=BEFORE, email=" Zoe@Mail.TEST "),
        rows.signup(event_id="s-new", occurred_at=AFTER, email="zoe@mail.test"),
        rows.signup(event_id="s-other", occurred_at=BEFORE, email="ann@mail.test"),
    ]
    if path.endswith("csv"):
        lines = [f"{row['event_id']},{row['occurred_at']},{row['email']},subscribe,form,[]" for row in said]
        said = "\n".join(["event_id,occurred_at,email,action,source,interests", *lines]) + "\n"
    forgetful.drop(path, said)
    report = forgetful.ingest()
    assert sorted(forgetful.rows("select event_id from raw.signups")) == [("s-new",), ("s-other",)]
    assert forgetful.rejects() == [(1 if path.endswith("jsonl") else 2, "of a person who was erased", None)]
    assert (report.per_source["signups"].rows_landed, report.per_source["signups"].rejects) == (2, 1)


def test_a_bad_row_of_theirs_is_not_kept_as_it_was_either(forgetful, rows):
    forgetful.drop("signups/a.jsonl", [rows.signup(email="zoe@mail.test", occurred_at="yesterday")])
    forgetful.drop("orders/a.jsonl", [rows.order(email="zoe@mail.test", subtotal="much")])
    forgetful.ingest()
    assert [(reason[:9], original) for _, reason, original in forgetful.rejects()] == [
        ("subtotal:", None),
        ("of a pers", None),
    ]


def test_an_address_they_had_moved_to_is_theirs_as_well(forgetful, rows):
    moved = rows.signup(
        occurred_at=BEFORE, email="zoe@new.test", action="update_preferences", previous_email="zoe@mail.test"
    )
    forgetful.drop("signups/a.jsonl", [moved])
    forgetful.ingest()
    assert forgetful.rows("select count(*) from raw.signups") == [(0,)]


def test_what_was_read_on_their_device_does_not_land_but_another_readers_name_does(forgetful, rows):
    views = [
        rows.view(event_id="v-1", occurred_at=BEFORE, visitor_id="z-1"),
        rows.view(event_id="v-2", occurred_at=BEFORE, visitor_id="z-1", email="ann@mail.test"),
        rows.view(event_id="v-3", occurred_at=AFTER, visitor_id="z-1"),
        rows.view(event_id="v-4", occurred_at=BEFORE, visitor_id="other", email="zoe@mail.test"),
    ]
    forgetful.drop("article_views/a.jsonl", views)
    forgetful.ingest()
    assert sorted(forgetful.rows("select event_id from raw.article_views")) == [("v-2",), ("v-3",)]


def test_their_orders_land_without_them_and_are_counted(forgetful, rows):
    orders = [
        rows.order(event_id="o-1", order_id="76", placed_at=BEFORE, occurred_at=AFTER, email="zoe@mail.test"),
        rows.order(event_id="o-2", order_id="77", placed_at=BEFORE, customer_id="c-7"),
        rows.order(event_id="o-3", order_id="78", placed_at=BEFORE, email=None, customer_id="c-7"),
        rows.order(event_id="o-4", order_id="79", placed_at=AFTER, occurred_at=AFTER, email="zoe@mail.test"),
        rows.order(event_id="o-5", order_id="80", placed_at=BEFORE, customer_id="c-8"),
    ]
    orders[1]["email"] = None
    forgetful.drop("orders/a.jsonl", orders)
    report = forgetful.ingest()
    landed = forgetful.rows("select event_id, email, address_id is null, customer_id from raw.orders order by 1")
    assert landed == [
        ("o-1", None, True, None),
        ("o-2", None, True, None),
        ("o-3", None, True, None),
        ("o-4", "zoe@mail.test", False, None),
        ("o-5", "a@mail.test", False, "c-8"),
    ]
    assert report.per_source["orders"].unknown_fields == {"(of a person who was erased)": 3}
    assert report.per_source["orders"].rejects == 0


def test_erased_again_later_the_mark_lasts_longer_and_there_is_still_one(shop):
    remember(shop.settings, [Mark("a", EVER_BEFORE, ERASED_AT)])
    later = ERASED_AT + timedelta(days=1)
    assert remember(shop.settings, [Mark("a", EVER_BEFORE, later)]) == 0
    remember(shop.settings, [Mark("a", EVER_BEFORE, ERASED_AT)])
    assert marks(shop.settings) == [Mark("a", EVER_BEFORE, later)]
