"""The poll for feedback is killed (SIGKILL) at every call and commit: the next takes what is left, and nothing twice."""

import signal
import urllib.request
from collections import Counter

from orchestration.resources.ledger import Ledger
from orchestration.resources.mailchimp_audience import address_hash
from orchestration.resources.mailchimp_feedback import FeedbackGateway


def test_a_poll_killed_at_any_point_loses_no_answer_and_counts_none_twice(trial, drawn, count):
    with trial() as one:
        answered(one)
        points = one.poll().points
        expected = known(one)
    assert {no for no, _ in expected["noes"]} == {"unsubscribed", "hard_bounce", "complained"}
    for point in drawn(list(range(len(points))), "poll"):
        with trial() as one:
            answered(one)
            killed = one.poll(kill_at=point)
            assert killed.signal == signal.SIGKILL, killed.error
            assert not one.poll().error
            assert known(one) == expected
            assert not one.poll().error
            assert known(one) == expected
        count("a killed poll for feedback")


def answered(one) -> None:
    """The campaign went out; then somebody unsubscribed by its link, and Mailchimp gave up on somebody's address."""
    assert not one.launch().error
    emails = one.get("/outbox.json")
    [link] = [email["text_url"].removesuffix(".txt") for email in emails if email["to"] == "ann@mail.test"]
    urllib.request.urlopen(urllib.request.Request(f"{link}/unsubscribe", method="POST")).close()  # noqa: S310
    gateway = FeedbackGateway(one.settings)
    gateway.ensure_list()
    cleaned = {"email_address": "bob@mail.test", "status": "cleaned", "status_if_new": "cleaned"}
    gateway._lists.set_list_member(gateway.list_id, address_hash("bob@mail.test"), cleaned)


def known(one) -> dict:
    """What the ledger knows of the emails and the noes."""
    ledger = Ledger(one.settings)
    people = [person for wave in ledger.waves() for batch in ledger.recipients(wave.wave_id) for person in batch]
    return {
        "deliveries": {person.email: person.delivery for person in people if person.outcome == "recipient"},
        "noes": Counter((no["objection"], no["contact_id"]) for no in ledger.objections_after(0).to_pylist()),
    }
