"""Lists (audiences) and their merge fields: /lists, /lists/{id}, /lists/{id}/merge-fields."""

import json
import sqlite3

from orchestration.sandbox.calls import Call, Handler, Json, Problem, expect, invalid, not_found, require
from orchestration.sandbox.marketing_permissions import are_on
from orchestration.sandbox.shapes import OPTIONS

MAX_MERGE_FIELDS = 30
MAX_TAG_LENGTH = 10

# What Mailchimp gives every new list.
_FIRST_FIELDS = (
    (1, "FNAME", "First Name", "text", 1, {"size": 25}),
    (2, "LNAME", "Last Name", "text", 1, {"size": 25}),
    (3, "ADDRESS", "Address", "address", 0, {"default_country": 262}),
    (4, "PHONE", "Phone Number", "phone", 0, {"phone_format": "none"}),
)
_CONTACT = {
    "company": "Larkspur Skin Ltd",
    "address1": "1 Example Row",
    "address2": "",
    "city": "Sampleton",
    "state": "",
    "zip": "ZZ1 1ZZ",
    "country": "GB",
    "phone": "",
}
_DEFAULTS = {"from_name": "Larkspur Skin", "from_email": "hello@larkspur-skin.test", "subject": "", "language": "en"}


def ensure_list(db: sqlite3.Connection, list_id: str, now: str) -> None:
    """Make the list `list_id` if it is not there yet."""
    if db.execute("select 1 from lists where id = ?", (list_id,)).fetchone():
        return
    web_id = 100_001 + db.execute("select count(*) from lists").fetchone()[0]
    db.execute(
        "insert into lists values (?, ?, ?, ?, ?, ?)",
        (list_id, web_id, "Larkspur Skin newsletter", now, json.dumps(_CONTACT), json.dumps(_DEFAULTS)),
    )
    db.executemany(
        "insert into merge_fields values (?, ?, ?, ?, ?, 0, '', ?, ?, ?, '')",
        [
            (list_id, i, tag, name, kind, public, i + 1, json.dumps(o))
            for i, tag, name, kind, public, o in _FIRST_FIELDS
        ],
    )


def the_list(call: Call) -> sqlite3.Row:
    """The list named in the path. Raises Problem (404)."""
    row = call.db.execute("select * from lists where id = ?", (call.params["list_id"],)).fetchone()
    if row is None:
        raise not_found()
    return row


def merge_field_defaults(db: sqlite3.Connection, list_id: str) -> dict[str, str]:
    """Tag → default value, in the order of display."""
    rows = db.execute(
        "select tag, default_value from merge_fields where list_id = ? order by display_order", (list_id,)
    )
    return {row["tag"]: row["default_value"] for row in rows}


def get_lists(call: Call) -> Json:
    count, offset = call.page()
    rows = call.db.execute("select * from lists order by rowid limit ? offset ?", (count, offset)).fetchall()
    total = call.db.execute("select count(*) from lists").fetchone()[0]
    return {
        "lists": [_list_view(call, row) for row in rows],
        "total_items": total,
        "constraints": {"may_create": False, "max_instances": total, "current_total_instances": total},
        "_links": [call.link("self", "/lists")],
    }


def get_list(call: Call) -> Json:
    return _list_view(call, the_list(call))


def _list_view(call: Call, row: sqlite3.Row) -> Json:
    path = f"/lists/{row['id']}"
    return {
        "id": row["id"],
        "web_id": row["web_id"],
        "name": row["name"],
        "contact": json.loads(row["contact"]),
        "permission_reminder": "You signed up for our newsletter.",
        "use_archive_bar": True,
        "campaign_defaults": json.loads(row["campaign_defaults"]),
        "notify_on_subscribe": "",
        "notify_on_unsubscribe": "",
        "date_created": row["date_created"],
        "list_rating": 0,
        "email_type_option": False,
        "subscribe_url_short": "",
        "subscribe_url_long": "",
        "beamer_address": "",
        "visibility": "prv",
        "double_optin": False,
        "has_welcome": False,
        "marketing_permissions": are_on(call.db, row["id"]),
        "modules": [],
        "stats": _stats(call, row["id"]),
        "_links": [
            call.link("self", path),
            call.link("parent", "/lists"),
            call.link("batch-sub-unsub-members", path, "POST"),
            call.link("merge-fields", f"{path}/merge-fields"),
            call.link("members", f"{path}/members"),
            call.link("segments", f"{path}/segments"),
        ],
    }


def _stats(call: Call, list_id: str) -> Json:
    one = (list_id,)
    of_status = dict(
        call.db.execute("select status, count(*) from members where list_id = ? group by 1", one).fetchall()
    )
    last_subscribed, last_unsubscribed = call.db.execute(
        "select max(timestamp_opt), max(unsubscribed_at) from members where list_id = ?", one
    ).fetchone()
    campaigns, last_sent = call.db.execute(
        "select count(*), max(send_time) from campaigns where list_id = ? and status = 'sent'", one
    ).fetchone()
    fields = call.db.execute("select count(*) from merge_fields where list_id = ?", one).fetchone()[0]
    total = {"total_contacts": sum(of_status.values())} if call.flag("include_total_contacts") else {}
    return {
        "member_count": of_status.get("subscribed", 0),
        "unsubscribe_count": of_status.get("unsubscribed", 0),
        "cleaned_count": of_status.get("cleaned", 0),
        "member_count_since_send": 0,
        "unsubscribe_count_since_send": 0,
        "cleaned_count_since_send": 0,
        "campaign_count": campaigns,
        "campaign_last_sent": last_sent or "",
        "merge_field_count": fields,
        "avg_sub_rate": 0,
        "avg_unsub_rate": 0,
        "target_sub_rate": 0,
        "open_rate": 0,
        "click_rate": 0,
        "last_sub_date": last_subscribed or "",
        "last_unsub_date": last_unsubscribed or "",
    } | total


def get_merge_fields(call: Call) -> Json:
    list_id = the_list(call)["id"]
    count, offset = call.page()
    rows = call.db.execute(
        "select * from merge_fields where list_id = ? order by tag limit ? offset ?", (list_id, count, offset)
    ).fetchall()
    total = call.db.execute("select count(*) from merge_fields where list_id = ?", (list_id,)).fetchone()[0]
    path = f"/lists/{list_id}/merge-fields"
    return {
        "merge_fields": [_field_view(call, row) for row in rows],
        "list_id": list_id,
        "total_items": total,
        "_links": [
            call.link("self", path),
            call.link("create", path, "POST"),
            call.link("parent", f"/lists/{list_id}"),
        ],
    }


def add_merge_field(call: Call) -> Json:
    list_id = the_list(call)["id"]
    require(call.body, "name", "type")
    name = expect(call.body, "name", str)
    kind = call.body["type"]
    taken = {row["tag"] for row in call.db.execute("select tag from merge_fields where list_id = ?", (list_id,))}
    if len(taken) >= MAX_MERGE_FIELDS:
        raise Problem(400, "Bad Request", f"A list can have a maximum of {MAX_MERGE_FIELDS} merge fields.")
    next_id = call.db.execute("select max(merge_id) + 1 from merge_fields where list_id = ?", (list_id,)).fetchone()[0]
    tag = expect(call.body, "tag", str, "").upper() or f"MMERGE{next_id}"
    if len(tag) > MAX_TAG_LENGTH:
        raise invalid("tag", f"String is longer than the maximum length of {MAX_TAG_LENGTH}")
    if tag in taken:
        raise Problem(400, "Invalid Resource", f'A Merge Field with the tag "{tag}" already exists for this list.')
    call.db.execute(
        "insert into merge_fields values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            list_id,
            next_id,
            tag,
            name,
            kind,
            expect(call.body, "required", bool, False),
            expect(call.body, "default_value", str, ""),
            expect(call.body, "public", bool, False),
            expect(call.body, "display_order", int, next_id + 1),
            json.dumps({"size": 25} if kind == "text" else _options(call.body)),
            expect(call.body, "help_text", str, ""),
        ),
    )
    row = call.db.execute("select * from merge_fields where list_id = ? and tag = ?", (list_id, tag)).fetchone()
    return _field_view(call, row)


def _options(body: Json) -> Json:
    """The options there are; others are passed over."""
    return {name: value for name, value in expect(body, "options", dict, {}).items() if name in OPTIONS}


def _field_view(call: Call, row: sqlite3.Row) -> Json:
    path = f"/lists/{row['list_id']}/merge-fields"
    return {
        "merge_id": row["merge_id"],
        "tag": row["tag"],
        "name": row["name"],
        "type": row["type"],
        "required": bool(row["required"]),
        "default_value": row["default_value"],
        "public": bool(row["public"]),
        "display_order": row["display_order"],
        "options": json.loads(row["options"]),
        "help_text": row["help_text"],
        "list_id": row["list_id"],
        "_links": [call.link("self", f"{path}/{row['merge_id']}"), call.link("parent", path)],
    }


ROUTES: list[tuple[str, str, Handler]] = [
    ("GET", "/lists", get_lists),
    ("GET", "/lists/{list_id}", get_list),
    ("GET", "/lists/{list_id}/merge-fields", get_merge_fields),
    ("POST", "/lists/{list_id}/merge-fields", add_merge_field),
]
