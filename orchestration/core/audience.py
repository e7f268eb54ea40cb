"""Why a member of a segment gets no email, in which order the reasons count, and the sums that must come out.

The decisions over many rows are one query (the plan); this module names what that query may answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from orchestration.core.errors import LedgerError

LONDON = ZoneInfo("Europe/London")

# The first that applies is the one recorded, so a person's strongest "no" is the one they are told.
EXCLUSION_REASONS = {
    "suppressed": "bounced, complained or erased: not written to again (UK GDPR art. 17 and 21(3); PECR reg. 22)",
    "no_address": "no address is known",
    "no_consent": "not subscribed, or on no recorded basis (PECR reg. 22: consent or soft opt-in); unknown means no",
    "entered_before_start": "was in the segment before the campaign was started, and no backlog is sent",
    "already_sent": "has had this campaign, or is about to, and may not re-enter it yet",
    "policy": "the campaign is for health professionals only, and they are not known as one (CAP code 12.12)",
    "no_content": "fewer articles to read than the campaign's minimum",
}

# Found only later, from Mailchimp or from fresher data, between planning and sending.
DROP_REASONS = {
    "mailchimp_unsubscribed": "Mailchimp says unsubscribed: the objection stands wherever it was made (PECR reg. 22)",
    "mailchimp_cleaned": "Mailchimp says cleaned: the address bounced for good",
    "mailchimp_pending": "Mailchimp has asked the person to confirm, and waits for their answer; looked at again once a day",
    "mailchimp_transactional": "Mailchimp knows the person from orders only, which is no consent to marketing",
    "mailchimp_archived": "archived in Mailchimp, by hand or at the person's wish",
    "mailchimp_absent": "Mailchimp does not know the address any more, and unknown means no",
    "mailchimp_refused": "Mailchimp does not take the address: it looks fake, was erased, or is in a compliance state",
    "same_address": "another recipient of the wave has the same address: one email goes to it",
    "no_longer_addressable": "consent or address was gone by the time of sending (asked twice: PECR reg. 22)",
    "left_segment": "was not in the segment any more when it was to be sent: bought meanwhile, or gave the order back, say",
    "draft_deleted": "the draft was deleted in Mailchimp, by hand or by another ledger, before it was sent",
    "not_in_sent_to": "the ledger was put back to before the send, and Mailchimp did not send it to them",
    "cancelled": "the wave was cancelled before it was sent",
}


@dataclass(frozen=True)
class Manners:
    """How close together, over all campaigns, a person may be written to."""

    gap_hours: int = 16
    most_in_7_days: int = 3
    most_in_30_days: int = 8


MANNERS = Manners()

DEFERRAL_REASONS = {
    "capped": f"too soon or too often: at least {MANNERS.gap_hours} h apart, at most {MANNERS.most_in_7_days} in 7 days and "
    f"{MANNERS.most_in_30_days} in 30, one campaign at a time",
    "quiet_hours": "in the quiet hours of the night (QUIET_HOURS, London time; usual manners)",
}

# Each reason, as a person is told it.
MEANINGS = EXCLUSION_REASONS | DROP_REASONS | DEFERRAL_REASONS


def is_quiet(moment: datetime, hours: tuple[int, int] | None) -> bool:
    """Whether nobody should be written to at `moment`: `hours` are first quiet and first loud hour, in London; None never."""
    if hours is None:
        return False
    start, end = hours
    hour = moment.astimezone(LONDON).hour
    return start <= hour < end if start < end else hour >= start or hour < end


def reason_known(outcome: str, reason: str | None) -> bool:
    """Whether that reason may stand with that outcome: recipients and holdouts have none, the others must have one."""
    if outcome in ("recipient", "holdout"):
        return reason is None
    if outcome == "deferred":
        return reason in DEFERRAL_REASONS
    return reason in EXCLUSION_REASONS or reason in DROP_REASONS


def drop_reason(mailchimp_status: str | None) -> str:
    """The reason for a recipient whose status in Mailchimp is not `subscribed`; None is an address it doesn't know."""
    reason = f"mailchimp_{mailchimp_status or 'absent'}"
    return reason if reason in DROP_REASONS else "mailchimp_refused"


def check_sums(segment_size: int, counts: Mapping[str, Any]) -> None:
    """Every member of the segment has exactly one outcome. Raises LedgerError that names the difference.

    `counts` is a wave's: recipient and holdout as numbers, excluded and deferred as {reason: number}.
    """
    parts = {
        "recipients": counts.get("recipient", 0),
        "holdouts": counts.get("holdout", 0),
        "excluded": sum(counts.get("excluded", {}).values()),
        "deferred": sum(counts.get("deferred", {}).values()),
    }
    if sum(parts.values()) != segment_size:
        told = ", ".join(f"{number} {name}" for name, number in parts.items())
        raise LedgerError(
            f"The segment has {segment_size} members, but {sum(parts.values())} were decided on ({told}). "
            "The plan lost or doubled somebody: nothing was written."
        )
