"""The part of delivery that is about the campaign in Mailchimp: found by its title, made once, unchanged, sent once."""

import hashlib
import json
import logging
import time

from orchestration.components.delivery_audience import Waits, recorded
from orchestration.core.campaign import Rendered
from orchestration.core.errors import MailchimpRefused, MailchimpUnknown, NotReadyToSend, StaleApproval
from orchestration.core.wave import Wave, audience_hash
from orchestration.resources.ledger import Ledger
from orchestration.resources.mailchimp import CampaignState, Gateway
from orchestration.settings import Settings

log = logging.getLogger(__name__)

_GONE_OUT = ("sending", "sent")
GONE = "gone"


def title_of(wave_id: str) -> str:
    """The campaign's title in Mailchimp, by which it is found again."""
    return f"pennypost {wave_id}"


def make_campaign(
    settings: Settings,
    ledger: Ledger,
    gateway: Gateway,
    wave_id: str,
    segment_id: int,
    rendered: Rendered,
    waits: Waits,
) -> CampaignState:
    """The wave's one draft in Mailchimp, with its content, whether it had to be made or was there from before a kill."""
    wanted = {
        "subject": rendered.subject,
        "preview": rendered.preheader,
        "from_name": settings.from_name,
        "reply_to": settings.reply_to,
    }
    for _ in range(waits.send_tries):
        usable = None
        for found in campaigns_of(ledger, gateway, wave_id, waits):
            if found.status != "save":
                raise NotReadyToSend(
                    f"Wave {wave_id} is not drafted here, but in Mailchimp its campaign {found.id} is {found.status}. "
                    "Its people may have been written to: find out before anything is sent."
                )
            fits = found.segment_id == segment_id and all(getattr(found, k) == v for k, v in wanted.items())
            if fits and usable is None:
                usable = found
            else:
                _delete(ledger, gateway, wave_id, found.id)
        if usable is None:
            usable = _create(ledger, gateway, wave_id, segment_id, wanted)
        if usable is not None:
            return _fill(ledger, gateway, wave_id, usable, rendered)
    raise MailchimpUnknown(f"Wave {wave_id}: its campaign could not be made in Mailchimp. Start again later.")


def _create(
    ledger: Ledger, gateway: Gateway, wave_id: str, segment_id: int, wanted: dict[str, str]
) -> CampaignState | None:
    try:
        with recorded(ledger, wave_id, "create_campaign") as outcome:
            made = gateway.create_campaign(title_of(wave_id), segment_id, **wanted)
            outcome["id"] = made.id
    except MailchimpUnknown as error:
        log.warning("Wave %s: %s Its title is looked for.", wave_id, error)
        return None
    return made


def _fill(ledger: Ledger, gateway: Gateway, wave_id: str, campaign: CampaignState, rendered: Rendered) -> CampaignState:
    with recorded(ledger, wave_id, "set_content", campaign_id=campaign.id) as outcome:
        gateway.set_content(campaign.id, rendered.html, rendered.text)
        outcome["held"] = _held(gateway, campaign.id)
    return campaign


def campaigns_of(ledger: Ledger, gateway: Gateway, wave_id: str, waits: Waits) -> list[CampaignState]:
    """The wave's campaigns in Mailchimp, by title. A create that may still be under way is waited for."""
    open_creates = ledger.intents(wave_id, "create_campaign", ["intent"])
    give_up = time.monotonic() + (waits.create_limit if open_creates else 0)
    while not (found := gateway.find_campaigns(title_of(wave_id))) and time.monotonic() < give_up:
        time.sleep(waits.poll)
    for intent in open_creates:
        ledger.record_outcome(intent.id, "done" if found else "failed", {"found": [one.id for one in found]})
    return found


def check_approval(ledger: Ledger, gateway: Gateway, wave: Wave) -> None:
    """Whom and what was approved is whom and what will be sent: people taken out since keep it, all else voids it.

    Asked before the wave is sending, so that one whose draft is gone or changed can still be cancelled.
    """
    same_audience = audience_hash(ledger.drafted_audience(wave.wave_id)) == wave.audience_hash
    if wave.approved_hash is None or wave.approved_hash != wave.draft_hash or not same_audience:
        raise StaleApproval(f"Wave {wave.wave_id} is not what was approved. Cancel it and plan again.")
    if gateway.status(wave.mailchimp_campaign_id) == "save":
        check_unchanged(ledger, gateway, wave.wave_id, wave.mailchimp_campaign_id)


def check_unchanged(ledger: Ledger, gateway: Gateway, wave_id: str, campaign_id: str) -> None:
    """Raises StaleApproval when the draft in Mailchimp is not as we left it: somebody edited it there."""
    filled = ledger.intents(wave_id, "set_content", ["done"])
    if not filled or filled[-1].outcome.get("held") != _held(gateway, campaign_id):
        raise StaleApproval(
            f"Wave {wave_id}: its draft was changed in Mailchimp after it was made. Undo that there, or cancel the wave; one "
            "that is sending can't be cancelled any more: delete its draft there, and its people are due again."
        )


def _held(gateway: Gateway, campaign_id: str) -> str:
    """A hash of all that a reader could see of the draft, and of whom it goes to."""
    campaign, (html, text) = gateway.campaign(campaign_id), gateway.content(campaign_id)
    parts = [
        campaign.title,
        campaign.list_id,
        campaign.segment_id,
        campaign.subject,
        campaign.preview,
        campaign.from_name,
        campaign.reply_to,
        campaign.tracking,
        html,
        text,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def status_after_any_send(ledger: Ledger, gateway: Gateway, wave_id: str, campaign_id: str, waits: Waits) -> str:
    """The campaign's status, once it is certain: sending, sent, save, or GONE for one that was deleted and never sent.

    After a send whose answer is not known, `save` is believed only when it has stood for all of `send_limit`, counted
    from now: clocks may have been changed since. Raises NotReadyToSend for any other status.
    """
    open_sends = ledger.intents(wave_id, "send", ["intent"])
    give_up = time.monotonic() + (waits.send_limit if open_sends else 0)
    while (status := _status(gateway, campaign_id)) == "save" and time.monotonic() < give_up:
        time.sleep(waits.poll)
    if status == GONE:
        if ledger.intents(wave_id, "send", ["intent", "done"]):
            raise NotReadyToSend(
                f"Wave {wave_id}: its campaign {campaign_id} is gone from Mailchimp after a send. Whether it went out can't be "
                "seen any more, so its people count as written to."
            )
        return GONE
    if status != "save" and status not in _GONE_OUT:
        # it may have gone out to some before it was stopped: a send in doubt stays in doubt
        raise NotReadyToSend(
            f"Wave {wave_id}: in Mailchimp its campaign {campaign_id} is {status}. Bring it back to a draft there, "
            "then resume the wave."
        )
    for intent in open_sends:
        ledger.record_outcome(intent.id, "done" if status in _GONE_OUT else "failed", {"status": status})
    return status


def _status(gateway: Gateway, campaign_id: str) -> str:
    try:
        return gateway.status(campaign_id)
    except MailchimpRefused as error:
        if error.status != 404:
            raise
        return GONE


def wait_until_sent(gateway: Gateway, wave_id: str, campaign_id: str, status: str, waits: Waits) -> str:
    """`sent`, when Mailchimp says so. Raises MailchimpUnknown when it takes longer than `sent_limit`."""
    if status == "sent":
        return status
    return waits.until(
        lambda: "sent" if gateway.status(campaign_id) == "sent" else None,
        waits.sent_limit,
        f"Wave {wave_id}: Mailchimp is still sending it. Start again later to see it through.",
    )


def delete_drafts(ledger: Ledger, gateway: Gateway, wave_id: str, waits: Waits, *, keep: str | None = None) -> None:
    """Nothing of the wave is left in Mailchimp but what was sent (`keep`): its tag and any draft of its title go."""
    for found in campaigns_of(ledger, gateway, wave_id, waits):
        if found.status == "save" and found.id != keep:
            _delete(ledger, gateway, wave_id, found.id)
    for segment_id in gateway.find_segments(wave_id):
        with recorded(ledger, wave_id, "delete_segment", segment_id=segment_id):
            gateway.delete_segment(segment_id)


def _delete(ledger: Ledger, gateway: Gateway, wave_id: str, campaign_id: str) -> None:
    with recorded(ledger, wave_id, "delete_campaign", campaign_id=campaign_id):
        gateway.delete_campaign(campaign_id)
