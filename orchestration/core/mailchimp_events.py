"""What Mailchimp's audience webhooks tell, as rows of the signups contract (FACTS on list webhooks).

    subscribe     somebody filled in a form of Mailchimp's: consent, given there
    unsubscribe   a no, at once; that it was a complaint is what the poll of feedback brings
    profile       a first name
    upemail       an address change: the person stays the same
    cleaned       for abuse a no; a bounce is the poll's to bring, with its kind
    campaign      the poll's, too

The webhook has to be set to tell what subscribers do, not what the API does: an echo of our own additions would pass for consent.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from orchestration.core.errors import EventRefused

SOURCE = "mailchimp"


def signup_row(form: Mapping[str, str]) -> dict[str, Any] | None:
    """The row for one webhook body, its fields as they are named there (`data[email]`), or None where nothing follows from it.

    Mailchimp sends no delivery id: the event's is its type, the member's id and the time. Raises EventRefused.
    """
    kind = _field(form, "type")
    fired_at = _fired_at(_field(form, "fired_at"))
    said = _said(kind, form)
    if said is None:
        return None
    member = _field(form, "data[new_id]" if kind == "upemail" else "data[id]")
    return {
        "event_id": f"mailchimp-{kind}-{member}-{fired_at}",
        "occurred_at": fired_at,
        "source": SOURCE,
        "interests": [],
        **said,
    }


def _said(kind: str, form: Mapping[str, str]) -> dict[str, Any] | None:
    first_name = form.get("data[merges][FNAME]") or None
    match kind:
        case "subscribe":
            yes = {"action": "subscribe", "basis": "consent"}
            return {"email": _field(form, "data[email]"), "first_name": first_name, **yes}
        case "unsubscribe":
            # tidied up by somebody in Mailchimp: no objection of the person's
            if form.get("data[action]") == "delete":
                return None
            return {"email": _field(form, "data[email]"), "action": "unsubscribe"}
        case "cleaned":
            if form.get("data[reason]") != "abuse":
                return None
            return {"email": _field(form, "data[email]"), "action": "unsubscribe"}
        case "profile":
            if first_name is None:
                return None
            return {"email": _field(form, "data[email]"), "first_name": first_name, "action": "update_preferences"}
        case "upemail":
            addresses = {"email": _field(form, "data[new_email]"), "previous_email": _field(form, "data[old_email]")}
            return {**addresses, "action": "update_preferences"}
    return None


def _field(form: Mapping[str, str], name: str) -> str:
    if not form.get(name):
        raise EventRefused(f"not a webhook of Mailchimp's: {name} is missing")
    return form[name]


def _fired_at(text: str) -> str:
    """Mailchimp writes UTC without saying so."""
    try:
        return f"{datetime.strptime(text, '%Y-%m-%d %H:%M:%S').isoformat()}Z"  # noqa: DTZ007 - the Z is put after it
    except ValueError:
        raise EventRefused("not a webhook of Mailchimp's: fired_at is no time") from None
