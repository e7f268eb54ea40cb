"""`make sql` and `make why`: what analysts ask, and what anybody asks about one person."""

import csv
import io

import pytest

from orchestration.core.identity import address_id
from orchestration.resources.keys import contact_key


def test_a_query_is_answered_as_csv(weeks):
    ran = weeks.command.run("sql", Q="select segment, count(*) as members from marts.segment_members group by segment")
    assert ran.code == 0, ran.err
    rows = list(csv.DictReader(io.StringIO(ran.out)))
    told = {name: str(count) for name, (count, _) in weeks.later.rows("segment").items()}
    assert {row["segment"]: row["members"] for row in rows} == told


def test_a_query_that_makes_no_sense_gets_what_duckdb_says_about_it(weeks):
    ran = weeks.command.run("sql", Q="select nonsense from marts.contacts")
    assert ran.code == 1
    assert "nonsense" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    "query", ["delete from marts.contacts", "create table marts.mine as select 1", "drop table raw.signups"]
)
def test_writing_is_refused(weeks, query):
    ran = weeks.command.run("sql", Q=query)
    assert ran.code == 1
    assert "read-only" in ran.err.lower()


def test_asking_before_there_is_anything_says_what_to_do(command):
    ran = command.run("sql", Q="select 1")
    assert ran.code == 1
    assert "make once" in ran.err
    assert len(ran.err.splitlines()) == 1


def test_why_somebody_got_an_email(weeks):
    ran = weeks.command.run("why", CONTACT=" Wanda.Newcomer@Mail.TEST ")
    assert ran.code == 0, ran.err
    assert "new_subscribers: in it since 2026-11-2" in ran.out
    assert "recipient, because: " in ran.out
    assert "; sent 2026-11-29" in ran.out
    assert "@" not in ran.out


def test_why_somebody_got_articles_names_them(weeks):
    reader = next(email for email in weeks.later.emails if email["campaign"] == "treatment_reading")
    ran = weeks.command.run("why", CONTACT=reader["to"])
    titles = [line.partition("article: ")[2] for line in ran.out.splitlines() if "article: " in line]
    assert len(titles) >= 2
    assert [title for title in titles if title not in reader["text"]] == []


def test_why_somebody_got_nothing_though_in_the_segment(weeks):
    ran = weeks.command.run("why", CONTACT="gareth.shore@post.test")  # bought, and never said a word about emails
    assert ran.code == 0, ran.err
    assert "high_value_free_delivery: in it since" in ran.out
    assert "excluded, no_consent" in ran.out
    assert "may be written to: no" in ran.out


def test_why_takes_a_contact_id_as_well_as_an_address(weeks):
    contact_id = address_id("gareth.shore@post.test", contact_key(weeks.command.settings))
    by_id = weeks.command.run("why", CONTACT=contact_id)
    assert by_id.out.startswith(f"contact {contact_id}\n")
    assert "excluded, no_consent" in by_id.out


def test_why_about_a_person_nobody_knows_says_so(weeks):
    ran = weeks.command.run("why", CONTACT="nobody.at.all@mail.test")
    assert ran.code == 0, ran.err
    assert "not known" in ran.out


def test_why_without_saying_whom_says_how_to_ask(weeks):
    ran = weeks.command.run("why")
    assert ran.code == 1
    assert "CONTACT=" in ran.err
