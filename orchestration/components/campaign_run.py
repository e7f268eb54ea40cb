"""One launch of a campaign: rehearse, draft, send or cancel.

Before anything is planned or sent, and once more before each send, waves that Mailchimp knows and the ledger doesn't are adopted.
What an earlier launch left half done is taken up first: a wave that was planned is drafted, one that may be sent is sent.
Then, unless a draft is still waiting for somebody's approval, a new wave is planned for those who are due now.
"""

import logging
from collections.abc import Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from orchestration.components import delivery
from orchestration.components.adoption import Adoption
from orchestration.components.checked_renderer import CheckedRenderer
from orchestration.components.delivery_audience import Waits
from orchestration.components.freshest import doubtful_since, last_signups, still_addressable, still_members
from orchestration.components.planning import Plan, plan
from orchestration.components.sending import audience_is_emptied, check_sending, without_fresh_noes
from orchestration.components.services import Services
from orchestration.core.audience import LONDON, is_quiet
from orchestration.core.campaign import Campaign, Content, Rendered, expected_send
from orchestration.core.contracts import SIGNUPS
from orchestration.core.errors import PolicyBlocked, StaleApproval
from orchestration.core.signup import Signup
from orchestration.core.wave import Wave
from orchestration.resources.landing import ingest
from orchestration.resources.landing_look import look
from orchestration.resources.landing_read import LandingFile

log = logging.getLogger(__name__)

Action = Literal["rehearse", "draft", "send", "cancel"]
# A wave in one of these is somebody's unfinished business.
UNFINISHED = ("planned", "drafted", "approved", "sending", "sent")
NOT_BEGUN = ("planned", "drafted", "approved")


@dataclass(frozen=True)
class CampaignRun:
    """What a launch did: the plan it made (None while a draft waits for approval), the email, the waves it moved, those of them
    that an earlier launch had left half done and this one has sent, and why an email was not drafted, where it may not go out."""

    campaign: str
    action: Action
    plan: Plan | None = None
    sample: Rendered | None = None
    waves: list[Wave] = field(default_factory=list)
    taken_up: list[Wave] = field(default_factory=list)
    blocked: PolicyBlocked | None = None

    @property
    def sent(self) -> list[Wave]:
        """The waves that this launch found or brought to the end."""
        return [wave for wave in self.waves if wave.state in ("sent", "settled")]


def run_campaign(
    services: Services, campaign: Campaign, action: Action, *, who: str, approve: str | None = None
) -> CampaignRun:
    """Launch `campaign`. `approve` is the hash of a draft that may go out; a campaign with automatic approval needs none.

    Raises StaleApproval when no draft of the campaign has that hash, SendingStopped when somebody or a breaker stopped all sends,
    and whatever stopped the wave; launched again, it goes on. A wave whose email may not go out stays planned, and is `blocked`.
    """
    if action == "rehearse":
        return _rehearse(services, campaign, who)
    if action == "cancel":
        return _cancel(services, campaign, who)
    _adopt(services, who)
    if approve is not None:
        _approve(services, campaign, approve, who)
    launch = _Launch(services, campaign, action, who)
    found = services.ledger.waves(campaign.name, UNFINISHED)
    moved = [launch.onward(wave) for wave in found]
    taken_up = [
        after
        for before, after in zip(found, moved, strict=True)
        if before.state != "sent" and after.state in ("sent", "settled")
    ]
    if launch.blocked or any(wave.state == "drafted" for wave in moved):
        return CampaignRun(campaign.name, action, waves=moved, taken_up=taken_up, blocked=launch.blocked)
    if action == "send":
        # before anybody's place in the campaign is taken by a wave that can't go out
        check_sending(services.ledger, services.settings.now())
    planned = plan(
        services.settings, services.ledger, services.warehouse, campaign, who=who, why=f"launched to {action}"
    )
    if planned.wave_id is None:
        return CampaignRun(campaign.name, action, plan=planned, waves=moved, taken_up=taken_up)
    if not planned.has_recipients:
        wave = services.ledger.move(
            planned.wave_id, "cancelled", who=who, why="nobody is due", at=services.settings.now()
        )
    else:
        wave = launch.onward(services.ledger.wave(planned.wave_id))
    return CampaignRun(
        campaign.name, action, plan=planned, waves=[*moved, wave], taken_up=taken_up, blocked=launch.blocked
    )


def _adopt(services: Services, who: str) -> None:
    settings = services.settings
    Adoption(settings, services.ledger, services.gateway, services.warehouse, who, Waits.of(settings)).look()


def _check_audience(services: Services, who: str) -> None:
    """A draft makes members of those whom Mailchimp does not know: not of an audience that was just emptied."""
    if audience_is_emptied(services.settings, services.ledger, services.gateway, who):
        check_sending(services.ledger, services.settings.now())


def _rehearse(services: Services, campaign: Campaign, who: str) -> CampaignRun:
    planned = plan(
        services.settings, services.ledger, services.warehouse, campaign, who=who, why="rehearsal", rehearse=True
    )
    if not planned.has_recipients:
        return CampaignRun(campaign.name, "rehearse", plan=planned)
    parts = {"wave_id": "rehearsal", "content": planned.content}
    send_at = expected_send(campaign, services.settings.now())
    sample = services.renderer.render(campaign, **parts, as_of=planned.as_of, send_at=send_at)
    found = CheckedRenderer(services.renderer, services.warehouse).check(campaign, sample, **parts)
    blocked = PolicyBlocked(campaign.name, found) if found else None
    return CampaignRun(campaign.name, "rehearse", plan=planned, sample=sample, blocked=blocked)


def _cancel(services: Services, campaign: Campaign, who: str) -> CampaignRun:
    waves = [
        delivery.cancel(
            services.settings, services.ledger, services.gateway, wave.wave_id, who, why="cancelled by hand"
        )
        for wave in services.ledger.waves(campaign.name, NOT_BEGUN)
    ]
    return CampaignRun(campaign.name, "cancel", waves=waves)


def _approve(services: Services, campaign: Campaign, draft_hash: str, who: str) -> None:
    waiting = services.ledger.waves(campaign.name, ["drafted"])
    meant = [wave for wave in waiting if draft_hash in (shown_hash(wave), wave.draft_hash)]
    if not meant:
        hashes = ", ".join(f"{shown_hash(wave)} (wave {wave.wave_id})" for wave in waiting) or "none"
        raise StaleApproval(
            f"Campaign {campaign.name} has no draft with the hash {draft_hash}. Waiting for approval: {hashes}. "
            "Look at the draft again and approve the hash it has now."
        )
    for wave in meant:
        delivery.approve(services.ledger, wave.wave_id, wave.draft_hash, who, services.settings.now())


def shown_hash(wave: Wave) -> str:
    """A draft's hash as people see and give it: its first 16 digits, since Dagster cuts off the 64."""
    return (wave.draft_hash or "")[:16]


class _Launch:
    """One launch of a campaign, which takes its waves onward."""

    def __init__(self, services: Services, campaign: Campaign, action: Action, who: str) -> None:
        self._services = services
        self._campaign = campaign
        self._action = action
        self._who = who
        self._renderer = CheckedRenderer(services.renderer, services.warehouse)
        self.blocked: PolicyBlocked | None = None

    def onward(self, wave: Wave) -> Wave:
        """Take a wave as far as the launch may. One whose email may not go out stays where it is, and `blocked` says why."""
        try:
            return self._onward(wave)
        except PolicyBlocked as blocked:
            self.blocked = blocked
            return self._services.ledger.wave(wave.wave_id)

    def _onward(self, wave: Wave) -> Wave:
        services, who = self._services, self._who
        outside = (services.settings, services.ledger, services.gateway, self._renderer)
        now = services.settings.now()
        # What is on its way already is finished at any hour; an approval given at night goes out in the morning.
        is_night = wave.state in NOT_BEGUN and is_quiet(now, services.settings.quiet_hours)

        def emails_of(contact_ids: Set[str]) -> dict[str, str]:
            people = (person for batch in services.ledger.recipients(wave.wave_id, "recipient") for person in batch)
            return {person.contact_id: person.email or "" for person in people if person.contact_id in contact_ids}

        def signed_up(contact_ids: Set[str]) -> dict[str, Signup]:
            return last_signups(services.warehouse, emails_of(contact_ids))

        if self._action == "draft" or is_night:
            if wave.state != "planned":
                return wave
            _check_audience(services, who)
            return delivery.draft(*outside, self._campaign, wave.wave_id, who, signed_up=signed_up)

        if wave.state in NOT_BEGUN:
            if _codes_ran_out(wave, now):
                why = "its codes have run out; its people are due again"
                return delivery.cancel(services.settings, services.ledger, services.gateway, wave.wave_id, who, why=why)
            _take_out_who_left(services, self._campaign, wave)
            _check_audience(services, who)
            check_sending(services.ledger, now)

        def still(contact_ids: Set[str]) -> set[str]:
            _adopt(services, who)  # another ledger on this audience may have written to them since
            check_sending(services.ledger, services.settings.now())
            _take_in_noes(services)
            emails = emails_of(contact_ids)
            fine = still_addressable(services.warehouse, emails) - doubtful_since(
                services.warehouse, emails, wave.as_of
            )
            return without_fresh_noes(services.ledger, services.warehouse, fine)

        return delivery.resume(
            *outside, self._campaign, wave.wave_id, who, still_addressable=still, signed_up=signed_up
        )


def _codes_ran_out(wave: Wave, now: datetime) -> bool:
    """A draft may have waited for longer than its codes hold."""
    offer = Content.of(wave.content).offer
    return offer is not None and offer.closes_on < now.astimezone(LONDON).date()


def _take_in_noes(services: Services) -> None:
    """A no that has landed counts, ingested or not: whoever said it was told that it is heard.

    Only files that hold one are taken: what is ingested here starts no run of its own.
    """
    landed = look(services.settings, services.warehouse).new
    noes = [file for file in landed if file.source == SIGNUPS.name and _may_hold_a_no(services, file)]
    if noes:
        ingest(services.settings, services.warehouse, noes)


def _may_hold_a_no(services: Services, file: LandingFile) -> bool:
    if file.format not in ("jsonl", "csv"):
        return True
    try:
        return b"unsubscribe" in (services.settings.landing_dir / file.path).read_bytes()
    except FileNotFoundError:
        return False


def _take_out_who_left(services: Services, campaign: Campaign, wave: Wave) -> None:
    """Who is not in the segment any more gets nothing: a welcome with a code for a first order is not for who bought meanwhile.

    Time passes between plan and send where a draft waits for approval, for the morning, or for a release.
    """
    for batch in services.ledger.recipients(wave.wave_id, "recipient"):
        members = still_members(services.warehouse, campaign.segment, {person.contact_id for person in batch})
        left = [(person.contact_id, "left_segment") for person in batch if person.contact_id not in members]
        if left:
            services.ledger.drop_recipients(wave.wave_id, left)
