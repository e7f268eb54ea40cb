from datetime import UTC, datetime, timedelta

import pytest

from orchestration.core.audience import check_sums, drop_reason, reason_known
from orchestration.core.campaign import Rendered
from orchestration.core.errors import IllegalMove, LedgerError
from orchestration.core.wave import MOVES, STATES, audience_hash, check_move, draft_hash, new_wave_id

AT = datetime(2026, 11, 22, 8, tzinfo=UTC)
EMAIL = Rendered(subject="s", preheader="p", html="<p>h</p>", text="t")


def test_a_wave_goes_its_way_and_no_other():
    way = ["planned", "drafted", "approved", "sending", "sent", "settled"]
    legal = {*zip(way, way[1:], strict=False), *((state, "cancelled") for state in way[:3])}
    for before in STATES:
        for after in STATES:
            if (before, after) in legal:
                check_move(before, after)
            else:
                with pytest.raises(IllegalMove):
                    check_move(before, after)
    assert set(MOVES) == {*way, "cancelled"}


def test_an_illegal_move_names_the_wave_and_what_it_may_do():
    with pytest.raises(IllegalMove, match="Wave w1 is sending: it may go to sent, not to cancelled"):
        check_move("sending", "cancelled", "w1")


def test_wave_ids_sort_by_time_and_do_not_repeat():
    ids = [new_wave_id(AT + timedelta(milliseconds=n)) for n in range(200)]
    assert ids == sorted(ids)
    assert len(set(ids)) == len({new_wave_id(AT) for _ in range(200)}) == 200
    assert all(len(i) == 17 and i[0] == "w" and i == i.lower() for i in ids)


def test_the_draft_hash_changes_with_the_audience_the_cards_and_the_words():
    nobody = audience_hash([])
    somebody = audience_hash([("a", "{}"), ("b", '{"ART1": "x"}')])
    hashes = {
        draft_hash(nobody, {}, EMAIL),
        draft_hash(somebody, {}, EMAIL),
        draft_hash(audience_hash([("a", "{}"), ("b", '{"ART1": "y"}')]), {}, EMAIL),
        draft_hash(somebody, {"slots": [["card"]]}, EMAIL),
        *(draft_hash(somebody, {}, EMAIL.model_copy(update={part: "new"})) for part in Rendered.model_fields),
    }
    assert len(hashes) == 8
    assert draft_hash(somebody, {}, EMAIL) in hashes


def test_the_audience_hash_refuses_a_contact_twice():
    with pytest.raises(ValueError, match="once"):
        audience_hash([("a", "{}"), ("a", "{}")])


def test_counts_must_add_up_to_the_segment():
    counts = {"recipient": 2, "holdout": 1, "excluded": {"no_consent": 3}, "deferred": {"capped": 1}}
    check_sums(7, counts)
    with pytest.raises(LedgerError, match="8 members, but 7 were decided on"):
        check_sums(8, counts)


def test_each_reason_has_its_outcome():
    assert reason_known("recipient", None)
    assert not reason_known("recipient", "capped")
    assert reason_known("deferred", "capped")
    assert not reason_known("excluded", "capped")
    assert drop_reason("unsubscribed") == "mailchimp_unsubscribed"
    assert drop_reason(None) == "mailchimp_absent"
    assert drop_reason("something new") == "mailchimp_refused"
