"""The suite can fail: with one safeguard taken out, the trials that concern it do.

The safeguards: the look for a campaign by its title, the look at its status after a lost send, the ledger's unique constraint.
"""

import sqlite3

import pytest

pytestmark = pytest.mark.thorough

CREATE = {"endpoint": "POST /campaigns", "fault": "close", "when": "after"}
SEND = {"endpoint": "POST /campaigns/{id}/actions/send", "fault": "close", "when": "after"}


@pytest.mark.parametrize(("mutation", "rule"), [("no look by title", CREATE), ("no look at the status", SEND)])
def test_without_a_look_at_mailchimp_a_lost_answer_is_told_by_the_checks(trial, undisturbed, mutation, rule):
    with trial() as one:
        one.tell(rule)
        one.launch_until_through()
        one.check(undisturbed.expected)
    with trial(mutation) as one, pytest.raises(AssertionError):
        one.tell(rule)
        one.launch_until_through()
        one.check(undisturbed.expected)


def test_without_the_look_by_title_a_kill_after_the_create_is_told_by_the_checks(trial, undisturbed):
    point = undisturbed.points.index("after POST /campaigns")
    with trial("no look by title") as one, pytest.raises(AssertionError):
        one.launch(kill_at=point)
        one.launch_until_through()
        one.check(undisturbed.expected)


def test_a_planner_that_sees_no_history_is_stopped_by_the_unique_constraint_alone(trial, undisturbed):
    with trial("forgets who got it") as one:
        one.launch_until_through()
        assert "AlreadyClaimed" in one.launch().error
        one.check(undisturbed.expected)

        with sqlite3.connect(one.settings.ledger_path) as ledger:
            ledger.execute("drop index one_claim")
        ledger.close()
        assert not one.launch().error
        with pytest.raises(AssertionError):
            one.check(undisturbed.expected)
        assert max(one.mailbox().values()) == 2
