"""The gateway: everything Pennypost asks of Mailchimp, through the mailchimp-marketing client and nothing else.

    mailchimp_calls      one call: what its answer means, and when it is made again
    mailchimp_audience   people: members, their fields, segments
    mailchimp            campaigns, their content, sending, and what became of it
    mailchimp_feedback   listings for feedback and reconciliation
    mailchimp_erasure    a person deleted for good

Every method may be called again at any time but `create_campaign` and `send`: after a MailchimpUnknown their caller
looks what happened (`find_campaigns`, `status`) before trying again.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestration.core.errors import MailchimpRefused
from orchestration.resources.mailchimp_audience import AudienceGateway
from orchestration.resources.mailchimp_calls import Pauses, moment_of
from orchestration.settings import Settings

_TRACKING = ("opens", "html_clicks", "text_clicks")


@dataclass(frozen=True)
class CampaignState:
    """A campaign as Mailchimp holds it. `tracking` names what is tracked of opens and clicks: empty when nothing is."""

    id: str
    web_id: int
    status: str
    title: str
    list_id: str
    segment_id: int | None
    subject: str
    preview: str
    from_name: str
    reply_to: str
    tracking: tuple[str, ...]


@dataclass(frozen=True)
class PastCampaign:
    """A campaign as a look back at the account finds it. Times are Mailchimp's own."""

    id: str
    web_id: int
    status: str
    title: str
    segment_id: int | None
    created_at: datetime
    sent_at: datetime | None
    emails_sent: int


@dataclass(frozen=True)
class Departure:
    """Somebody who left after a campaign: the reason they gave (a complaint is `abuse`), and when by Mailchimp's clock."""

    reason: str
    at: datetime | None


class Gateway(AudienceGateway):
    """One Mailchimp audience and the account's campaigns. May be shared between threads; 8 calls at once at the most."""

    def __init__(self, settings: Settings, pauses: Pauses | None = None) -> None:
        super().__init__(settings, pauses)
        self._campaigns = self._call.client.campaigns
        self._reports = self._call.client.reports

    def find_campaigns(self, title: str) -> list[CampaignState]:
        """Campaigns of exactly that title, the oldest first."""
        # All of the audience's are read: a filter by time of creation would trust two clocks to agree.
        parts = ("id", "web_id", "status", "settings", "recipients", "tracking")
        fields = [*(f"campaigns.{part}" for part in parts), "total_items"]
        function = self._campaigns.list
        rows = self._call.everything(
            "campaigns", function, key="campaigns", by="id", fields=fields, list_id=self.list_id
        )
        found = [_campaign(row) for row in rows.values()]
        return sorted((one for one in found if one.title == title), key=lambda one: one.web_id)

    def campaigns_since(self, created_at: datetime | None) -> list[PastCampaign]:
        """The audience's campaigns that were created at that time (Mailchimp's own clock) or later, the oldest first.

        None: all there are.
        """
        since = {} if created_at is None else {"since_create_time": created_at.isoformat(timespec="seconds")}
        parts = ("id", "web_id", "status", "create_time", "send_time", "emails_sent", "settings.title", "recipients")
        fields = [*(f"campaigns.{part}" for part in parts), "total_items"]
        function = self._campaigns.list
        rows = self._call.everything(
            "campaigns", function, key="campaigns", by="id", fields=fields, list_id=self.list_id, **since
        )
        return sorted((_past(row) for row in rows.values()), key=lambda one: (one.created_at, one.web_id))

    def create_campaign(
        self, title: str, segment_id: int, *, subject: str, preview: str, from_name: str, reply_to: str
    ) -> CampaignState:
        """A draft to that segment, with nothing tracked. Look for the title before, and after a MailchimpUnknown."""
        body = {
            "type": "regular",
            "recipients": {"list_id": self.list_id, "segment_opts": {"saved_segment_id": segment_id}},
            "settings": {
                "title": title,
                "subject_line": subject,
                "preview_text": preview,
                "from_name": from_name,
                "reply_to": reply_to,
                "auto_footer": False,
                "inline_css": False,
            },
            # Opens and clicks may be tracked only with each reader's consent (PECR reg. 6).
            "tracking": dict.fromkeys(_TRACKING, False),
        }
        return _campaign(self._call("a new campaign", self._campaigns.create, body, repeatable=False))

    def campaign(self, campaign_id: str) -> CampaignState:
        """Raises MailchimpRefused (404) for one that is not there."""
        return _campaign(self._call("the campaign", self._campaigns.get, campaign_id))

    def status(self, campaign_id: str) -> str:
        """save, paused, schedule, sending, sent, canceled, canceling or archived."""
        return self.campaign(campaign_id).status

    def set_content(self, campaign_id: str, html: str, text: str) -> None:
        """Both parts of the email."""
        body = {"html": html, "plain_text": text}
        self._call("the campaign's content", self._campaigns.set_content, campaign_id, body)

    def content(self, campaign_id: str) -> tuple[str, str]:
        """(html, text) as Mailchimp holds them."""
        answer = self._call("the campaign's content", self._campaigns.get_content, campaign_id)
        return answer.get("html") or "", answer.get("plain_text") or ""

    def checklist(self, campaign_id: str) -> list[str]:
        """What forbids the send, in Mailchimp's words; empty when it is ready."""
        answer = self._call("the send checklist", self._campaigns.get_send_checklist, campaign_id)
        if answer["is_ready"]:
            return []
        wrong = [f"{one['heading']}: {one['details']}" for one in answer["items"] if one["type"] == "error"]
        return wrong or ["Mailchimp says it is not ready, and not why"]

    def send(self, campaign_id: str) -> None:
        """Send it, now. After a MailchimpUnknown poll the status well past Mailchimp's 120 s before sending again."""
        self._call("the send", self._campaigns.send, campaign_id, repeatable=False)

    def delete_campaign(self, campaign_id: str) -> None:
        """Delete a draft. One that is gone is no error."""
        try:
            self._call("deleting the campaign", self._campaigns.remove, campaign_id)
        except MailchimpRefused as error:
            if error.status != 404:
                raise

    def sent_to(self, campaign_id: str) -> dict[str, str]:
        """Whom Mailchimp says it sent to: address hash → sent, hard or soft."""
        function = self._reports.get_campaign_recipients
        fields = ["sent_to.email_id", "sent_to.status", "total_items"]
        rows = self._call.everything("sent-to", function, campaign_id, key="sent_to", by="email_id", fields=fields)
        return {one: row["status"] for one, row in rows.items()}

    def readers(self, campaign_id: str) -> dict[str, str]:
        """Whom Mailchimp says it sent to: address hash → address."""
        function = self._reports.get_campaign_recipients
        fields = ["sent_to.email_id", "sent_to.email_address", "total_items"]
        rows = self._call.everything("sent-to", function, campaign_id, key="sent_to", by="email_id", fields=fields)
        return {one: row["email_address"] for one, row in rows.items()}

    def unsubscribed(self, campaign_id: str) -> dict[str, Departure]:
        """Who left after this campaign, by address hash."""
        function = self._reports.get_unsubscribed_list_for_campaign
        fields = [f"unsubscribes.{name}" for name in ("email_id", "reason", "timestamp")] + ["total_items"]
        rows = self._call.everything(
            "unsubscribed", function, campaign_id, key="unsubscribes", by="email_id", fields=fields
        )
        return {one: Departure(row.get("reason") or "", moment_of(row.get("timestamp"))) for one, row in rows.items()}

    def report(self, campaign_id: str) -> dict[str, Any]:
        """Mailchimp's own figures: emails_sent, abuse_reports, unsubscribed, bounces …"""
        return self._call("the report", self._reports.get_campaign_report, campaign_id)


def _past(row: dict[str, Any]) -> PastCampaign:
    settings, recipients = row.get("settings") or {}, row.get("recipients") or {}
    return PastCampaign(
        id=row["id"],
        web_id=row.get("web_id") or 0,
        status=row["status"],
        title=settings.get("title") or "",
        segment_id=(recipients.get("segment_opts") or {}).get("saved_segment_id"),
        created_at=datetime.fromisoformat(row["create_time"]),
        sent_at=datetime.fromisoformat(row["send_time"]) if row.get("send_time") else None,
        emails_sent=row.get("emails_sent") or 0,
    )


def _campaign(row: dict[str, Any]) -> CampaignState:
    settings, recipients, tracking = (row.get(part) or {} for part in ("settings", "recipients", "tracking"))
    return CampaignState(
        id=row["id"],
        web_id=row.get("web_id") or 0,
        status=row["status"],
        title=settings.get("title") or "",
        list_id=recipients.get("list_id") or "",
        segment_id=(recipients.get("segment_opts") or {}).get("saved_segment_id"),
        subject=settings.get("subject_line") or "",
        preview=settings.get("preview_text") or "",
        from_name=settings.get("from_name") or "",
        reply_to=settings.get("reply_to") or "",
        tracking=tuple(name for name in _TRACKING if tracking.get(name)),
    )
