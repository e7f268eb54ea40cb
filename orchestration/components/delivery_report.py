"""The part of delivery that is about what became of a wave that was sent, person by person."""

import logging
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from orchestration.components.delivery_audience import Waits, recipients_by_hash
from orchestration.core.errors import LedgerError
from orchestration.core.feedback import is_complaint, replaces
from orchestration.core.wave import Recipient, Wave
from orchestration.resources.ledger import Ledger
from orchestration.resources.mailchimp import Departure, Gateway

log = logging.getLogger(__name__)

NAMED = 20  # contacts that a message names at the most
# What Mailchimp's sent-to says → what the ledger calls it.
OF_SENT_TO = {"sent": "sent", "hard": "hard_bounce", "soft": "soft_bounce"}


@dataclass(frozen=True)
class Comparison:
    """The sums, in words, and the contact ids of those recipients of whom Mailchimp has not said anything yet."""

    sums: str
    missing: list[str]


def compare_person_by_person(
    ledger: Ledger, gateway: Gateway, wave: Wave, waits: Waits, *, now: datetime
) -> Comparison:
    """What became of each recipient goes into the ledger, as far as Mailchimp says it. `now` is the business clock.

    Mailchimp's reports lag behind the send, its figure of emails sent as well, so only sent-to counts, by person. It is
    looked at until it names everybody, for `report_limit` seconds at the most.
    """
    if wave.mailchimp_campaign_id is None or wave.sent_at is None:
        raise LedgerError(f"Wave {wave.wave_id} is {wave.state} but names no Mailchimp campaign, or no time.")
    people = recipients_by_hash(ledger, wave.wave_id)
    sent = _sent_to(gateway, wave.mailchimp_campaign_id, people, waits)
    left = gateway.unsubscribed(wave.mailchimp_campaign_id)
    told = told_of(people, sent, left)
    missing = people.keys() - told.keys()
    left_out = _left_out(gateway, wave.mailchimp_campaign_id, sent, {one: people[one] for one in missing})
    told.update(dict.fromkeys(left_out, "not_sent"))
    ledger.record_deliveries(
        wave.wave_id,
        [
            (people[one].contact_id, delivery, happened_at(wave, left.get(one), now))
            for one, delivery in told.items()
            if replaces(people[one].delivery, delivery)
        ],
    )
    strangers = len(sent.keys() - people.keys())
    if strangers:
        log.error("Wave %s: Mailchimp sent it to %d who were not its recipients.", wave.wave_id, strangers)
    sums = ", ".join(f"{number} {delivery}" for delivery, number in sorted(Counter(told.values()).items()))
    return Comparison(
        sums + (f", and {strangers} who were not recipients" if strangers else ""),
        sorted(people[one].contact_id for one in missing - left_out),
    )


def name_missing(wave_id: str, missing: list[str]) -> None:
    """Say in the log of whom Mailchimp has not said anything yet."""
    log.warning(
        "Wave %s stays sent: Mailchimp's sent-to doesn't name %d of its recipients yet, contacts %s. "
        "The next run looks again.",
        wave_id,
        len(missing),
        ", ".join(missing[:NAMED]) + (" …" if len(missing) > NAMED else ""),
    )


def _sent_to(gateway: Gateway, campaign_id: str, people: Mapping[str, Recipient], waits: Waits) -> dict[str, str]:
    give_up = time.monotonic() + waits.report_limit
    while True:
        sent = gateway.sent_to(campaign_id)
        if people.keys() <= sent.keys() or time.monotonic() >= give_up:
            return sent
        time.sleep(waits.poll)


def _left_out(
    gateway: Gateway, campaign_id: str, sent: Mapping[str, str], missing: Mapping[str, Recipient]
) -> set[str]:
    """Whom Mailchimp did not send to, because they were not subscribed any more when it did.

    Only once sent-to holds all that its figures speak of: before that, nobody can tell them from those it is late with.
    """
    if not missing or not sent or gateway.report(campaign_id)["emails_sent"] != len(sent):
        return set()
    members = gateway.members_of([person.email or "" for person in missing.values()])
    return {one for one in missing if one not in members or members[one].status != "subscribed"}


def told_of(people: Iterable[str], sent: Mapping[str, str], left: Mapping[str, Departure]) -> dict[str, str]:
    """What became of the email, by address hash, for those of these people whom sent-to or unsubscribed names."""
    return {one: _delivery(sent.get(one), left.get(one)) for one in people if one in sent or one in left}


def _delivery(sent: str | None, left: Departure | None) -> str:
    if left is not None:
        return "complained" if is_complaint(left.reason) else "unsubscribed"
    return OF_SENT_TO.get(sent or "", "not_sent")


def happened_at(wave: Wave, left: Departure | None, now: datetime) -> datetime:
    """When it happened, by the business clock: the send, or the moment they left by Mailchimp's word.

    Nobody can leave an email before they got it. So whatever the clocks say, theirs and ours, a no is later than every
    signup that the wave was planned on.
    """
    if left is None:
        return wave.sent_at or now
    return max(wave.as_of, wave.sent_at or now, left.at or now)
