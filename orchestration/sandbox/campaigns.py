"""Campaigns: /campaigns, one campaign, its content, its checklist, its actions."""

import json
import secrets
import sqlite3
from typing import Any

from orchestration.sandbox.calls import Call, Handler, Json, bad_request, expect, invalid, not_found, one_of, require
from orchestration.sandbox.campaign_views import campaign_view, content_view
from orchestration.sandbox.html_text import text_of_html
from orchestration.sandbox.sending import checklist, send_test, start_sending

_SETTINGS = {
    "subject_line": str,
    "preview_text": str,
    "title": str,
    "from_name": str,
    "reply_to": str,
    "use_conversation": bool,
    "to_name": str,
    "folder_id": str,
    "authenticate": bool,
    "auto_footer": bool,
    "inline_css": bool,
    "auto_tweet": bool,
    "fb_comments": bool,
    "template_id": int,
}
_TRACKING = {
    "opens": bool,
    "html_clicks": bool,
    "text_clicks": bool,
    "goal_tracking": bool,
    "ecomm360": bool,
    "google_analytics": str,
    "clicktale": str,
}


def get_campaigns(call: Call) -> Json:
    count, offset = call.page()
    where, values = _filters(call)
    sort = {"create_time": "create_time", "send_time": "send_time"}
    order = sort.get(call.query.get("sort_field", "create_time"), "create_time")
    direction = "asc" if call.query.get("sort_dir", "").upper() == "ASC" else "desc"
    rows = call.db.execute(
        f"select * from campaigns where {where} order by {order} {direction}, web_id {direction} limit ? offset ?",
        (*values, count, offset),
    ).fetchall()
    total = call.db.execute(f"select count(*) from campaigns where {where}", values).fetchone()[0]
    return {
        "campaigns": [campaign_view(call, row) for row in rows],
        "total_items": total,
        "_links": [call.link("self", "/campaigns"), call.link("create", "/campaigns", "POST")],
    }


def _filters(call: Call) -> tuple[str, list[str]]:
    where, values = ["not is_deleted"], []
    for name in ("status", "list_id", "type"):
        if name in call.query:
            where.append(f"{name} = ?")
            values.append(call.query[name])
    for name, condition in (
        ("since_create_time", "create_time >= ?"),
        ("before_create_time", "create_time < ?"),
        ("since_send_time", "send_time >= ?"),
        ("before_send_time", "send_time <> '' and send_time < ?"),
    ):
        moment = call.instant(name)
        if moment is not None:
            where.append(condition)
            values.append(moment)
    return " and ".join(where), values


def add_campaign(call: Call) -> Json:
    require(call.body, "type")
    kind = call.body["type"]
    if kind != "regular" or {"rss_opts", "variate_settings"} & call.body.keys():
        raise bad_request("The sandbox sends regular campaigns only.")
    recipients = _recipients(call, {})
    settings = _typed(expect(call.body, "settings", dict, {}), _SETTINGS, "settings.")
    tracking = _typed(expect(call.body, "tracking", dict, {}), _TRACKING, "tracking.")
    row = call.db.execute(
        """
        insert into campaigns (id, type, status, list_id, recipients, settings, tracking, create_time)
        values (?, ?, 'save', ?, ?, ?, ?, ?) returning *
        """,
        (
            secrets.token_hex(5),
            kind,
            recipients.get("list_id", ""),
            json.dumps(recipients),
            json.dumps(settings),
            json.dumps(tracking),
            call.now,
        ),
    ).fetchone()
    return campaign_view(call, row)


def get_campaign(call: Call) -> Json:
    return campaign_view(call, the_campaign(call))


def patch_campaign(call: Call) -> Json:
    row = _editable(call)
    recipients = _recipients(call, json.loads(row["recipients"]))
    settings = _typed(expect(call.body, "settings", dict, {}), _SETTINGS, "settings.")
    tracking = _typed(expect(call.body, "tracking", dict, {}), _TRACKING, "tracking.")
    row = call.db.execute(
        "update campaigns set list_id = ?, recipients = ?, settings = ?, tracking = ? where id = ? returning *",
        (
            recipients.get("list_id", ""),
            json.dumps(recipients),
            json.dumps(json.loads(row["settings"]) | settings),
            json.dumps(json.loads(row["tracking"]) | tracking),
            row["id"],
        ),
    ).fetchone()
    return campaign_view(call, row)


def delete_campaign(call: Call) -> None:
    """Gone from the API; the outbox goes on showing what was sent before."""
    row = the_campaign(call)
    if row["status"] == "sending":
        raise bad_request("Cannot delete a campaign that is sending.")
    call.db.execute("update campaigns set is_deleted = 1 where id = ?", (row["id"],))


def get_content(call: Call) -> Json:
    return content_view(call, the_campaign(call))


def put_content(call: Call) -> Json:
    row = _editable(call)
    if {"url", "template", "archive", "variate_contents"} & call.body.keys():
        raise bad_request("The sandbox takes content as html and plain_text only.")
    html = expect(call.body, "html", str)
    text = expect(call.body, "plain_text", str)
    if html is None and text is None:
        raise invalid("", "Required fields were not provided: html")
    html = row["html"] if html is None else html
    if text is None:
        text = text_of_html(html)
    row = call.db.execute(
        "update campaigns set html = ?, plain_text = ? where id = ? returning *", (html, text, row["id"])
    ).fetchone()
    return content_view(call, row)


def get_checklist(call: Call) -> Json:
    row = the_campaign(call)
    items = checklist(call.db, row)
    return {
        "is_ready": all(item["type"] != "error" for item in items),
        "items": items,
        "_links": [call.link("self", f"/campaigns/{row['id']}/send-checklist")],
    }


def action_test(call: Call) -> None:
    row = the_campaign(call)
    require(call.body, "test_emails", "send_type")
    one_of("send_type", expect(call.body, "send_type", str), ("html", "plaintext"))
    addresses = expect(call.body, "test_emails", list)
    if not addresses or row["html"] is None:
        raise bad_request("Your Campaign is not ready to send.")
    send_test(call.db, row, addresses, call.now)


def action_send(call: Call) -> None:
    """`save` → `sending`; the rest happens after the answer (sending.finish)."""
    row = the_campaign(call)
    if row["status"] != "save":
        raise bad_request("Your Campaign is not ready to send.")
    if any(item["type"] == "error" for item in checklist(call.db, row)):
        raise bad_request("Your Campaign is not ready to send.")
    start_sending(call, row)


def the_campaign(call: Call) -> sqlite3.Row:
    """The campaign named in the path. Raises Problem (404)."""
    row = call.db.execute(
        "select * from campaigns where id = ? and not is_deleted", (call.params["campaign_id"],)
    ).fetchone()
    if row is None:
        raise not_found()
    return row


def _editable(call: Call) -> sqlite3.Row:
    row = the_campaign(call)
    if row["status"] != "save":
        raise bad_request("Cannot update a campaign that is sending, scheduled, or sent.")
    return row


def _recipients(call: Call, before: Json) -> Json:
    given = expect(call.body, "recipients", dict)
    if given is None:
        return before
    require(given, "list_id")
    list_id = expect(given, "list_id", str, within="recipients.")
    if not call.db.execute("select 1 from lists where id = ?", (list_id,)).fetchone():
        raise invalid("recipients.list_id", "The list does not exist.")
    options = expect(given, "segment_opts", dict, within="recipients.")
    if not options:
        return {"list_id": list_id}
    within = "recipients.segment_opts."
    segment_id = expect(options, "saved_segment_id", int, within=within)
    if segment_id is None or options.get("conditions"):
        raise bad_request("The sandbox sends to a list or to a static segment (saved_segment_id) only.")
    found = call.db.execute("select 1 from segments where list_id = ? and id = ?", (list_id, segment_id)).fetchone()
    if not found:
        raise invalid(f"{within}saved_segment_id", "The segment does not exist.")
    return {"list_id": list_id, "segment_opts": {"saved_segment_id": segment_id}}


def _typed(given: Json, kinds: dict[str, type], within: str) -> dict[str, Any]:
    return {name: expect(given, name, kind, within=within) for name, kind in kinds.items() if name in given}


ROUTES: list[tuple[str, str, Handler]] = [
    ("GET", "/campaigns", get_campaigns),
    ("POST", "/campaigns", add_campaign),
    ("GET", "/campaigns/{campaign_id}", get_campaign),
    ("PATCH", "/campaigns/{campaign_id}", patch_campaign),
    ("DELETE", "/campaigns/{campaign_id}", delete_campaign),
    ("GET", "/campaigns/{campaign_id}/content", get_content),
    ("PUT", "/campaigns/{campaign_id}/content", put_content),
    ("GET", "/campaigns/{campaign_id}/send-checklist", get_checklist),
    ("POST", "/campaigns/{campaign_id}/actions/test", action_test),
    ("POST", "/campaigns/{campaign_id}/actions/send", action_send),
]
