"""What comes back from an email: which word about it stands, and when sending has to stop (DESIGN 6, FACTS on usual manners).

Only a no is sticky: a bounce that turns out soft, or an email that was late, may be corrected; a no may only be replaced by a
stronger one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

# From the weakest to the strongest.
OBJECTIONS = ("unsubscribed", "hard_bounce", "complained")
SUPPRESSING = ("hard_bounce", "complained")
# Mailchimp's statuses of a member that are a no, and which one each is.
OBJECTION_OF_STATUS = {"unsubscribed": "unsubscribed", "cleaned": "hard_bounce"}


def is_complaint(reason: str) -> bool:
    """Whether the reason Mailchimp gives for an unsubscribe is a complaint."""
    return any(word in reason.lower() for word in ("abuse", "spam"))


def replaces(before: str | None, now: str) -> bool:
    """Whether what is said `now` of an email takes the place of what was said before."""
    if before in OBJECTIONS:
        return now in OBJECTIONS and OBJECTIONS.index(now) > OBJECTIONS.index(before)
    return before != now


@dataclass(frozen=True)
class Limit:
    """Sending stops when `share` of the emails were answered so, by `people` or more.

    With fewer people a share says nothing: one unsubscribe in a wave of ten is a tenth, and somebody changing their mind.
    """

    objection: str
    share: float
    people: int
    said: str

    @property
    def kind(self) -> str:
        """The kind of the stop it makes."""
        return self.said.replace(" ", "_")


COMPLAINTS = Limit("complained", 0.001, 2, "complaints")
IN_A_WAVE = (Limit("hard_bounce", 0.02, 3, "hard bounces"), Limit("unsubscribed", 0.01, 3, "unsubscribes"))
LIMITS = (COMPLAINTS, *IN_A_WAVE)
WINDOW = timedelta(days=30)
# A wave with fewer emails is judged together with the campaign's waves before it, up to as many: event-driven waves are small.
ENOUGH_EMAILS = 100

# Each kind of stop; one of each at a time.
PAUSED = "paused"
AUDIENCE = "audience"
BREAKERS = (*(limit.kind for limit in LIMITS), AUDIENCE)


@dataclass(frozen=True)
class WaveAnswers:
    """How many emails a wave sent, and how many contacts answered with each objection that nobody has forgiven yet."""

    wave_id: str
    campaign: str
    sent_at: datetime
    emails: int
    objections: Mapping[str, int]


@dataclass(frozen=True)
class Trip:
    """A breaker that trips: its kind, and why in words."""

    kind: str
    what: str


def trips(waves: Iterable[WaveAnswers], now: datetime) -> list[Trip]:
    """Which breakers the answers to these waves trip; waves sent longer ago than WINDOW don't count."""
    recent = sorted((wave for wave in waves if now - WINDOW < wave.sent_at), key=lambda wave: wave.sent_at)
    found = {}
    if in_all := _over(COMPLAINTS, recent):
        found[COMPLAINTS] = f"{in_all} in the last {WINDOW.days} days"
    for number, wave in enumerate(recent):
        if not wave.objections:
            continue
        sample = _sample(recent[: number + 1])
        for limit in IN_A_WAVE:
            if limit not in found and wave.objections.get(limit.objection) and (share := _over(limit, sample)):
                before = f" and the {len(sample) - 1} waves of {wave.campaign} before it" if len(sample) > 1 else ""
                found[limit] = f"{share} of wave {wave.wave_id}{before}"
    return [Trip(limit.kind, what) for limit, what in found.items()]


def _sample(waves: list[WaveAnswers]) -> list[WaveAnswers]:
    """The last of these waves, and the waves of its campaign before it until there are enough emails to speak of a share."""
    sample: list[WaveAnswers] = []
    for wave in reversed(waves):
        if sum(one.emails for one in sample) >= ENOUGH_EMAILS:
            break
        if wave.campaign == waves[-1].campaign:
            sample.append(wave)
    return sample


def _over(limit: Limit, waves: list[WaveAnswers]) -> str:
    """The share in words when it is too high, else empty."""
    emails = sum(wave.emails for wave in waves)
    people = sum(wave.objections.get(limit.objection, 0) for wave in waves)
    if people < limit.people or people < limit.share * emails:
        return ""
    return (
        f"{people} {limit.said} among {emails} emails ({people / max(1, emails):.2%}; the limit is {limit.share:.1%})"
    )


def has_shrunk(before: int | None, now: int) -> bool:
    """Whether an audience has lost so many subscribed members that somebody must have emptied it, by hand or by mistake."""
    return before is not None and before >= 10 and now < before / 2
