"""Waves that Mailchimp knows and the ledger does not: adopted before anything is planned or sent.

A ledger restored from a backup, or begun anew on a used audience, has forgotten sends. Mailchimp has not: each campaign's
title carries its wave's id, its links the campaign's name, and sent-to says who got it.

    in Mailchimp          in the ledger: unknown, or before sending
    a draft               unknown: deleted there, and written down as cancelled; its people are due as ever
    scheduled, sending    nothing is planned or sent before it has come to an end
    sent                  sent here, too, with whoever got it as its recipients, and settled

Other ledgers that use the same audience are met in the same way. Each makes its draft, then looks, then sends; and each look
deletes the other's drafts. So of two that mean to write to the same people at the same moment, at most one can send.
"""

import logging
import re
import time
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from orchestration.components.delivery import settle
from orchestration.components.delivery_audience import Waits, delivering
from orchestration.components.delivery_campaign import delete_drafts, title_of
from orchestration.components.owners import owners_of
from orchestration.core.errors import MailchimpRefused, MailchimpUnknown, NotReadyToSend
from orchestration.core.wave import planned_at
from orchestration.resources.ledger import Ledger
from orchestration.resources.ledger_adoption import KNOWN_AS_SENT, FoundWave
from orchestration.resources.mailchimp import Gateway, PastCampaign
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings

log = logging.getLogger(__name__)

LOOK = "campaigns"
# What Mailchimp lists late is still seen; a look that goes back further than it must costs nothing but rows.
OVERLAP = timedelta(days=1)
# Until then Mailchimp may still be adding to sent-to.
SENT_TO_GROWS_FOR = timedelta(days=1)

_TITLE = re.compile(re.escape(title_of("")) + "(w[0-9a-v]{16})")
_DRAFTS = ("save", "paused")
_MOVING = ("schedule", "sending", "canceling")


class Adoption:
    """A look at the audience's campaigns, on behalf of `who`."""

    def __init__(
        self, settings: Settings, ledger: Ledger, gateway: Gateway, warehouse: Warehouse, who: str, waits: Waits
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._gateway = gateway
        self._warehouse = warehouse
        self._who = who
        self._waits = waits

    def look(self) -> list[str]:
        """Adopt what has to be; the ids of the waves that were. One call to Mailchimp when there is nothing.

        Raises NotReadyToSend for a campaign whose end has to be waited for or that can't be told apart, MailchimpUnknown
        when Mailchimp can't be asked: nothing may be planned or sent then.
        """
        seen = self._ledger.looked_upto(LOOK)
        # Mailchimp first: a wave of this ledger is in it before it is in Mailchimp, so none of them can look unknown.
        found = self._gateway.campaigns_since(seen and seen - OVERLAP)
        ours = [(match[1], one) for one in found if (match := _TITLE.fullmatch(one.title))]
        adopted = []
        if self._unknown(ours):
            with delivering(self._settings, "that Mailchimp knows and the ledger doesn't", self._waits):
                for wave_id, campaign in self._unknown(ours):
                    self._adopt(wave_id, campaign)
                    adopted.append(wave_id)
        if found:
            waiting = [one.created_at for _, one in ours if one.status in (*_DRAFTS, *_MOVING)]
            upto = min(waiting, default=found[-1].created_at)
            if seen is None or upto > seen:
                self._ledger.record_look(LOOK, upto)
        return adopted

    def _unknown(self, ours: Collection[tuple[str, PastCampaign]]) -> list[tuple[str, PastCampaign]]:
        states = self._ledger.states_of({wave_id for wave_id, _ in ours})
        return [(wave_id, one) for wave_id, one in ours if _is_unknown(states.get(wave_id), one)]

    def _adopt(self, wave_id: str, campaign: PastCampaign) -> None:
        if campaign.status in _MOVING:
            campaign = self._seen_through(wave_id, campaign)
        if campaign.status in _DRAFTS:
            self._take_back(wave_id, campaign)
        else:
            self._take_over(wave_id, campaign)

    def _seen_through(self, wave_id: str, campaign: PastCampaign) -> PastCampaign:
        """The campaign when it has been sent."""
        give_up = time.monotonic() + self._waits.report_limit
        while campaign.status in ("sending", "canceling") and time.monotonic() < give_up:
            time.sleep(self._waits.poll)
            again = self._gateway.campaigns_since(campaign.created_at)
            campaign = next((one for one in again if one.id == campaign.id), campaign)
        if campaign.status in _MOVING:
            raise NotReadyToSend(
                f"In Mailchimp, campaign {campaign.id} of wave {wave_id} is {campaign.status}, of which this ledger knows "
                "nothing: it was restored or begun anew, or another uses the same audience. Nothing is planned or sent before "
                "that campaign is sent, or taken back there. Then start again."
            )
        return campaign

    def _take_back(self, wave_id: str, campaign: PastCampaign) -> None:
        name = self._name(wave_id, campaign) or "unknown"
        why = "a draft in Mailchimp that this ledger did not know; deleted there"
        self._ledger.adopt_unsent(
            _found(wave_id, campaign, name, None), who=self._who, why=why, at=self._settings.now()
        )
        delete_drafts(self._ledger, self._gateway, wave_id, self._waits)
        log.warning(
            "Wave %s: Mailchimp had a draft of it that this ledger did not know. It is deleted there, and its people are due "
            "as ever. If another ledger uses this audience, give it one of its own.",
            wave_id,
        )

    def _take_over(self, wave_id: str, campaign: PastCampaign) -> None:
        name = self._name(wave_id, campaign)
        if name is None:
            raise NotReadyToSend(
                f"Mailchimp has sent campaign {campaign.id}, titled {campaign.title!r}, of which this ledger knows nothing; no "
                "link in it says which campaign of ours it was. Nothing is planned or sent before that is clear: if it is "
                "none of ours, give it another title in Mailchimp."
            )
        people = self._readers(wave_id, campaign)
        now = self._settings.now()
        at = _on_our_clock(wave_id, campaign, now)
        owners = owners_of(self._settings, self._warehouse, dict.fromkeys(people.values(), at))
        number = self._ledger.adopt_sent(
            _found(wave_id, campaign, name, at),
            [(owners[address].contact_id, address) for address in people.values()],
            who=self._who,
            why="Mailchimp has sent it, and this ledger did not know",
            at=now,
        )
        log.warning("Wave %s of %s is adopted: Mailchimp has sent it to %d contacts.", wave_id, name, number)
        settle(
            self._settings,
            self._ledger,
            self._gateway,
            wave_id,
            self._who,
            waits=replace(self._waits, report_limit=0),
        )

    def _name(self, wave_id: str, campaign: PastCampaign) -> str | None:
        """The name of the campaign, from the ledger or from the links of the email."""
        if wave_id in self._ledger.states_of([wave_id]):
            return self._ledger.wave(wave_id).campaign
        link = re.compile(rf"utm_campaign=([a-z][a-z0-9_]*)&(?:amp;)?utm_content={wave_id}")
        found = link.search(" ".join(self._gateway.content(campaign.id)))
        return found and found[1]

    def _readers(self, wave_id: str, campaign: PastCampaign) -> dict[str, str]:
        """Who got it, or is about to: address hash → address.

        The wave's tag holds everybody it goes to and lives until the wave is settled, so whom Mailchimp's report is late
        with is in it. Without the tag the report has to be complete, or old enough to be as complete as it will ever be.
        """
        inside: dict[str, str] = {}
        tags = self._gateway.find_segments(wave_id)
        for tag in tags:
            inside |= self._gateway.segment_members(tag)
        give_up = time.monotonic() + self._waits.report_limit
        while True:
            sent = self._sent_to(campaign)
            lacking = max(1, campaign.emails_sent) - len(sent)  # nothing is sent to nobody: its figure is late, too
            if tags or lacking <= 0 or campaign.sent_at is None:
                break
            if datetime.now(UTC) - campaign.sent_at > SENT_TO_GROWS_FOR:
                log.warning("Wave %s: Mailchimp does not name %d of those it went to any more.", wave_id, lacking)
                break
            if time.monotonic() >= give_up:
                raise MailchimpUnknown(
                    f"Wave {wave_id}: Mailchimp's report does not name {lacking} of those it was sent to yet. Start again later."
                )
            time.sleep(self._waits.poll)
        return inside | sent

    def _sent_to(self, campaign: PastCampaign) -> dict[str, str]:
        try:
            return self._gateway.readers(campaign.id)
        except MailchimpRefused as error:
            if error.status != 404:
                raise
            return {}  # cancelled before the first email: it has no report


def _is_unknown(state: str | None, campaign: PastCampaign) -> bool:
    if campaign.status in ("canceled", "archived") and campaign.emails_sent == 0:
        return False  # nobody got it, and nobody can
    if state in (None, "cancelled"):
        return True
    return state not in KNOWN_AS_SENT and campaign.status not in _DRAFTS


def _found(wave_id: str, campaign: PastCampaign, name: str, sent_at: datetime | None) -> FoundWave:
    return FoundWave(wave_id, name, campaign.id, campaign.web_id, campaign.segment_id, sent_at)


def _on_our_clock(wave_id: str, campaign: PastCampaign, now: datetime) -> datetime:
    """When it was sent, by the business clock: after it was planned, and not in the future."""
    earliest = planned_at(wave_id)
    return max(earliest, min(campaign.sent_at or earliest, now))
