"""A campaign, and its content, as the API shows them."""

import json
import sqlite3

from orchestration.sandbox.calls import Call, Json
from orchestration.sandbox.sending import audience_size

_SETTINGS = {
    "subject_line": "",
    "title": "",
    "from_name": "",
    "reply_to": "",
    "use_conversation": False,
    "to_name": "",
    "folder_id": "",
    "authenticate": True,
    "auto_footer": False,
    "inline_css": False,
    "auto_tweet": False,
    "fb_comments": True,
    "timewarp": False,
    "template_id": 0,
    "drag_and_drop": False,
}
_TRACKING = {
    "opens": True,
    "html_clicks": True,
    "text_clicks": False,
    "goal_tracking": False,
    "ecomm360": False,
    "google_analytics": "",
    "clicktale": "",
}
_NO_REPORT = {"opens": 0, "unique_opens": 0, "open_rate": 0, "clicks": 0, "subscriber_clicks": 0, "click_rate": 0}


def campaign_view(call: Call, row: sqlite3.Row) -> Json:
    path = f"/campaigns/{row['id']}"
    site = call.root.removesuffix("/3.0")
    view = {
        "id": row["id"],
        "web_id": row["web_id"],
        "type": row["type"],
        "create_time": row["create_time"],
        "archive_url": site + path,
        "long_archive_url": site + path,
        "status": row["status"],
        "emails_sent": row["emails_sent"],
        "send_time": row["send_time"],
        "content_type": "html",
        "needs_block_refresh": False,
        "resendable": False,
        "recipients": _recipients(call, row),
        "settings": _SETTINGS | json.loads(row["settings"]),
        "tracking": _TRACKING | json.loads(row["tracking"]),
        "delivery_status": {"enabled": False},
        "_links": [
            call.link("self", path),
            call.link("parent", "/campaigns"),
            call.link("delete", path, "DELETE"),
            call.link("send", f"{path}/actions/send", "POST"),
            call.link("test", f"{path}/actions/test", "POST"),
            call.link("content", f"{path}/content"),
            call.link("send_checklist", f"{path}/send-checklist"),
        ],
    }
    return view | ({"report_summary": _NO_REPORT} if row["status"] == "sent" else {})


def _recipients(call: Call, row: sqlite3.Row) -> Json:
    given = json.loads(row["recipients"])
    list_row = call.db.execute("select name from lists where id = ?", (row["list_id"],)).fetchone()
    segment_id = given.get("segment_opts", {}).get("saved_segment_id")
    view = {
        "list_id": row["list_id"],
        "list_is_active": list_row is not None,
        "list_name": list_row["name"] if list_row else "",
        "segment_text": "" if segment_id is None else f"Contacts tagged with segment {segment_id}",
        "recipient_count": row["emails_sent"] if row["status"] == "sent" else audience_size(call.db, row),
    }
    if segment_id is not None:
        view["segment_opts"] = {"saved_segment_id": segment_id, "match": "any", "conditions": []}
    return view


def content_view(call: Call, row: sqlite3.Row) -> Json:
    path = f"/campaigns/{row['id']}"
    return {
        "plain_text": row["plain_text"] or "",
        "html": row["html"] or "",
        "archive_html": row["html"] or "",
        "_links": [call.link("self", f"{path}/content"), call.link("parent", path)],
    }
