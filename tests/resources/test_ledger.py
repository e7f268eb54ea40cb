import contextlib
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pyarrow as pa
import pytest

from orchestration.core.errors import AlreadyClaimed, IllegalMove, LedgerError, StaleApproval
from orchestration.core.wave import WaveDraft, new_wave_id
from orchestration.resources import ledger_file
from orchestration.resources.ledger import Ledger
from orchestration.settings import Settings

AT = datetime(2026, 11, 22, 8, tzinfo=UTC)
SCHEMA = pa.schema(
    [
        ("contact_id", pa.string()),
        ("entry", pa.int64()),
        *((name, pa.string()) for name in ("outcome", "reason", "evidence", "email", "first_name", "slots")),
    ]
)


def contact(number):
    return str(UUID(int=number))


def member(number, outcome="recipient", reason=None, entry=1, slots="{}"):
    email = f"reader{number}@example.test" if outcome == "recipient" else None
    return dict(zip(SCHEMA.names, (contact(number), entry, outcome, reason, "e1", email, "Ann", slots), strict=True))


def a_wave(campaign="welcome", at=AT, **more):
    common = {"as_of": at, "build_id": "b1", "snapshot_id": 7, "created_at": at, "who": "test", "why": "a test"}
    return WaveDraft(wave_id=new_wave_id(at), campaign=campaign, **{**common, **more})


def plan(ledger, members, wave=None):
    wave = wave or a_wave()
    with ledger.planning(wave.campaign) as planning:
        planning.write(wave, pa.Table.from_pylist(members, SCHEMA).to_batches(max_chunksize=3))
    return wave.wave_id


def drafted(ledger, wave_id, draft_hash="d1"):
    ids = {"mailchimp_campaign_id": "c1", "mailchimp_web_id": 5, "mailchimp_segment_id": 9}
    return ledger.set_draft(wave_id, audience_hash="a1", draft_hash=draft_hash, **ids, who="test", why="drafted", at=AT)


def sending(ledger, wave_id):
    drafted(ledger, wave_id)
    ledger.approve(wave_id, "d1", "Ann", AT)
    return ledger.move(wave_id, "sending", who="test", why="due", at=AT)


@pytest.fixture
def ledger(tmp_path):
    return Ledger(Settings.from_env({"DATA_DIR": str(tmp_path), "AS_OF": AT.isoformat()}))


def test_a_planned_wave_remembers_everybody_and_why(ledger):
    wave_id = plan(
        ledger,
        [
            member(1, slots='{"ART1": "aaaaaaaaaa"}'),
            member(2, "holdout"),
            member(3, "excluded", "no_consent"),
            member(4, "excluded", "no_consent"),
            member(5, "deferred", "capped"),
        ],
        a_wave(segment_size=5, content={"slots": []}),
    )
    wave = ledger.wave(wave_id)
    assert (wave.state, wave.as_of, wave.build_id, wave.snapshot_id) == ("planned", AT, "b1", 7)
    assert wave.counts == {
        "segment_size": 5,
        "recipient": 1,
        "holdout": 1,
        "excluded": {"no_consent": 2},
        "deferred": {"capped": 1},
    }
    [[one]] = ledger.recipients(wave_id, "recipient")
    assert (one.contact_id, one.email, one.slots) == (contact(1), "reader1@example.test", {"ART1": "aaaaaaaaaa"})
    assert ledger.outcomes(wave_id)["excluded", "no_consent", None] == 2
    [everyone] = ledger.recipients(wave_id)
    assert [one.reason for one in everyone] == [None, None, "no_consent", "no_consent", "capped"]
    [first] = ledger.moves(wave_id)
    assert (first.from_state, first.to_state, first.who, first.why) == (None, "planned", "test", "a test")


def test_members_of_whom_nothing_new_is_decided_are_counted_and_stay_so_when_others_are_taken_out(ledger):
    wave = a_wave(segment_size=6)
    with ledger.planning("welcome") as planning:
        news = pa.Table.from_pylist([member(1), member(2), member(3, "excluded", "no_consent")], SCHEMA)
        planning.write(wave, news.to_batches(), {("excluded", "no_consent"): 2, ("deferred", "capped"): 1})
    ledger.drop_recipients(wave.wave_id, [(contact(2), "mailchimp_refused")])
    assert ledger.wave(wave.wave_id).counts == {
        "segment_size": 6,
        "recipient": 1,
        "holdout": 0,
        "excluded": {"mailchimp_refused": 1, "no_consent": 3},
        "deferred": {"capped": 1},
    }
    assert sum(ledger.outcomes(wave.wave_id).values()) == 3


def test_two_waves_cannot_claim_one_contact(ledger):
    first = plan(ledger, [member(n) for n in range(1, 8)])
    with pytest.raises(AlreadyClaimed, match="Campaign welcome: 5 contacts") as error:
        plan(ledger, [member(n, "holdout" if n == 4 else "recipient") for n in range(3, 12)])
    assert "example.test" not in str(error.value)
    assert [wave.wave_id for wave in ledger.waves()] == [first]
    assert ledger.decisions_of(contact(9)) == []


def test_a_swallowed_claim_error_still_writes_nothing(ledger):
    plan(ledger, [member(2)])
    second = a_wave()
    with pytest.raises(AlreadyClaimed), ledger.planning("welcome") as planning, contextlib.suppress(AlreadyClaimed):
        planning.write(second, pa.Table.from_pylist([member(1), member(2)], SCHEMA).to_batches())
    assert len(ledger.waves()) == 1
    assert ledger.decisions_of(contact(1)) == []


def test_whoever_plans_at_the_same_moment_waits_and_then_finds_the_claims(ledger, tmp_path):
    other = Ledger(Settings.from_env({"DATA_DIR": str(tmp_path)}))
    with ThreadPoolExecutor(1) as pool:
        with ledger.planning("welcome") as planning:
            planning.write(a_wave(), pa.Table.from_pylist([member(1)], SCHEMA).to_batches())
            second = pool.submit(plan, other, [member(1), member(2)])
            with pytest.raises(TimeoutError):
                second.result(timeout=0.2)
        with pytest.raises(AlreadyClaimed, match="1 contacts"):
            second.result(timeout=10)
    assert len(ledger.waves()) == 1


def test_whoever_plans_while_another_does_waits_longer_than_sqlite_would_and_says_so(
    ledger, tmp_path, caplog, monkeypatch
):
    monkeypatch.setattr(ledger_file, "PROGRESS_EVERY", 0.05)
    caplog.set_level("INFO")
    with ThreadPoolExecutor(1) as pool:
        with ledger.planning("welcome"):
            second = pool.submit(plan, ledger, [member(1)])
            while "another run is planning or delivering" not in caplog.text:
                assert not second.done()
        assert second.result(timeout=10)
    assert len(ledger.waves()) == 1


def test_whoever_can_wait_no_longer_leaves_with_a_message_and_can_start_again(ledger, tmp_path):
    other = Ledger(Settings.from_env({"DATA_DIR": str(tmp_path)}), patience=0.1)
    with ThreadPoolExecutor(1) as pool, ledger.planning("welcome"):
        second = pool.submit(plan, other, [member(1)])
        with pytest.raises(LedgerError, match=r"being written by another run.*start it again when that run is done"):
            second.result(timeout=10)
    assert plan(other, [member(1)])


def test_another_campaign_a_later_entry_and_the_excluded_are_no_clash(ledger):
    plan(ledger, [member(1), member(2, "excluded", "no_content")])
    plan(ledger, [member(1)], a_wave("treatment_reading"))
    plan(ledger, [member(1, entry=2), member(2)])
    assert len(ledger.decisions_of(contact(1))) == 3


def test_cancelling_frees_the_claims(ledger):
    first = plan(ledger, [member(1), member(2, "holdout")])
    assert ledger.move(first, "cancelled", who="Ann", why="wrong subject", at=AT).state == "cancelled"
    second = plan(ledger, [member(1), member(2)])
    assert [(w.wave_id, r.released) for w, r in ledger.decisions_of(contact(1))] == [(first, True), (second, False)]


def test_planning_is_rolled_back_on_any_error(ledger):
    wave = a_wave()
    with pytest.raises(ZeroDivisionError), ledger.planning("welcome") as planning:
        planning.write(wave, pa.Table.from_pylist([member(1)], SCHEMA).to_batches())
        raise ZeroDivisionError
    assert ledger.waves() == []
    with pytest.raises(LedgerError, match="segment has 3 members, but 2"):
        plan(ledger, [member(1), member(2)], a_wave(segment_size=3))
    with pytest.raises(LedgerError, match="names a contact twice"):
        plan(ledger, [member(1), member(1)])
    with pytest.raises(LedgerError, match="'because'"):
        plan(ledger, [member(1, "excluded", "because")])
    assert ledger.waves() == []


def test_history_is_who_was_claimed_or_taken_out_before_and_not_what_is_being_written(ledger):
    first = plan(
        ledger,
        [
            member(1),
            member(2, "holdout"),
            member(3, "deferred", "capped"),
            member(4, "excluded", "no_consent"),
            member(6),
        ],
    )
    ledger.drop_recipients(first, [(contact(6), "mailchimp_refused")])
    sending(ledger, first)
    ledger.move(first, "sent", who="test", why="sent", at=AT + timedelta(hours=2))
    freed = plan(ledger, [member(5)], a_wave("treatment_reading"))
    ledger.move(freed, "cancelled", who="test", why="no", at=AT)
    with ledger.planning("welcome") as planning:
        reader = planning.history()
        planning.write(a_wave(), pa.Table.from_pylist([member(9)], SCHEMA).to_batches())
        rows = sorted(reader.read_all().to_pylist(), key=lambda row: row["contact_id"])
    told = [(r["contact_id"], r["outcome"], r["reason"], r["is_claim"], r["was_dropped"]) for r in rows]
    assert told == [
        (contact(1), "recipient", None, True, False),
        (contact(2), "holdout", None, True, False),
        (contact(3), "deferred", "capped", False, False),
        (contact(4), "excluded", "no_consent", False, False),
        (contact(6), "excluded", "mailchimp_refused", False, True),
    ]
    assert {(r["planned_as_of"], r["sent_at"]) for r in rows} == {(AT, AT + timedelta(hours=2))}
    with ledger.planning("thanks") as planning:
        others = sorted(row["contact_id"] for row in planning.history().read_all().to_pylist())
    assert others == [contact(1), contact(2), contact(6), contact(9)]  # claims and drops only


def test_a_wave_moves_only_as_it_may_and_every_move_is_told(ledger):
    wave_id = plan(ledger, [member(1)])
    for wrong in ("sending", "sent", "settled", "approved", "drafted"):
        with pytest.raises(IllegalMove):
            ledger.move(wave_id, wrong, who="test", why="no", at=AT)
    assert sending(ledger, wave_id).approved_by == "Ann"
    with pytest.raises(IllegalMove):
        ledger.move(wave_id, "cancelled", who="test", why="too late", at=AT)
    ledger.move(wave_id, "sent", who="test", why="gone", at=AT)
    assert ledger.move(wave_id, "settled", who="test", why="all there", at=AT).sent_at == AT
    assert [move.to_state for move in ledger.moves(wave_id)] == [
        "planned",
        "drafted",
        "approved",
        "sending",
        "sent",
        "settled",
    ]


def test_only_the_draft_as_it_is_can_be_approved(ledger):
    wave_id = plan(ledger, [member(1)])
    with pytest.raises(IllegalMove):
        ledger.approve(wave_id, "d1", "Ann", AT)
    drafted(ledger, wave_id)
    with pytest.raises(StaleApproval):
        ledger.approve(wave_id, "d0", "Ann", AT)
    assert ledger.approve(wave_id, "d1", "Ann", AT).state == "approved"
    assert ledger.approve(wave_id, "d1", "Bob", AT).approved_by == "Ann"


def test_one_wave_is_sending_at_a_time(ledger):
    first, second = plan(ledger, [member(1)]), plan(ledger, [member(2)])
    sending(ledger, first)
    with pytest.raises(IllegalMove, match=f"while wave {first} is sending"):
        sending(ledger, second)
    ledger.move(first, "sent", who="test", why="gone", at=AT)
    assert ledger.move(second, "sending", who="test", why="due", at=AT).state == "sending"


def test_people_can_be_dropped_until_the_wave_may_have_gone_out(ledger):
    wave_id = plan(ledger, [member(n) for n in (1, 2, 3)])
    sending(ledger, wave_id)
    assert ledger.drop_recipients(wave_id, [(contact(2), "mailchimp_unsubscribed")]) == 1
    assert ledger.wave(wave_id).counts["excluded"] == {"mailchimp_unsubscribed": 1}
    assert [who for who, _ in ledger.drafted_audience(wave_id)] == [contact(1), contact(2), contact(3)]
    attempt = ledger.record_intent(wave_id, "send")
    with pytest.raises(LedgerError, match="may have gone out"):
        ledger.drop_recipients(wave_id, [(contact(3), "mailchimp_unsubscribed")])
    ledger.record_outcome(attempt, "failed")
    assert ledger.drop_recipients(wave_id, [(contact(3), "no_longer_addressable")]) == 1
    [[left]] = ledger.recipients(wave_id, "recipient")
    assert left.contact_id == contact(1)


def test_the_warehouse_takes_each_change_once_and_the_latest_wins(ledger):
    wave_id = plan(
        ledger, [member(1, slots='{"ART1": "aa", "ART2": "bb", "ART3": ""}'), member(2, "excluded", "no_consent")]
    )
    table, cursor = ledger.deliveries_since(0)
    rows = {row["contact_id"]: row for row in table.to_pylist()}
    assert rows[contact(1)]["codes"] == ["aa", "bb"]
    assert rows[contact(1)]["as_of"] == AT
    assert rows[contact(2)]["reason"] == "no_consent"
    assert ledger.deliveries_since(cursor)[0].num_rows == 0
    hour_later = AT + timedelta(hours=1)
    ledger.record_deliveries(wave_id, [(contact(1), "hard_bounce", hour_later), (contact(2), "sent", hour_later)])
    later, cursor = ledger.deliveries_since(cursor)
    [row] = later.to_pylist()
    assert (row["contact_id"], row["delivery"]) == (contact(1), "hard_bounce")
    assert [rows[contact(1)]["recorded_at"], row["recorded_at"]] == [AT, hour_later]
    ledger.move(wave_id, "cancelled", who="test", why="no", at=AT)
    [row] = ledger.deliveries_since(cursor)[0].to_pylist()
    assert (row["outcome"], row["reason"]) == ("excluded", "cancelled")


def test_who_is_held_out_is_told_again_with_the_time_of_the_send(ledger):
    wave_id = plan(ledger, [member(1), member(2, "holdout"), member(3, "excluded", "no_consent")])
    table, cursor = ledger.deliveries_since(0)  # as when a draft waits for its approval
    assert {row["sent_at"] for row in table.to_pylist()} == {None}
    sending(ledger, wave_id)
    ledger.move(wave_id, "sent", who="test", why="gone", at=AT + timedelta(hours=2))
    later = {row["contact_id"]: row for row in ledger.deliveries_since(cursor)[0].to_pylist()}
    assert (later[contact(2)]["outcome"], later[contact(2)]["sent_at"]) == ("holdout", AT + timedelta(hours=2))
    assert later.keys() == {contact(1), contact(2)}


def test_a_campaign_starts_once(ledger):
    for at in (AT, AT + timedelta(days=3)):
        with ledger.planning("welcome") as planning:
            assert planning.start(at) == AT


def test_intents_tell_what_may_have_happened(ledger):
    wave_id = plan(ledger, [member(1)])
    one = ledger.record_intent(wave_id, "create_campaign", {"title": "x"})
    ledger.record_intent(wave_id, "send")
    ledger.record_outcome(one, "done", {"id": "c1"})
    assert [(i.call, i.state, i.outcome) for i in ledger.intents(wave_id)] == [
        ("create_campaign", "done", {"id": "c1"}),
        ("send", "intent", {}),
    ]
    assert [i.call for i in ledger.intents(wave_id, states=["intent"])] == ["send"]


def test_the_file_is_kept_safe_against_power_cuts(ledger, tmp_path):
    con = sqlite3.connect(tmp_path / "ledger.sqlite")
    assert con.execute("pragma journal_mode").fetchone() == ("wal",)
    with ledger._reading() as ours:
        assert ours.exec_driver_sql("pragma synchronous").scalar_one() == 2
    con.close()


def test_a_ledger_that_cannot_be_opened_says_where_and_what_to_do(tmp_path):
    (tmp_path / "ledger.sqlite").mkdir()
    with pytest.raises(LedgerError, match=r"ledger\.sqlite could not be read or written"):
        Ledger(Settings.from_env({"DATA_DIR": str(tmp_path)}))
