"""What came back from the emails, and from the audience, taken into the ledger.

    the audience's size     halved at a stroke: somebody emptied it. All sends stop, and nothing is taken from it
    each wave's figures     where they differ from those read last: sent-to and unsubscribed, person by person
    complaints              where there are more of them than last time
    who left the audience   since the last look: by hand, by another campaign, or through a page of Mailchimp's

Waves are asked about for 30 days, also after they were settled: that is how long complaints count. When nothing happened that
is five calls and no write. How far waves and leavers were read moves in the transaction that writes what was read; complaints are
all read again until their number is written, too. Nothing here can make a yes of a no: the ledger only learns of noes, and of
what became of an email.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from orchestration.components.delivery_audience import recipients_by_hash
from orchestration.components.delivery_report import happened_at, told_of
from orchestration.components.owners import owners_of
from orchestration.components.sending import audience_is_emptied, check_breakers
from orchestration.core.feedback import (
    OBJECTION_OF_STATUS,
    WINDOW,
    is_complaint,
    replaces,
)
from orchestration.resources.ledger import Ledger
from orchestration.resources.ledger_feedback import SentWave
from orchestration.resources.mailchimp import Gateway
from orchestration.resources.mailchimp_feedback import Complaint, FeedbackGateway, Left
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings

log = logging.getLogger(__name__)

# What Mailchimp lists late is still seen.
OVERLAP = timedelta(hours=1)
# Until then a report's rows may lag behind its figures, and are read again while they do.
REPORT_IS_LATE = timedelta(days=3)
COMPLAINTS = "complaints"


@dataclass(frozen=True)
class Heard:
    """What a poll brought: waves read anew, deliveries and objections that were news, and whether the audience was emptied."""

    waves: int = 0
    deliveries: int = 0
    objections: int = 0
    is_emptied: bool = False


class Feedback:
    """A poll of Mailchimp, on behalf of `who`."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        gateway: Gateway,
        feedback_gateway: FeedbackGateway,
        warehouse: Warehouse,
        who: str,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._gateway = gateway
        self._feedback = feedback_gateway
        self._warehouse = warehouse
        self._who = who

    def poll(self) -> Heard:
        """Take what is new into the ledger, and trip the breakers it trips.

        Raises MailchimpUnknown or MailchimpRefused where Mailchimp does not answer; what was read to the end before that stays.
        """
        is_emptied = audience_is_emptied(self._settings, self._ledger, self._gateway, self._who)
        waves, deliveries = self._waves()
        objections = self._complaints()
        if not is_emptied:
            objections += sum(self._left(status) for status in OBJECTION_OF_STATUS)
        check_breakers(self._ledger, self._settings.now())
        return Heard(waves, deliveries, objections, is_emptied)

    def _waves(self) -> tuple[int, int]:
        """How many waves were read anew, and how many deliveries were news."""
        now = self._settings.now()
        waves = self._ledger.sent_since(now - WINDOW)
        if not waves:
            return 0, 0
        # By Mailchimp's clock, so a day more: clocks, and business days that are replayed, need not agree.
        figures = self._feedback.figures_since(datetime.now(UTC) - WINDOW - timedelta(days=1))
        said = self._ledger.said([wave.wave_id for wave in waves])
        changed = [
            wave
            for wave in waves
            if wave.mailchimp_campaign_id in figures
            and figures[wave.mailchimp_campaign_id] != said.get(wave.wave_id, {})
        ]
        return len(changed), sum(self._wave(wave, figures[wave.mailchimp_campaign_id], now) for wave in changed)

    def _wave(self, sent: SentWave, figures: Mapping[str, int], now: datetime) -> int:
        wave = self._ledger.wave(sent.wave_id)
        people = recipients_by_hash(self._ledger, sent.wave_id)
        sent_to = self._gateway.sent_to(sent.mailchimp_campaign_id)
        left = self._gateway.unsubscribed(sent.mailchimp_campaign_id)
        told = told_of(people, sent_to, left)
        is_told = _accounts_for(figures, sent_to, told) or now - sent.sent_at > REPORT_IS_LATE
        return self._ledger.record_deliveries(
            sent.wave_id,
            [
                (people[one].contact_id, delivery, happened_at(wave, left.get(one), now))
                for one, delivery in told.items()
                if replaces(people[one].delivery, delivery)
            ],
            said=figures if is_told else None,
        )

    def _complaints(self) -> int:
        found = self._feedback.complaints()
        if self._ledger.said([COMPLAINTS]).get(COMPLAINTS, {}).get("number", 0) == len(found):
            return 0
        waves = {wave.mailchimp_campaign_id: wave for wave in self._ledger.sent_since(self._settings.now() - WINDOW)}
        contacts = owners_of(self._settings, self._warehouse, {one.address: one.at for one in found})
        news = 0
        for one in found:
            if wave := waves.get(one.campaign_id):
                news += self._complained(wave, contacts[one.address].contact_id, one)
        news += self._ledger.record_objections(
            [(contacts[one.address].contact_id, "complained", one.at) for one in found]
        )
        self._ledger.record_said(COMPLAINTS, {"number": len(found)})
        return news

    def _complained(self, sent: SentWave, contact_id: str, complaint: Complaint) -> int:
        at = max(sent.sent_at, complaint.at)
        return self._ledger.record_deliveries(sent.wave_id, [(contact_id, "complained", at)])

    def _left(self, status: str) -> int:
        """How many noes of members who left were news."""
        look = f"left as {status}"
        seen = self._ledger.looked_upto(look)
        found = self._feedback.left_since(status, seen and seen - OVERLAP)
        if not found:
            return 0
        upto = max(found[-1].at, seen) if seen else found[-1].at
        told = list(self._objections(found))
        return self._ledger.record_objections(told, look=None if upto == seen else (look, upto))

    def _objections(self, found: Sequence[Left]) -> Iterator[tuple[str, str, datetime]]:
        owners = owners_of(self._settings, self._warehouse, {one.address: one.at for one in found})
        for one in found:
            objection = "complained" if is_complaint(one.reason) else OBJECTION_OF_STATUS[one.status]
            # An address that its contact has left may bounce; the contact's address of today does not.
            if objection != "hard_bounce" or owners[one.address].is_current:
                yield owners[one.address].contact_id, objection, one.at


def _accounts_for(figures: Mapping[str, int], sent_to: Mapping[str, str], told: Mapping[str, str]) -> bool:
    """Whether Mailchimp's lists hold all that its figures speak of."""
    bounced, left = Counter(sent_to.values()), Counter(told.values())
    return (
        len(sent_to) >= figures["emails_sent"]
        and bounced["hard"] >= figures["hard_bounces"]
        and bounced["soft"] >= figures["soft_bounces"]
        and left["unsubscribed"] + left["complained"] >= figures["unsubscribed"]
    )
