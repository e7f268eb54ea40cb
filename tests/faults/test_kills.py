"""A launch is killed (SIGKILL) before and after every call to Mailchimp and every commit of the ledger, and started again."""

import signal

import pytest

PARTS = 8  # so that two workers can share them


@pytest.mark.parametrize("part", range(PARTS))
def test_killed_at_any_point_and_started_again_everybody_gets_one_email(trial, undisturbed, drawn, count, part):
    for point in drawn(list(range(part, len(undisturbed.points), PARTS)), f"kill {part}"):
        with trial() as one:
            killed = one.launch(kill_at=point)
            assert killed.signal == signal.SIGKILL, f"point {point}: {killed.error}"
            one.launch_until_through()
            one.check(undisturbed.expected)
        when, *what = killed.points[-1].split()
        count(f"killed {when} a {'commit' if what == ['commit'] else 'call'}")
