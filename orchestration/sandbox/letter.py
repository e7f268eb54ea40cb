"""One email as its reader sees it: the campaign's content with the reader's merge fields of the moment of sending."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestration.sandbox import merge_tags
from orchestration.sandbox.lists import merge_field_defaults
from orchestration.sandbox.sending import first_recipient, nobodys_fields
from orchestration.sandbox.steering import COMPLAINT, DELIVERED, HARD_BOUNCE, SOFT_BOUNCE, UNSUBSCRIBE

_STATUS = {
    DELIVERED: "sent",
    HARD_BOUNCE: "hard bounce",
    SOFT_BOUNCE: "soft bounce",
    COMPLAINT: "complained",
    UNSUBSCRIBE: "unsubscribed",
}


@dataclass(frozen=True)
class Letter:
    """An email to look at. `merge_fields`: tag → text at the moment of sending, empty ones left out.

    The bodies are rendered when asked for: a list of 20,000 emails shows none of them.
    """

    email_id: int
    campaign_id: str
    title: str
    to: str
    from_name: str
    from_address: str
    subject: str
    preheader: str
    merge_fields: dict[str, str]
    status: str
    is_test: bool
    sent_at: str
    html_source: str = field(repr=False)
    text_source: str = field(repr=False)
    values: dict[str, str] = field(repr=False)

    @property
    def html(self) -> str:
        return merge_tags.render(self.html_source, self.values, escape=True)

    @property
    def text(self) -> str:
        return merge_tags.render(self.text_source, self.values, escape=False)


def letter_of(
    db: sqlite3.Connection, email: Mapping[str, Any], root: str, cache: dict[str, Any] | None = None
) -> Letter:
    """The row of table emails as a Letter. `root`: the outbox's address; `cache` spares lookups over many emails."""
    cache = {} if cache is None else cache
    campaign, settings, list_values, defaults = _campaign_parts(db, email["campaign_id"], cache)
    stored = {tag: _text(value) for tag, value in json.loads(email["merge_fields"]).items()}
    fields = {tag: stored.get(tag) or default for tag, default in defaults.items()}
    link = f"{root}/emails/{email['id']}"
    values = (
        fields
        | list_values
        | {
            "EMAIL": email["email_address"],
            "UNSUB": f"{link}/unsubscribe",
            "UPDATE_PROFILE": f"{link}/preferences",
            "ARCHIVE": link,
            "CURRENT_YEAR": email["sent_at"][:4],
            "CAMPAIGN_UID": email["campaign_id"],
        }
    )
    subject = merge_tags.render(settings.get("subject_line", ""), values, escape=False)
    subject = f"[Test] {subject}" if email["is_test"] else subject
    preheader = merge_tags.render(settings.get("preview_text", ""), values, escape=False)
    values |= {"MC:SUBJECT": subject, "MC_PREVIEW_TEXT": preheader}
    return Letter(
        email_id=email["id"],
        campaign_id=email["campaign_id"],
        title=settings.get("title", ""),
        to=email["email_address"],
        from_name=settings.get("from_name", ""),
        from_address=settings.get("reply_to", ""),
        subject=subject,
        preheader=preheader,
        merge_fields={tag: value for tag, value in fields.items() if value},
        status=_status(email),
        is_test=bool(email["is_test"]),
        sent_at=email["sent_at"],
        html_source=campaign["html"] or "",
        text_source=campaign["plain_text"] or "",
        values=values,
    )


def preview_of(db: sqlite3.Connection, campaign: sqlite3.Row, root: str, now: str) -> Letter:
    """A draft as its first recipient would get it now, with the merge fields they have at this moment."""
    member = first_recipient(db, campaign)
    draft = {
        "id": 0,
        "campaign_id": campaign["id"],
        "email_address": member["email_address"] if member else "nobody@example.test",
        "merge_fields": member["merge_fields"] if member else nobodys_fields(db, campaign["list_id"]),
        "outcome": DELIVERED,
        "is_test": 0,
        "sent_at": now,
        "unsubscribed_at": None,
    }
    return letter_of(db, draft, root)


def _status(email: Mapping[str, Any]) -> str:
    left = email["unsubscribed_at"] is not None and email["outcome"] == DELIVERED
    return _STATUS[UNSUBSCRIBE if left else email["outcome"]]


def _campaign_parts(db: sqlite3.Connection, campaign_id: str, cache: dict[str, Any]) -> tuple:
    if campaign_id not in cache:
        campaign = db.execute("select * from campaigns where id = ?", (campaign_id,)).fetchone()
        cache[campaign_id] = (
            campaign,
            json.loads(campaign["settings"]),
            _list_values(db, campaign["list_id"]),
            merge_field_defaults(db, campaign["list_id"]),
        )
    return cache[campaign_id]


def _list_values(db: sqlite3.Connection, list_id: str) -> dict[str, str]:
    row = db.execute("select * from lists where id = ?", (list_id,)).fetchone()
    contact = json.loads(row["contact"])
    place = " ".join(part for part in (contact["city"], contact["state"], contact["zip"]) if part)
    address = [part for part in (contact["address1"], contact["address2"], place, contact["country"]) if part]
    line = ", ".join([contact["company"], *address])
    return {
        "LIST:NAME": row["name"],
        "LIST:COMPANY": contact["company"],
        "LIST:ADDRESS": "\n".join([contact["company"], *address]),
        "LIST:ADDRESSLINE": line,
        "LIST_ADDRESS": line,
        "LIST_ADDRESS_HTML": line,
        "HTML:LIST_ADDRESS_HTML": line,
        "LIST:PHONE": contact["phone"],
        "LIST:DESCRIPTION": "You signed up for our newsletter.",
    }


def _text(value: Any) -> str:
    """A merge field as Mailchimp writes it out: an address in one line, a whole number without a point."""
    if isinstance(value, dict):
        return "  ".join(str(part) for part in value.values() if part)
    return str(value)
