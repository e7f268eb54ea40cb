"""What a person is told of without having asked, and when: once for each occurrence. No text holds personal data.

An occurrence has a key. It is told when its key turns up, and again only after it was gone in between.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

# Of a day's rows of one source; with fewer rejects than that a share says nothing.
REJECTS_SHARE = 0.05
REJECTS_AT_LEAST = 10
# A source is silent when it has been so for twice as long as ever in the last two weeks, nights and weekends included.
SILENCE_WINDOW = timedelta(days=14)
SILENCE_AT_LEAST = timedelta(hours=6)
ARRIVALS_AT_LEAST = 10
# Whoever paused all sends may have forgotten it by then, and nobody misses an email that doesn't come.
PAUSE_FORGOTTEN = timedelta(days=3)


@dataclass(frozen=True)
class Alert:
    """One thing to tell."""

    key: str
    subject: str
    text: str


@dataclass(frozen=True)
class Arrivals:
    """How often something of a source arrived within SILENCE_WINDOW, the longest time between, and the last time."""

    source: str
    count: int
    longest_gap: timedelta
    last: datetime


def failed_run(job: str, run_id: str, url: str) -> Alert:
    """A job's run failed. While it goes on failing that is one occurrence."""
    return Alert(
        f"run {job}", f"Job {job} failed", f"Run {run_id} of job {job} failed. What went wrong: {url}/runs/{run_id}"
    )


def too_many_rejects(source: str, rows: int, rejects: int) -> Alert | None:
    """More of a source's rows of the last day than REJECTS_SHARE could not be read."""
    if rejects < REJECTS_AT_LEAST or rejects <= REJECTS_SHARE * rows:
        return None
    return Alert(
        f"rejects {source}",
        f"{rejects / rows:.0%} of {source} could not be read",
        f"{rejects} of {rows} rows of {source} that arrived in the last day were rejected. `make rejects` says why.",
    )


def silence(arrivals: Arrivals, now: datetime) -> Alert | None:
    """Nothing has arrived for much longer than usual."""
    quiet_for = now - arrivals.last
    if arrivals.count < ARRIVALS_AT_LEAST or quiet_for <= max(SILENCE_AT_LEAST, 2 * arrivals.longest_gap):
        return None
    hours, usual = quiet_for / timedelta(hours=1), arrivals.longest_gap / timedelta(hours=1)
    return Alert(
        f"silence {arrivals.source}",
        f"No {arrivals.source} for {hours:.0f} hours",
        f"The last {arrivals.source} arrived {arrivals.last:%Y-%m-%d %H:%M} UTC, {hours:.0f} hours ago; in the two weeks before "
        f"there were never more than {usual:.1f} hours between. See whether the shop still sends.",
    )


def stopped(kind: str, what: str) -> Alert:
    """A breaker stopped all sends."""
    return Alert(
        f"stop {kind}",
        "All sends are stopped",
        f"{what.rstrip('.')}. Find out why, then launch the job `sending` in Dagster with `action: release`.",
    )


def forgotten_pause(paused_at: datetime, now: datetime) -> Alert | None:
    """Somebody paused all sends, long ago."""
    if now - paused_at <= PAUSE_FORGOTTEN:
        return None
    return Alert(
        "pause",
        f"All sends have been paused for {(now - paused_at).days} days",
        f"They were paused {paused_at:%Y-%m-%d %H:%M} UTC, and no email has gone out since. If that is not meant any more, "
        "launch the job `sending` in Dagster with `action: resume`; its last run with `action: pause` says why they were paused.",
    )


def webhook_off(webhook_id: str, topic: str) -> Alert:
    """WooCommerce switched a webhook off, as it does after five failures."""
    return Alert(
        f"webhook {webhook_id}",
        f"WooCommerce has switched webhook {topic} off",
        f"Webhook {webhook_id} ({topic}) is disabled after repeated failures. What it would have told is pulled every quarter of "
        "an hour. Find out why it failed, then set it to active: WooCommerce > Settings > Advanced > Webhooks.",
    )


def news(found: Iterable[Alert], told: Collection[str]) -> list[Alert]:
    """Those whose occurrence has not been told yet."""
    return [alert for alert in found if alert.key not in told]
