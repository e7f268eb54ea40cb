"""The page behind a reader's own link: interests, consents, leaving, and how to ask what is known.

It shows no current state: the collector reads no table, and whoever an email was passed on to would see it, too. So each answer
may be left as it is, and only what is changed becomes an event. Looking at it changes nothing, since mail scanners follow links.
"""

import uuid
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from orchestration.collector.bodies import body_of, line_of, pairs_of
from orchestration.collector.callers import Rate
from orchestration.collector.counts import Counts
from orchestration.collector.journal import Journal
from orchestration.core.contracts import SIGNUPS
from orchestration.core.landing_row import landing_row
from orchestration.core.preference_link import address_of
from orchestration.settings import Settings

WORDING = "preferences-2026-11"
INTERESTS = ("skin", "hair", "lips", "body", "wellness")
CONSENTS = {
    "profiling_consent": "Choose articles for me by what I have read and bought.",
    "health_consent": "That may include what concerns a condition, such as hair loss, acne or rosacea.",
    "tracking_consent": "Connect what I read on the website with me.",
}
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}


class PreferencePage:
    """The page, and what is said on it."""

    def __init__(self, settings: Settings, rate: Rate, journal: Journal, counts: Counts) -> None:
        self._settings = settings
        self._rate = rate
        self._journal = journal
        self._counts = counts
        folder = Path(__file__).parent / "templates"
        environment = Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined)
        self._page = environment.get_template("preferences.html")

    async def show(self, request: Request) -> Response:
        return self._shown(self._address(request))

    async def take(self, request: Request) -> Response:
        address = self._address(request)
        answers = pairs_of(await body_of(request, self._settings.collector_largest_body))
        said = _said(answers)
        if said is None:
            return self._shown(address, "Nothing was changed.")
        row = landing_row(
            SIGNUPS,
            {
                "event_id": f"preferences-{uuid.uuid4()}",
                "occurred_at": self._settings.now().isoformat(),
                "email": address,
                "source": "preference_page",
                "wording_version": WORDING,
                **said,
            },
        )
        await self._journal.put(SIGNUPS.name, line_of(row))
        self._counts.event("preferences", "accepted")
        if said["action"] == "unsubscribe":
            return self._shown(address, "You will get no more emails from us. We are sorry to see you go.")
        return self._shown(address, "Thank you, that is noted.")

    def _address(self, request: Request) -> str:
        """Whose link it is. Raises HTTPException 404 for one that we did not make, 429."""
        self._rate.count(request)
        key = self._settings.preferences_key
        address = address_of(request.path_params["token"], key) if key else None
        if address is None:
            raise HTTPException(404, "this link is not one of ours, or was cut short on its way")
        return address

    def _shown(self, address: str, note: str = "") -> Response:
        page = self._page.render(
            address=_masked(address),
            note=note,
            interests=INTERESTS,
            consents=CONSENTS,
            shop=self._settings.from_name,
            reply_to=self._settings.reply_to,
        )
        return HTMLResponse(page, headers=HEADERS)


def _said(answers: list[tuple[str, str]]) -> dict[str, Any] | None:
    """What a form says, as fields of a signups row; None where everything is left as it is."""
    if ("action", "unsubscribe") in answers:
        return {"action": "unsubscribe", "interests": []}
    consents = {name: said == "yes" for name, said in answers if name in CONSENTS and said in ("yes", "no")}
    interests = [one for one in INTERESTS if ("interests", one) in answers]
    if not consents and not interests:
        return None
    return {"action": "update_preferences", "interests": interests, **consents}


def _masked(address: str) -> str:
    """Enough for its owner to know which of their addresses it is."""
    name, _, domain = address.rpartition("@")
    return f"{name[:1]}…@{domain}"
