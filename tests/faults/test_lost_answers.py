"""Every endpoint fails in every way that Mailchimp has: once, and so often that a launch gives up."""

import pytest

from orchestration.sandbox.faults import CLOSE, DRAWN, REFUSE_MEMBERS, TIMEOUT

PARTS = 8
LASTING = 6  # more often than a launch tries
TOGETHER = 3  # so many endpoints fail in one trial, once each


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_an_endpoint_answers_everybody_gets_one_email(trial, undisturbed, drawn, count, part):
    endpoints = list(undisturbed.endpoints)
    groups = [endpoints[first : first + TOGETHER] for first in range(0, len(endpoints), TOGETHER)]
    once = [(group, fault, when, 1) for group in groups for fault, when in DRAWN]
    # `timeout` and `slow` are as `close` is, only that one waits longer
    lasting = [
        ([one], fault, when, LASTING) for one in endpoints for fault, when in DRAWN if fault not in (TIMEOUT, "slow")
    ]
    for failing, fault, when, times in drawn([*once, *lasting][part::PARTS], f"answers {part}"):
        with trial() as one:
            rule = {"fault": fault, "when": when, "times": times}
            if fault in (TIMEOUT, "slow"):
                rule["seconds"] = 1
            one.tell(*({**rule, "endpoint": endpoint} for endpoint in failing))
            one.launch_until_through()
            fired = [told["fired"] > 0 for told in one.get("/sandbox/faults")["faults"]]
            assert fired == [True] * len(failing), (failing, fault, when)
            one.check(undisturbed.expected)
        for _ in failing:
            count(f"{fault} {when} the work, {'once' if times == 1 else 'again and again'}")


def test_a_fault_of_any_kind_at_any_time_delays_but_does_not_hurt(trial, undisturbed, count):
    for seed in range(3):
        with trial() as one:
            one.tell({"endpoint": "*", "fault": "any", "chance": 0.05, "seed": seed, "seconds": 0.6})
            one.launch_until_through()
            one.check(undisturbed.expected)
        count("5 % of all calls")


def test_the_second_call_of_the_send_after_a_lost_one_is_not_made(trial, undisturbed, count):
    with trial() as one:
        one.tell({"endpoint": "POST /campaigns/{id}/actions/send", "fault": CLOSE, "when": "after"})
        one.launch_until_through()
        one.check(undisturbed.expected)
        sends = [call for call in one.get("/sandbox/calls")["calls"] if call["path"].endswith("/actions/send")]
        assert sum(call["count"] for call in sends) == 1
    count("close after the work, once")


def test_members_that_are_refused_within_a_200_get_nothing_and_the_others_theirs(trial, undisturbed, count):
    with trial() as one:
        one.tell({"endpoint": "POST /lists/{list_id}", "fault": REFUSE_MEMBERS, "members": 2})
        one.launch_until_through()
        refused = one.refused()
        # one of the two may be who is refused anyway
        assert len(refused & undisturbed.expected) in (1, 2)
        one.check(undisturbed.expected - refused)
    count("refused members in a 200")
