"""What became of sent campaigns: /reports, /reports/{id}, sent-to, unsubscribed, and the list's abuse reports."""

import json
import sqlite3

from orchestration.sandbox.calls import Call, Handler, Json, not_found
from orchestration.sandbox.campaigns import the_campaign
from orchestration.sandbox.lists import the_list
from orchestration.sandbox.member_rules import merge_field_rows
from orchestration.sandbox.member_views import merge_values
from orchestration.sandbox.steering import COMPLAINT, HARD_BOUNCE, SOFT_BOUNCE

_STATUS = {HARD_BOUNCE: "hard", SOFT_BOUNCE: "soft"}


def status_of(outcome: str) -> str:
    """sent, hard or soft: what `sent-to` says of an email."""
    return _STATUS.get(outcome, "sent")


def outcome_counts(db: sqlite3.Connection, campaign_id: str) -> Json:
    """Of a campaign's emails: sent (in all), hard, soft, complaints, unsubscribed (complaints not in it)."""
    row = db.execute(
        """
        select
            count(*) as sent,
            coalesce(sum(outcome = :hard), 0) as hard,
            coalesce(sum(outcome = :soft), 0) as soft,
            coalesce(sum(outcome = :complaint), 0) as complaints,
            coalesce(sum(unsubscribed_at is not null and outcome <> :complaint), 0) as unsubscribed
        from emails where campaign_id = :campaign and not is_test
        """,
        {"campaign": campaign_id, "hard": HARD_BOUNCE, "soft": SOFT_BOUNCE, "complaint": COMPLAINT},
    ).fetchone()
    return dict(row)


def get_reports(call: Call) -> Json:
    """The reports of all campaigns that were sent, the latest first."""
    count, offset = call.page()
    where, values = ["status in ('sending', 'sent')"], []
    if kind := call.query.get("type"):
        where.append("type = ?")
        values.append(kind)
    for name, condition in (("since_send_time", "send_time >= ?"), ("before_send_time", "send_time < ?")):
        if moment := call.instant(name):
            where.append(condition)
            values.append(moment)
    source = f"from campaigns where {' and '.join(where)}"
    rows = call.db.execute(f"select * {source} order by send_time desc, id limit ? offset ?", (*values, count, offset))
    return {
        "reports": [_report(call, row) for row in rows.fetchall()],
        "total_items": call.db.execute(f"select count(*) {source}", values).fetchone()[0],
        "_links": [call.link("self", "/reports")],
    }


def get_report(call: Call) -> Json:
    return _report(call, _sent_campaign(call))


def _report(call: Call, row: sqlite3.Row) -> Json:
    counts = outcome_counts(call.db, row["id"])
    settings = json.loads(row["settings"])
    path = f"/reports/{row['id']}"
    return {
        "id": row["id"],
        "campaign_title": settings.get("title", ""),
        "type": row["type"],
        "list_id": row["list_id"],
        "list_is_active": True,
        "list_name": call.db.execute("select name from lists where id = ?", (row["list_id"],)).fetchone()[0],
        "subject_line": settings.get("subject_line", ""),
        "preview_text": settings.get("preview_text", ""),
        "emails_sent": counts["sent"],
        "abuse_reports": counts["complaints"],
        "unsubscribed": counts["unsubscribed"],
        "send_time": row["send_time"],
        "bounces": {"hard_bounces": counts["hard"], "soft_bounces": counts["soft"], "syntax_errors": 0},
        "forwards": {"forwards_count": 0, "forwards_opens": 0},
        "opens": {"opens_total": 0, "unique_opens": 0, "open_rate": 0, "last_open": ""},
        "clicks": {
            "clicks_total": 0,
            "unique_clicks": 0,
            "unique_subscriber_clicks": 0,
            "click_rate": 0,
            "last_click": "",
        },
        "facebook_likes": {"recipient_likes": 0, "unique_likes": 0, "facebook_likes": 0},
        "list_stats": {"sub_rate": 0, "unsub_rate": 0, "open_rate": 0, "click_rate": 0},
        "timeseries": [],
        "ecommerce": {"total_orders": 0, "total_spent": 0, "total_revenue": 0},
        "delivery_status": {"enabled": False},
        "_links": [
            call.link("self", path),
            call.link("sent-to", f"{path}/sent-to"),
            call.link("unsubscribed", f"{path}/unsubscribed"),
        ],
    }


def get_sent_to(call: Call) -> Json:
    row = _sent_campaign(call)
    emails, total = _emails(call, row, "true")
    return {
        "sent_to": [
            _person(call, row, email) | {"status": status_of(email["outcome"]), "open_count": 0, "last_open": ""}
            for email in emails
        ],
        "campaign_id": row["id"],
        "total_items": total,
        "_links": [call.link("self", f"/reports/{row['id']}/sent-to")],
    }


def get_unsubscribed(call: Call) -> Json:
    """Who left after this campaign; a complaint is among them, with the reason `abuse`."""
    row = _sent_campaign(call)
    emails, total = _emails(call, row, "unsubscribed_at is not null")
    return {
        "unsubscribes": [
            _person(call, row, email)
            | {"timestamp": email["unsubscribed_at"], "reason": email["unsubscribe_reason"] or ""}
            for email in emails
        ],
        "campaign_id": row["id"],
        "total_items": total,
        "_links": [call.link("self", f"/reports/{row['id']}/unsubscribed")],
    }


def get_abuse_reports(call: Call) -> Json:
    """Who marked a campaign of this list as spam."""
    list_id = the_list(call)["id"]
    count, offset = call.page()
    source = (
        "from emails join campaigns on campaigns.id = emails.campaign_id "
        "where campaigns.list_id = ? and not is_test and outcome = ?"
    )
    values = (list_id, COMPLAINT)
    emails = call.db.execute(f"select emails.* {source} order by emails.id limit ? offset ?", (*values, count, offset))
    fields = merge_field_rows(call.db, list_id)
    return {
        "abuse_reports": [
            {
                "id": email["id"],
                "campaign_id": email["campaign_id"],
                "list_id": list_id,
                "email_id": email["member_hash"],
                "email_address": email["email_address"],
                "merge_fields": merge_values(fields, email["merge_fields"]),
                "vip": False,
                "date": email["unsubscribed_at"],
                "_links": [call.link("parent", f"/lists/{list_id}/abuse-reports")],
            }
            for email in emails.fetchall()
        ],
        "list_id": list_id,
        "total_items": call.db.execute(f"select count(*) {source}", values).fetchone()[0],
        "_links": [call.link("self", f"/lists/{list_id}/abuse-reports")],
    }


def _sent_campaign(call: Call) -> sqlite3.Row:
    row = the_campaign(call)
    if row["status"] not in ("sending", "sent"):
        raise not_found()
    return row


def _emails(call: Call, row: sqlite3.Row, condition: str) -> tuple[list[sqlite3.Row], int]:
    count, offset = call.page()
    source = f"from emails where campaign_id = ? and not is_test and {condition}"
    emails = call.db.execute(f"select * {source} order by id limit ? offset ?", (row["id"], count, offset)).fetchall()
    return emails, call.db.execute(f"select count(*) {source}", (row["id"],)).fetchone()[0]


def _person(call: Call, row: sqlite3.Row, email: sqlite3.Row) -> Json:
    fields = merge_field_rows(call.db, row["list_id"])
    return {
        "email_id": email["member_hash"],
        "email_address": email["email_address"],
        "merge_fields": merge_values(fields, email["merge_fields"]),
        "vip": False,
        "campaign_id": row["id"],
        "list_id": row["list_id"],
        "list_is_active": True,
        "_links": [call.link("member", f"/lists/{row['list_id']}/members/{email['member_hash']}")],
    }


ROUTES: list[tuple[str, str, Handler]] = [
    ("GET", "/reports", get_reports),
    ("GET", "/reports/{campaign_id}", get_report),
    ("GET", "/reports/{campaign_id}/sent-to", get_sent_to),
    ("GET", "/reports/{campaign_id}/unsubscribed", get_unsubscribed),
    ("GET", "/lists/{list_id}/abuse-reports", get_abuse_reports),
]
