"""What of a text or a row is a person's."""

import json

import pytest

from orchestration.core.erasure import Person, Span, Traces, is_about, without_person

ANN = "ann+news@mail.test"
traces = Traces([ANN])
person = Person(("c",), {ANN: (Span("a"),)}, devices=frozenset({"d-1"}), orders=frozenset({"77"}))


@pytest.mark.parametrize(
    "text",
    [
        "to ann+news@mail.test.",
        "ANN+NEWS@MAIL.TEST",
        "where email = 'ann+news@mail.test'",
        "https://x.test/?to=ann+news%40mail.test&a=b",
        '"a line\\nann+news@mail.test"',
        '{"email": "ann\\u002bnews\\u0040mail.test"}',
        '{"email": "\\u0061nn+news@mail.test"}',
    ],
)
def test_an_address_is_found_however_it_is_written(text):
    assert traces.are_in(text)


@pytest.mark.parametrize(
    "text",
    ["joann+news@mail.test", "ann+news@mail.testing", "ann+news@mail.test.uk", "o'ann+news@mail.test", "ann@mail.test"],
)
def test_a_longer_or_another_address_is_none_of_theirs(text):
    assert not traces.are_in(text)
    assert traces.replaced(text) == text


def test_masking_moves_nothing_and_leaves_bytes_that_are_no_text():
    content = b"\xff\x00 Ann+News@mail.test \xfe"
    assert traces.masked(content) == b"\xff\x00 " + b"x" * len(ANN) + b" \xfe"


def test_an_order_stays_without_its_person_and_without_what_no_contract_names():
    row = {
        "order_id": "1",
        "email": " ANN+news@mail.test",
        "customer_id": "9",
        "total": "5",
        "billing": {"name": "Ann"},
    }
    assert without_person(person, traces, "orders", row) == {
        "order_id": "1",
        "email": None,
        "customer_id": None,
        "total": "5",
    }


def test_a_state_of_their_order_that_carries_no_address_loses_the_account():
    kept = without_person(person, traces, "orders", {"order_id": 77, "email": None, "customer_id": "9"})
    assert kept == {"order_id": 77, "email": None, "customer_id": None}


@pytest.mark.parametrize(
    ("source", "row"),
    [
        ("signups", {"email": ANN.upper()}),
        ("article_views", {"email": ANN, "visitor_id": "other"}),
        ("article_views", {"email": None, "visitor_id": "d-1"}),
    ],
)
def test_their_other_events_go(source, row):
    assert without_person(person, traces, source, row) is None


def test_another_persons_row_stays_and_only_a_mention_of_theirs_goes():
    row = {"email": "bob@mail.test", "visitor_id": "d-1", "referrer": f"https://x.test/?to={ANN}"}
    kept = without_person(person, traces, "article_views", row)
    assert kept == row | {"referrer": "https://x.test/?to=(erased)"}
    same = {"email": "bob@mail.test", "previous_email": "rob@mail.test"}
    assert without_person(person, traces, "signups", same) == same


def test_a_reject_is_theirs_if_it_says_an_address_or_their_device():
    assert is_about(person, traces, "signups", f"not json {ANN}")
    assert is_about(person, traces, "article_views", json.dumps({"visitor_id": "d-1", "occurred_at": "never"}))
    assert not is_about(person, traces, "article_views", json.dumps({"visitor_id": "d-2", "occurred_at": "never"}))
