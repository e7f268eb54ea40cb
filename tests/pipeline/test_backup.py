"""`make backup` and `make restore` on the demo shop's weeks, and the other commands on what was restored."""

import shutil
from datetime import UTC, datetime, timedelta

import pytest

AFTER = datetime(2026, 11, 29, 8, tzinfo=UTC) + timedelta(days=1)
COUNT = "select count(*) from marts.contacts"


@pytest.fixture(scope="module")
def restored(weeks, tmp_path_factory):
    """The weeks in another DATA_DIR, through a backup; what both commands printed."""
    folder = tmp_path_factory.mktemp("restored")
    made = weeks.command.run("backup", TO=str(folder / "backup"))
    assert made.code == 0, made.err
    again = type(weeks.command)(folder / "data")
    told = again.run("restore", FROM=str(folder / "backup"))
    assert told.code == 0, told.err
    # Mailchimp is where it was: it is no part of a backup
    shutil.copy(weeks.command.settings.sandbox_path, again.settings.sandbox_path)
    return again, made.out, told.out


def test_both_say_what_they_did(weeks, restored):
    again, made, told = restored
    assert made.startswith(f"Backed up {weeks.command.data_dir} to ")
    assert "Waves: " in made and "settled" in made
    assert told.startswith(f"Restored {again.data_dir} as of ")


def test_sql_and_why_answer_as_before(weeks, restored):
    again, _, _ = restored
    assert again.run("sql", Q=COUNT).out == weeks.command.run("sql", Q=COUNT).out
    somebody = weeks.later.emails[0]["to"]
    answer = again.run("why", CONTACT=somebody)
    assert answer.code == 0, answer.err
    assert answer.out == weeks.command.run("why", CONTACT=somebody).out
    assert "; sent " in answer.out


def test_the_main_job_goes_on_and_nobody_is_written_to_again(weeks, restored):
    again, _, _ = restored
    ran = again.run("once", LANDING=str(weeks.command.settings.landing_dir), AS_OF=AFTER.isoformat())
    assert ran.code == 0, ran.err
    had = {(email["campaign"], email["to"]) for email in weeks.later.emails}
    assert not had & weeks.new_in(ran, weeks.later).keys()
    assert "source    no new files" in ran.out


@pytest.mark.parametrize(
    ("command", "says"), [("backup", "make backup TO=<a new folder"), ("restore", "make restore FROM=<a backup>")]
)
def test_what_was_left_out_is_asked_for(weeks, command, says):
    ran = weeks.command.run(command)
    assert ran.code == 1
    assert says in ran.err
    assert len(ran.err.splitlines()) == 1
