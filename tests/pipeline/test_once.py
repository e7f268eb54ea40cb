"""`make once`: the table a person reads, the emails that go out, and that none goes out twice."""

import re
import sys
from collections import Counter
from datetime import UTC, datetime

import pytest
from dagster._utils.error import serializable_error_info_from_exc_info

from orchestration.commands import main_job
from orchestration.core.errors import MailchimpUnknown
from orchestration.demo.events import signup_row
from orchestration.demo.files import json_lines, put
from orchestration.resources.ledger_planning import tally_of
from orchestration.settings import Settings

AS_OF = datetime(2026, 11, 22, 8, tzinfo=UTC)


def test_the_first_run_ends_well_and_tells_what_it_did(weeks):
    assert weeks.first.code == 0
    sources = weeks.first.rows("source")
    assert sources.keys() == {"orders", "signups", "article_views", "articles", "products"}
    assert sources["article_views"][1] == "from 2 files, 2 rejects"
    segments = weeks.first.rows("segment")
    assert segments.keys() == {"high_value_free_delivery", "new_subscribers", "treatment_readers"}
    assert all(count > 0 for count, _ in segments.values())


def test_the_table_counts_each_member_of_a_segment_exactly_once(weeks):
    segment_of = {
        "welcome": "new_subscribers",
        "free_delivery_thanks": "high_value_free_delivery",
        "treatment_reading": "treatment_readers",
    }
    segments = weeks.first.rows("segment")
    rows = weeks.first.rows("campaign")
    for campaign, segment in segment_of.items():
        parts = [rows.get(f"{campaign}: {part}", (0, ""))[0] for part in ("sent", "excluded", "deferred", "holdout")]
        assert rows[f"{campaign}: in the segment"][0] == segments[segment][0] == sum(parts)


def test_what_the_table_says_was_sent_is_in_the_outbox(weeks):
    sent = Counter(email["campaign"] for email in weeks.first.emails)
    rows = weeks.first.rows("campaign")
    assert {name: rows[f"{name}: sent"][0] for name in sent} == sent
    assert sent.keys() == {"welcome", "free_delivery_thanks", "treatment_reading"}
    assert f"{sent.total()} emails sent" in weeks.first.out


def test_what_may_not_be_in_an_email_is_told_and_recommended_to_nobody(weeks):
    """The demo blog's articles on mesotherapy, which names a medicine in its text only, and on Botox."""
    with weeks.command.warehouse.reader() as con:
        barred = con.execute("select item_id, place, found, rule from lake.marts.barred_content").fetchall()
        recommended = con.execute("select distinct article_id from lake.marts.recommended_articles").fetchall()
    assert ("art-0001", "body", "finasteride", "medicine_named") in barred
    assert {item_id for item_id, *_ in barred} == {"art-0001", "art-0002"}
    assert len(recommended) > 10
    assert not {item_id for item_id, *_ in barred} & {article_id for (article_id,) in recommended}
    texts = [email["text"].lower() for email in weeks.later.emails]
    assert not [text for text in texts if "mesotherapy-for-hair-loss" in text or "botox" in text]


def test_a_second_run_sends_nothing(weeks):
    assert weeks.again.code == 0
    assert "; 0 emails sent; " in weeks.again.out
    assert weeks.again.rows("source") == {"no new files": (0, "")}
    assert weeks.again.emails == weeks.first.emails


def test_a_week_later_those_who_became_due_and_those_put_off_before_get_theirs_once(weeks):
    put_off = {
        (wave.campaign, row.contact_id)
        for wave in weeks.command.ledger.waves()
        if wave.as_of.day == 22
        for batch in weeks.command.ledger.recipients(wave.wave_id, "deferred")
        for row in batch
    }
    assert put_off
    got_later = {
        (wave.campaign, row.contact_id)
        for wave in weeks.command.ledger.waves()
        if wave.as_of.day == 29
        for batch in weeks.command.ledger.recipients(wave.wave_id, "recipient")
        for row in batch
    }
    assert put_off <= got_later
    new = weeks.new_in(weeks.later, weeks.again)
    assert ("welcome", "wanda.newcomer@mail.test") in new
    assert set(new.values()) == {1}
    assert f"; {new.total()} emails sent; " in weeks.later.out


def test_nobody_ever_gets_a_campaign_twice_though_a_run_was_killed_between(weeks):
    everything = Counter((email["campaign"], email["to"]) for email in weeks.later.emails)
    assert set(everything.values()) == {1}


def test_of_every_member_of_the_segment_each_wave_knows_one_outcome_with_its_reason(weeks):
    """In a row of its own, or, where nothing new was decided, in that of an earlier wave of the campaign."""
    segment_of = {
        "welcome": "new_subscribers",
        "free_delivery_thanks": "high_value_free_delivery",
        "treatment_reading": "treatment_readers",
    }
    waves = weeks.command.ledger.waves()
    assert {wave.campaign for wave in waves} == segment_of.keys()
    decided = {campaign: {} for campaign in segment_of}
    for wave in waves:
        rows = [row for batch in weeks.command.ledger.recipients(wave.wave_id) for row in batch]
        decided[wave.campaign] |= {row.contact_id: (row.outcome, row.reason) for row in rows}
        with weeks.command.warehouse.reader(at=wave.snapshot_id) as con:
            members = con.execute(
                "select contact_id::varchar from marts.segment_members where segment = ?", [segment_of[wave.campaign]]
            ).fetchall()
        mine = {row.contact_id for row in rows}
        told = Counter(
            # whoever was claimed by a wave before had it already
            ("excluded", "already_sent")
            if decided[wave.campaign][contact_id] == ("recipient", None) and contact_id not in mine
            else decided[wave.campaign][contact_id]
            for (contact_id,) in members
        )
        assert told == +tally_of(wave.counts)
        assert {outcome for outcome, _ in told} <= {"recipient", "holdout", "excluded", "deferred"}
        assert [outcome for outcome, reason in told if outcome in ("excluded", "deferred") and not reason] == []
        assert [row.contact_id for row in rows if not row.evidence] == []


def test_two_readers_get_different_articles_and_none_that_they_have_read(weeks):
    emails = [email for email in weeks.later.emails if email["campaign"] == "treatment_reading"]
    shown = {email["to"]: set(re.findall(r"/blog/([\w-]+)\?", email["text"])) for email in emails}
    assert all(len(articles) >= 2 for articles in shown.values())
    assert len({frozenset(articles) for articles in shown.values()}) > len(shown) / 3
    with weeks.command.warehouse.reader() as con:
        read = con.execute(
            "select email, list(distinct parse_path(split_part(articles.url, '?', 1))[-1]) from raw.article_views "
            "join raw.articles using (article_id) where email is not null group by email"
        ).fetchall()
    assert len([address for address, _ in read if address in shown]) > 5
    assert {address: shown[address] & set(slugs) for address, slugs in read if address in shown} == {
        address: set() for address, _ in read if address in shown
    }


def test_whoever_looks_while_runs_write_sees_no_error_and_no_disagreement(weeks):
    assert weeks.analyst["wrong"] == []
    assert weeks.analyst["asked"] > 30
    assert len(weeks.analyst["builds"]) >= 2


def test_the_run_after_a_killed_one_goes_on_at_once_and_shows_it_as_failed(weeks):
    assert weeks.later.code == 0
    assert "Waiting for the warehouse" not in weeks.later.err
    told = weeks.command.dagster_runs()
    assert [(job, status) for job, status in told if status != "SUCCESS"] == [("main", "FAILURE")]
    assert weeks.command.taken_slots() == 0


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"LANDING": "/nowhere/at/all"}, "LANDING=/nowhere/at/all is no folder"),
        ({"AS_OF": "yesterday"}, "AS_OF='yesterday' is not a time with an offset"),
    ],
)
def test_a_setting_that_makes_no_sense_is_told_in_one_line(command, env, says):
    ran = command.run("once", **env)
    assert ran.code == 1
    assert ran.err.startswith(says)
    assert len(ran.err.splitlines()) == 1


def test_a_step_that_fails_ends_the_command_at_once_and_says_what_was_wrong(command):
    with command.warehouse.lock():  # makes the folder that holds the tables, which then can't be one
        pass
    command.settings.lake_dir.rmdir()
    command.settings.lake_dir.write_text("in the way")
    put(command.settings.landing_dir / "signups" / "a.jsonl", json_lines([signup_row("n-1", AS_OF, "a@mail.test")]))
    ran = command.once(AS_OF)
    assert ran.code == 1
    assert "Job main failed" in ran.err
    assert str(command.data_dir) in ran.err
    assert "Traceback" not in ran.err


def test_a_failed_job_is_told_in_our_own_words_not_in_those_of_what_caused_it():
    try:
        try:
            raise OSError("HTTPConnectionPool(host='127.0.0.1', port=8025): Max retries exceeded")
        except OSError as cause:
            raise MailchimpUnknown("Mailchimp can't be reached. Start again later.") from cause
    except MailchimpUnknown:
        error = serializable_error_info_from_exc_info(sys.exc_info())
    assert main_job._said(error) == "Mailchimp can't be reached. Start again later."


def test_files_that_no_source_takes_are_told(tmp_path):
    settings = Settings.from_env({"DATA_DIR": str(tmp_path)})
    folder = settings.landing_dir / "orders"
    folder.mkdir(parents=True)
    (folder / "a.jsonl").write_text("{}")
    assert main_job._passed_over(settings) == []
    (folder / "b.JSONL").write_text("{}")
    assert main_job._passed_over(settings) == [("landing", "passed over, no source's", "1", "such as orders/b.JSONL")]
