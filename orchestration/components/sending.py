"""Whether anything may be sent: the one switch, and the breakers (core.feedback). Both live in the ledger.

While sending is stopped, rehearsing, drafting and cancelling go on, and so does what has already left: it is seen through and
settled.
"""

import logging
from datetime import datetime
from typing import Literal

from duckdb import DuckDBPyConnection

from orchestration.core.errors import PennypostError, SendingStopped
from orchestration.core.feedback import (
    AUDIENCE,
    BREAKERS,
    LIMITS,
    PAUSED,
    SUPPRESSING,
    WINDOW,
    WaveAnswers,
    has_shrunk,
    trips,
)
from orchestration.resources.deliveries import taken_upto
from orchestration.resources.ledger import Ledger
from orchestration.resources.ledger_stops import Stop
from orchestration.resources.mailchimp import Gateway
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings

log = logging.getLogger(__name__)

Action = Literal["pause", "resume", "release"]


def check_breakers(ledger: Ledger, now: datetime) -> list[Stop]:
    """Trip the breakers that what is known by now trips; every stop there is. `now` is the business clock."""
    forgiven = ledger.forgiven()
    waves = ledger.sent_since(now - WINDOW)
    unforgiven = {limit.objection: forgiven.get(limit.kind, 0) for limit in LIMITS}
    answers = ledger.answers([wave.wave_id for wave in waves], unforgiven)
    known = [
        WaveAnswers(wave.wave_id, wave.campaign, wave.sent_at, wave.emails, answers.get(wave.wave_id, {}))
        for wave in waves
    ]
    for trip in trips(known, now):
        if ledger.stop(trip.kind, trip.what, who="breaker", at=now):
            log.error("All sends are stopped: %s.", trip.what)
    return ledger.stops()


def check_sending(ledger: Ledger, now: datetime) -> None:
    """Raises SendingStopped, which says why and what to do, unless emails may be sent."""
    if stops := check_breakers(ledger, now):
        raise SendingStopped(
            "Nothing is sent: " + "; ".join(described(one) for one in stops) + ". "
            "Find out why, then launch the job `sending` in Dagster with "
            + " and ".join(f"`action: {action}`" for action in _ways_out(stops))
            + " and a reason. Rehearsing and drafting go on meanwhile."
        )


def audience_is_emptied(settings: Settings, ledger: Ledger, gateway: Gateway, who: str) -> bool:
    """Whether Mailchimp's audience was emptied since the last look; all sends stop then, until somebody releases them.

    Else its size is kept for the next look. Raises MailchimpUnknown where it can't be asked.
    """
    if any(stop.kind == AUDIENCE for stop in ledger.stops()):
        return True
    size = gateway.subscribed_count()
    before = ledger.said([AUDIENCE]).get(AUDIENCE, {}).get("subscribed")
    if not has_shrunk(before, size):
        if before != size:
            ledger.record_said(AUDIENCE, {"subscribed": size})
        return False
    what = (
        f"Mailchimp's audience had {before} subscribed members and has {size} now. Nobody is written to, added or "
        "suppressed before that is clear: bring its members back there, or release this if it is meant to be so"
    )
    ledger.stop(AUDIENCE, what, who=who, at=settings.now())
    log.error("All sends are stopped: %s.", what)
    # Once released, that is its size.
    ledger.record_said(AUDIENCE, {"subscribed": size})
    return True


def described(stop: Stop) -> str:
    """What stops sending, by whom and since when."""
    since = stop.stopped_at.strftime("%Y-%m-%d %H:%M UTC")
    if stop.kind == PAUSED:
        return f"paused by {stop.who} since {since} ({stop.what})"
    return f"{stop.what.rstrip('.')} (since {since})"


def switch(ledger: Ledger, action: Action, *, who: str, why: str, now: datetime) -> list[Stop]:
    """Pause all sends, end the pause, or release the breakers that tripped; every stop that is left.

    What had tripped a breaker by its release does not count again. Raises PennypostError without a reason.
    """
    why = why.strip()
    if not why:
        raise PennypostError("Say why: whoever finds sending stopped, or released, will want to know.")
    if action == "pause":
        ledger.stop(PAUSED, why, who=who, at=now)
    elif action == "resume":
        ledger.release([PAUSED], who=who, why=why, at=now)
    else:
        ledger.release(BREAKERS, who=who, why=why, at=now)
    return check_breakers(ledger, now)


def fresh_noes(ledger: Ledger, con: DuckDBPyConnection, contact_ids: list[str] | None = None) -> dict[str, str]:
    """Contacts who said no since the build that `con` reads took from the ledger → `suppressed` or `unsubscribed`.

    What the build has taken, its models have judged.
    """
    found: dict[str, str] = {}
    for no in ledger.objections_after(taken_upto(con, ledger), contact_ids).to_pylist():
        is_suppressing = no["objection"] in SUPPRESSING
        found[no["contact_id"]] = "suppressed" if is_suppressing else found.get(no["contact_id"], "unsubscribed")
    return found


def without_fresh_noes(ledger: Ledger, warehouse: Warehouse, contact_ids: set[str]) -> set[str]:
    """Those of these contacts who have not said no since the last complete build."""
    build = warehouse.last_build()
    if build is None or not contact_ids:
        return set()
    with warehouse.reader(at=build.snapshot_id) as con:
        return contact_ids - fresh_noes(ledger, con, sorted(contact_ids)).keys()


def _ways_out(stops: list[Stop]) -> list[str]:
    kinds = {stop.kind for stop in stops}
    return [*(["resume"] if PAUSED in kinds else []), *(["release"] if kinds - {PAUSED} else [])]
