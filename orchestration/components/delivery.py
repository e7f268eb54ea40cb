"""A wave's way from planned to settled, through Mailchimp.

    draft     members, segment, campaign, content           planned  → drafted
    approve   by the draft's hash                           drafted  → approved
    send      consent again, fields, segment, checklist     approved → sending → sent
    settle    person by person against sent-to              sent     → settled
    cancel    the draft deleted, the claims freed           any before sending → cancelled

Each may be killed at any instruction and started again. Before every outside call its intent is recorded, after it its
outcome; whoever starts again looks in Mailchimp (title, tag name, membership, status) before doing anything a second
time. An operating-system lock lets one process deliver at a time; the kernel frees it when that process dies.
"""

import logging
from dataclasses import replace
from datetime import datetime

from orchestration.components.coupons import export_coupons
from orchestration.components.delivery_audience import (
    SignedUp,
    StillAddressable,
    Waits,
    ask_consent_again,
    delivering,
    free_everybody,
    match_segment,
    recorded,
    write_fields,
)
from orchestration.components.delivery_campaign import (
    GONE,
    campaigns_of,
    check_approval,
    check_unchanged,
    delete_drafts,
    make_campaign,
    status_after_any_send,
    wait_until_sent,
)
from orchestration.components.delivery_members import make_members
from orchestration.components.delivery_report import compare_person_by_person, name_missing
from orchestration.core.campaign import Campaign, Content, expected_send
from orchestration.core.errors import (
    IllegalMove,
    LedgerError,
    MailchimpRefused,
    MailchimpUnknown,
    NotReadyToSend,
)
from orchestration.core.wave import Wave, audience_hash, check_move, draft_hash
from orchestration.resources.ledger import Ledger
from orchestration.resources.mailchimp import Gateway
from orchestration.resources.renderer import Renderer
from orchestration.settings import Settings

log = logging.getLogger(__name__)


def draft(
    settings: Settings,
    ledger: Ledger,
    gateway: Gateway,
    renderer: Renderer,
    campaign: Campaign,
    wave_id: str,
    who: str,
    *,
    signed_up: SignedUp,
    waits: Waits | None = None,
) -> Wave:
    """planned → drafted: everything Mailchimp needs is there, and its hash is in the ledger.

    `signed_up` answers, for a set of contact ids, how each signed up at the address the wave has for them. A wave
    that loses all its recipients on the way is cancelled. One that somebody else took further meanwhile is left as it is.
    """
    waits = waits or Waits.of(settings)
    with delivering(settings, wave_id, waits):
        wave = _wave_of(ledger, campaign, wave_id)
        if wave.state != "planned":
            return wave
        rendered = renderer.render(
            campaign,
            wave_id=wave_id,
            content=Content.of(wave.content),
            as_of=wave.as_of,
            send_at=expected_send(campaign, settings.now()),
        )
        gateway.ensure_list()
        with recorded(ledger, wave_id, "ensure_merge_fields"):
            gateway.ensure_merge_fields()
        people = make_members(settings, ledger, gateway, wave_id, signed_up)
        if not people:
            return cancel(settings, ledger, gateway, wave_id, who, why="nobody was left to write to", waits=waits)
        with recorded(ledger, wave_id, "ensure_segment") as outcome:
            segment_id = outcome["id"] = gateway.ensure_segment(wave_id)
        match_segment(ledger, gateway, wave_id, segment_id, people)
        made = make_campaign(settings, ledger, gateway, wave_id, segment_id, rendered, waits)
        audience = audience_hash(ledger.drafted_audience(wave_id))
        return ledger.set_draft(
            wave_id,
            audience_hash=audience,
            draft_hash=draft_hash(audience, wave.content, rendered),
            mailchimp_campaign_id=made.id,
            mailchimp_web_id=made.web_id,
            mailchimp_segment_id=segment_id,
            who=who,
            why=f"{len(people)} recipients",
            at=settings.now(),
        )


def approve(ledger: Ledger, wave_id: str, draft_hash: str, who: str, at: datetime) -> Wave:
    """drafted → approved. Raises StaleApproval unless `draft_hash` is the draft's."""
    return ledger.approve(wave_id, draft_hash, who, at)


def send(
    settings: Settings,
    ledger: Ledger,
    gateway: Gateway,
    campaign: Campaign,
    wave_id: str,
    who: str,
    *,
    still_addressable: StillAddressable,
    waits: Waits | None = None,
) -> Wave:
    """approved → sending → sent. A wave that was sent already is left as it is: nothing goes out twice.

    `still_addressable` answers, for a set of contact ids, which of them may be written to by the freshest data.
    Raises StaleApproval when the draft is not what was approved, NotReadyToSend, MailchimpUnknown when the answer to
    the send stays lost: start again then.
    """
    waits = waits or Waits.of(settings)
    with delivering(settings, wave_id, waits):
        wave = _wave_of(ledger, campaign, wave_id)
        if wave.state in ("sent", "settled"):
            return wave
        if wave.state != "sending":
            check_move(wave.state, "sending", wave_id)
            check_approval(ledger, gateway, wave)
            wave = ledger.move(wave_id, "sending", who=who, why="approved and due", at=settings.now())
        for _ in range(waits.send_tries):
            why = _send_once(settings, ledger, gateway, wave, still_addressable, waits)
            if why:
                return ledger.move(wave_id, "sent", who=who, why=why, at=settings.now())
        raise MailchimpUnknown(
            f"Wave {wave_id}: {waits.send_tries} sends left no trace in Mailchimp. Start again later."
        )


def _send_once(
    settings: Settings,
    ledger: Ledger,
    gateway: Gateway,
    wave: Wave,
    still_addressable: StillAddressable,
    waits: Waits,
) -> str | None:
    """Why the wave counts as sent; None when the answer to the send was lost and is to be looked up."""
    campaign_id, segment_id = wave.mailchimp_campaign_id, wave.mailchimp_segment_id
    if campaign_id is None or segment_id is None:
        raise LedgerError(f"Wave {wave.wave_id} is {wave.state} but names no Mailchimp draft.")
    if _nobody_left(ledger, wave.wave_id):
        return "nobody was left to write to; nothing was sent"
    status = status_after_any_send(ledger, gateway, wave.wave_id, campaign_id, waits)
    if status == GONE:
        free_everybody(ledger, wave.wave_id, "draft_deleted")
        return "its draft was deleted in Mailchimp before it was sent; nothing was sent, and its people are due again"
    if status == "save":
        written = write_fields(settings, ledger, gateway, wave.wave_id)
        people = ask_consent_again(ledger, gateway, wave.wave_id, still_addressable, written)
        if not people:
            delete_drafts(ledger, gateway, wave.wave_id, waits)
            return "nobody was left to write to; nothing was sent"
        match_segment(ledger, gateway, wave.wave_id, segment_id, people)
        check_unchanged(ledger, gateway, wave.wave_id, campaign_id)
        if wrong := gateway.checklist(campaign_id):
            raise NotReadyToSend(f"Wave {wave.wave_id}: Mailchimp won't send it: {'; '.join(wrong)}")
        export_coupons(settings, ledger, wave)  # before anybody has a code, and of none that is sent to nobody
        status = _make_the_send(ledger, gateway, wave.wave_id, campaign_id)
        if status is None:
            return None
    return f"Mailchimp says {wait_until_sent(gateway, wave.wave_id, campaign_id, status, waits)}"


def _make_the_send(ledger: Ledger, gateway: Gateway, wave_id: str, campaign_id: str) -> str | None:
    """The status after the send; None when its answer was lost. The intent stays open then: it says "maybe"."""
    intent = ledger.record_intent(wave_id, "send", {"campaign_id": campaign_id})
    try:
        gateway.send(campaign_id)
    except MailchimpUnknown as error:
        log.warning("Wave %s: %s It is looked up.", wave_id, error)
        return None
    except MailchimpRefused as error:
        status = gateway.status(campaign_id)
        if status in ("sending", "sent"):
            ledger.record_outcome(intent, "done", {"status": status})
            return status
        ledger.record_outcome(intent, "failed", {"why": str(error)})
        raise NotReadyToSend(f"Wave {wave_id}: {error}") from error
    ledger.record_outcome(intent, "done")
    return "sending"


def settle(
    settings: Settings, ledger: Ledger, gateway: Gateway, wave_id: str, who: str, *, waits: Waits | None = None
) -> Wave:
    """sent → settled: what Mailchimp says of each recipient is in the ledger, and the wave's tag is gone there.

    While Mailchimp's sent-to does not account for every recipient the wave stays `sent`, and whoever is missing is named
    in the log: settle it again later.
    """
    waits = waits or Waits.of(settings)
    with delivering(settings, wave_id, waits):
        wave = ledger.wave(wave_id)
        if wave.state == "settled":
            return wave
        check_move(wave.state, "settled", wave_id)
        why = "nothing was sent"
        if not _nobody_left(ledger, wave_id):
            found = compare_person_by_person(ledger, gateway, wave, waits, now=settings.now())
            if found.missing:
                name_missing(wave_id, found.missing)
                return wave
            why = found.sums
        delete_drafts(ledger, gateway, wave_id, waits, keep=wave.mailchimp_campaign_id)
        return ledger.move(wave_id, "settled", who=who, why=why, at=settings.now())


def cancel(
    settings: Settings,
    ledger: Ledger,
    gateway: Gateway,
    wave_id: str,
    who: str,
    *,
    why: str,
    waits: Waits | None = None,
) -> Wave:
    """planned, drafted or approved → cancelled. The draft in Mailchimp goes first, so that nobody can send it there.

    Raises IllegalMove for a wave that is sending or later, or that somebody sent or scheduled in Mailchimp itself.
    """
    waits = waits or Waits.of(settings)
    with delivering(settings, wave_id, waits):
        check_move(ledger.wave(wave_id).state, "cancelled", wave_id)
        for found in campaigns_of(ledger, gateway, wave_id, waits):
            if found.status != "save":
                raise IllegalMove(
                    f"Wave {wave_id} can't be cancelled: in Mailchimp its campaign {found.id} is {found.status}. "
                    "Its people count as written to."
                )
        delete_drafts(ledger, gateway, wave_id, waits)
        return ledger.move(wave_id, "cancelled", who=who, why=why, at=settings.now())


def resume(
    settings: Settings,
    ledger: Ledger,
    gateway: Gateway,
    renderer: Renderer,
    campaign: Campaign,
    wave_id: str,
    who: str,
    *,
    still_addressable: StillAddressable,
    signed_up: SignedUp,
    waits: Waits | None = None,
) -> Wave:
    """Take a wave onward from wherever it was left, as far as its approval allows: a draft by hand waits for one."""
    wave = ledger.wave(wave_id)
    if wave.state == "sent":
        # Its report was late when it went out. A run looks once, it has other waves to see to.
        waits = replace(waits or Waits.of(settings), report_limit=0)
    if wave.state == "planned":
        wave = draft(settings, ledger, gateway, renderer, campaign, wave_id, who, signed_up=signed_up, waits=waits)
    if wave.state == "drafted" and campaign.approval == "automatic" and wave.draft_hash is not None:
        wave = approve(ledger, wave_id, wave.draft_hash, who, settings.now())
    if wave.state in ("approved", "sending"):
        wave = send(settings, ledger, gateway, campaign, wave_id, who, still_addressable=still_addressable, waits=waits)
    if wave.state == "sent":
        wave = settle(settings, ledger, gateway, wave_id, who, waits=waits)
    return wave


def _nobody_left(ledger: Ledger, wave_id: str) -> bool:
    return next(ledger.recipients(wave_id, "recipient"), None) is None


def _wave_of(ledger: Ledger, campaign: Campaign, wave_id: str) -> Wave:
    wave = ledger.wave(wave_id)
    if wave.campaign != campaign.name:
        raise LedgerError(f"Wave {wave_id} is of campaign {wave.campaign}, not {campaign.name}.")
    return wave
