"""The gateway's calls for feedback and reconciliation: everything here only reads.

Listings come in pages of 1000. One whose answer is lost is asked for again; lost for good, it raises, and nothing of it is used.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from orchestration.resources.mailchimp_audience import AudienceGateway
from orchestration.resources.mailchimp_calls import Pauses, moment_of
from orchestration.settings import Settings

MEMBERS = pa.schema(
    [("address", pa.string()), ("status", pa.string()), ("changed_at", pa.timestamp("us", tz="UTC"))],
)
_FIGURES = ("emails_sent", "abuse_reports", "unsubscribed")
_BOUNCES = ("hard_bounces", "soft_bounces")


@dataclass(frozen=True)
class Left:
    """A member who is unsubscribed or cleaned: their status, the reason given, and when they changed last (Mailchimp's clock)."""

    address: str
    status: str
    reason: str
    at: datetime


@dataclass(frozen=True)
class Complaint:
    """Somebody who marked a campaign as spam. `campaign_id` is empty where Mailchimp does not say which."""

    address: str
    campaign_id: str
    at: datetime


class FeedbackGateway(AudienceGateway):
    """One Mailchimp audience and the account's reports, as feedback sees them."""

    def __init__(self, settings: Settings, pauses: Pauses | None = None) -> None:
        super().__init__(settings, pauses)
        self._reports = self._call.client.reports

    def figures_since(self, sent_at: datetime) -> dict[str, dict[str, int]]:
        """Mailchimp's figures of every campaign sent since then (its own clock), by campaign id."""
        fields = [f"reports.{name}" for name in ("id", *_FIGURES, "bounces")] + ["total_items"]
        rows = self._call.everything(
            "reports",
            self._reports.get_all_campaign_reports,
            key="reports",
            by="id",
            fields=fields,
            since_send_time=sent_at.isoformat(timespec="seconds"),
        )
        return {one: _figures(row) for one, row in rows.items()}

    def left_since(self, status: str, changed_at: datetime | None) -> list[Left]:
        """Members who are `unsubscribed` or `cleaned` and changed since then (Mailchimp's clock; None: ever), by that time."""
        since = {} if changed_at is None else {"since_last_changed": changed_at.isoformat(timespec="seconds")}
        rows = self._members_with("id", "unsubscribe_reason", status=status, **since)
        found = [
            Left(row["email_address"], row["status"], row.get("unsubscribe_reason") or "", _moment(row["last_changed"]))
            for row in rows
        ]
        return sorted(found, key=lambda one: one.at)

    def complaints(self) -> list[Complaint]:
        """Every complaint of the audience's members."""
        names = ("id", "campaign_id", "email_address", "date")
        rows = self._call.everything(
            "abuse reports",
            self._lists.get_list_abuse_reports,
            self.list_id,
            key="abuse_reports",
            by="id",
            fields=[*(f"abuse_reports.{name}" for name in names), "total_items"],
        )
        return [
            Complaint(row["email_address"], row.get("campaign_id") or "", _moment(row["date"])) for row in rows.values()
        ]

    def everyone(self) -> pa.Table:
        """Every member of the audience, the archived included: address, status, and when they changed last."""
        rows = {row["id"]: row for status in (None, "archived") for row in self._of_status(status)}.values()
        return pa.Table.from_pydict(
            {
                "address": [row["email_address"] for row in rows],
                "status": [row["status"] for row in rows],
                "changed_at": [moment_of(row.get("last_changed")) for row in rows],
            },
            MEMBERS,
        )

    def _of_status(self, status: str | None) -> Iterable[dict[str, Any]]:
        return self._members_with("id", **({} if status is None else {"status": status}))

    def _members_with(self, *names: str, **filters: Any) -> Iterable[dict[str, Any]]:
        wanted = ("email_address", "status", "last_changed", *names)
        fields = [*(f"members.{name}" for name in wanted), "total_items"]
        function = self._lists.get_list_members_info
        return self._call.everything(
            "members", function, self.list_id, key="members", by="id", fields=fields, **filters
        ).values()


def _figures(row: dict[str, Any]) -> dict[str, int]:
    bounces = row.get("bounces") or {}
    return {name: row.get(name) or 0 for name in _FIGURES} | {name: bounces.get(name) or 0 for name in _BOUNCES}


def _moment(text: str) -> datetime:
    """A time Mailchimp always gives. Raises ValueError where it does not: an undated no can't be put in its place."""
    return moment_of(text) or datetime.fromisoformat(text)
