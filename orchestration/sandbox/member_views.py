"""A member as the API shows it; the answers to batches leave some of it out."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from orchestration.sandbox.calls import Call, Json

_NOT_IN_BATCHES = (
    "contact_id",
    "full_name",
    "web_id",
    "consents_to_one_to_one_messaging",
    "source",
    "unsubscribe_reason",
)


def member_view(
    call: Call,
    row: sqlite3.Row,
    fields: Mapping[str, sqlite3.Row],
    tags: Sequence[Json],
    permissions: Sequence[Json] | None = None,
) -> Json:
    """`fields`: tag → row of the table merge_fields; `tags`: the static segments the member is in; `permissions`: its
    marketing permissions, None where the list has none.
    """
    merge_fields = merge_values(fields, row["merge_fields"])
    names = (str(merge_fields.get(tag, "")) for tag in ("FNAME", "LNAME"))
    view = {
        "id": row["hash"],
        "email_address": row["email_address"],
        "unique_email_id": row["unique_email_id"],
        "contact_id": row["contact_id"],
        "full_name": " ".join(name for name in names if name),
        "web_id": 500_000_000 + row["id"],
        "email_type": row["email_type"],
        "status": row["status"],
        "consents_to_one_to_one_messaging": True,
        "merge_fields": merge_fields,
        "stats": {"avg_open_rate": 0, "avg_click_rate": 0},
        "ip_signup": row["ip_signup"],
        "timestamp_signup": row["timestamp_signup"],
        "ip_opt": row["ip_opt"],
        "timestamp_opt": row["timestamp_opt"],
        "member_rating": 2,
        "last_changed": row["last_changed"],
        "language": row["language"],
        "vip": bool(row["vip"]),
        "email_client": "",
        "location": {
            "latitude": 0,
            "longitude": 0,
            "gmtoff": 0,
            "dstoff": 0,
            "country_code": "",
            "timezone": "",
            "region": "",
        },
        "source": row["source"],
        "tags_count": len(tags),
        "tags": list(tags),
        "list_id": row["list_id"],
        "_links": _links(call, row),
    }
    if row["status"] == "unsubscribed":
        view["unsubscribe_reason"] = row["unsubscribe_reason"] or ""
    if permissions is not None:
        view["marketing_permissions"] = list(permissions)
    return view


def batch_view(call: Call, row: sqlite3.Row, fields: Mapping[str, sqlite3.Row], tags: Sequence[Json]) -> Json:
    view = member_view(call, row, fields, tags)
    for name in _NOT_IN_BATCHES:
        view.pop(name, None)
    del view["location"]["region"]
    return view


def merge_values(fields: Mapping[str, sqlite3.Row], stored: str) -> dict[str, Any]:
    """Every merge field of the list, empty where the member has none: `stored` is the member's JSON."""
    values = json.loads(stored)
    return {tag: values.get(tag, "") for tag in fields}


def tags_of(db: sqlite3.Connection, member_ids: Sequence[int]) -> dict[int, list[Json]]:
    """Member id → the static segments it is in, in one query."""
    rows = db.execute(
        """
        select segment_members.member_id, segments.id, segments.name
        from json_each(?) as wanted
        join segment_members on segment_members.member_id = wanted.value
        join segments on segments.id = segment_members.segment_id
        order by segments.id
        """,
        (json.dumps(list(member_ids)),),
    )
    tags: dict[int, list[Json]] = {}
    for member_id, segment_id, name in rows:
        tags.setdefault(member_id, []).append({"id": segment_id, "name": name})
    return tags


def _links(call: Call, row: sqlite3.Row) -> list[Json]:
    members = f"/lists/{row['list_id']}/members"
    path = f"{members}/{row['hash']}"
    return [
        call.link("self", path),
        call.link("parent", members),
        call.link("update", path, "PATCH"),
        call.link("upsert", path, "PUT"),
        call.link("delete", path, "DELETE"),
        call.link("delete_permanent", f"{path}/actions/delete-permanent", "POST"),
    ]
