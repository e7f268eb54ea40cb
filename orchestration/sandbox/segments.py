"""Static segments, which Mailchimp's pages call tags: /lists/{id}/segments."""

import json
import sqlite3
from typing import Any

from orchestration.sandbox.calls import (
    Call,
    Handler,
    Json,
    Problem,
    bad_request,
    expect,
    invalid,
    not_found,
    require,
)
from orchestration.sandbox.lists import the_list
from orchestration.sandbox.member_rules import member_hash, merge_field_rows
from orchestration.sandbox.member_views import batch_view

MAX_BATCH = 500

_NOT_ADDED = "The contacts could not be added to the segment."


def get_segments(call: Call) -> Json:
    list_id = the_list(call)["id"]
    count, offset = call.page()
    # Only static segments exist here: a filter for another type finds nothing.
    wanted = call.query.get("type", "static") == "static"
    rows = call.db.execute(
        "select * from segments where list_id = ? and ? order by id limit ? offset ?", (list_id, wanted, count, offset)
    ).fetchall()
    total = call.db.execute("select count(*) from segments where list_id = ? and ?", (list_id, wanted)).fetchone()[0]
    return {
        "segments": [_segment_view(call, row) for row in rows],
        "list_id": list_id,
        "total_items": total,
        "_links": [call.link("self", f"/lists/{list_id}/segments"), call.link("parent", f"/lists/{list_id}")],
    }


def add_segment(call: Call) -> Json:
    list_id = the_list(call)["id"]
    require(call.body, "name", "static_segment")
    name = expect(call.body, "name", str)
    addresses = expect(call.body, "static_segment", list)
    row = _new(call, list_id, name)
    _put_in(call.db, row, addresses)
    return _segment_view(call, row)


def get_segment(call: Call) -> Json:
    return _segment_view(call, _the_segment(call))


def patch_segment(call: Call) -> Json:
    """Rename it, or replace all its members: an empty `static_segment` empties it."""
    row = _the_segment(call)
    name = expect(call.body, "name", str, row["name"])
    if name != row["name"]:
        _check_name(call, row["list_id"], name)
    call.db.execute("update segments set name = ?, updated_at = ? where id = ?", (name, call.now, row["id"]))
    addresses = expect(call.body, "static_segment", list)
    if addresses is not None:
        call.db.execute("delete from segment_members where segment_id = ?", (row["id"],))
        _put_in(call.db, row, addresses)
    return _segment_view(call, _the_segment(call))


def batch_segment(call: Call) -> Json:
    """Add and remove members by address, 500 of each at the most. Unknown addresses are passed over in silence."""
    row = _the_segment(call)
    to_add = expect(call.body, "members_to_add", list, [])
    to_remove = expect(call.body, "members_to_remove", list, [])
    if max(len(to_add), len(to_remove)) > MAX_BATCH:
        raise bad_request(f"You have exceeded the limit of {MAX_BATCH} members per request.")
    refused = to_add[: call.refuse_members]
    added = _put_in(call.db, row, to_add[len(refused) :])
    removed = _take_out(call.db, row, to_remove)
    call.db.execute("update segments set updated_at = ? where id = ?", (call.now, row["id"]))
    fields = merge_field_rows(call.db, row["list_id"])
    return {
        "members_added": [batch_view(call, member, fields, []) for member in added],
        "members_removed": [batch_view(call, member, fields, []) for member in removed],
        "errors": [{"email_addresses": refused, "error": _NOT_ADDED}] if refused else [],
        "total_added": len(added),
        "total_removed": len(removed),
        "error_count": len(refused),
        "_links": [call.link("self", _path(row), "POST")],
    }


def delete_segment(call: Call) -> None:
    row = _the_segment(call)
    call.db.execute("delete from segment_members where segment_id = ?", (row["id"],))
    call.db.execute("delete from segments where id = ?", (row["id"],))


def segment_members(call: Call) -> Json:
    """The subscribed members of it; others too where `include_unsubscribed` and the like ask for them."""
    segment = _the_segment(call)
    count, offset = call.page()
    extra = [name for name in ("unsubscribed", "cleaned", "transactional") if call.flag(f"include_{name}")]
    statuses = json.dumps(["subscribed", *extra])
    source = """
        from segment_members join members on members.id = segment_members.member_id
        where segment_members.segment_id = ? and members.status in (select value from json_each(?))
    """
    rows = call.db.execute(
        f"select members.* {source} order by members.id limit ? offset ?", (segment["id"], statuses, count, offset)
    ).fetchall()
    total = call.db.execute(f"select count(*) {source}", (segment["id"], statuses)).fetchone()[0]
    fields = merge_field_rows(call.db, segment["list_id"])
    members = [batch_view(call, row, fields, []) for row in rows]
    for member in members:
        del member["tags"], member["tags_count"]
    return {
        "members": members,
        "total_items": total,
        "_links": [call.link("self", f"{_path(segment)}/members"), call.link("parent", _path(segment))],
    }


def _the_segment(call: Call) -> sqlite3.Row:
    list_id = the_list(call)["id"]
    text = call.params["segment_id"]
    row = None
    if text.isdecimal() and len(text) < 19:
        row = call.db.execute("select * from segments where list_id = ? and id = ?", (list_id, int(text))).fetchone()
    if row is None:
        raise not_found()
    return row


def tag_member(call: Call, list_id: str, hash_: str, name: Any, *, active: bool) -> None:
    """Put one member into the static segment of that name, which is made if there is none, or take it out."""
    if not isinstance(name, str):
        raise invalid("tags", "Schema describes string, object found instead")
    row = call.db.execute("select * from segments where list_id = ? and name = ?", (list_id, name)).fetchone()
    if row is None and active:
        row = _new(call, list_id, name)
    if row is not None:
        call.db.execute(
            "insert or ignore into segment_members select ?, id from members where list_id = ? and hash = ?"
            if active
            else "delete from segment_members where segment_id = ? and member_id in "
            "(select id from members where list_id = ? and hash = ?)",
            (row["id"], list_id, hash_),
        )


def _new(call: Call, list_id: str, name: str) -> sqlite3.Row:
    _check_name(call, list_id, name)
    return call.db.execute(
        "insert into segments (list_id, name, created_at, updated_at) values (?, ?, ?, ?) returning *",
        (list_id, name, call.now, call.now),
    ).fetchone()


def _check_name(call: Call, list_id: str, name: str) -> None:
    if not name.strip() or len(name) > 100:
        raise Problem(400, "Invalid Resource", "A tag's name must have between 1 and 100 characters.")
    if call.db.execute("select 1 from segments where list_id = ? and name = ?", (list_id, name)).fetchone():
        raise bad_request("Sorry, that tag already exists.")


def _known(db: sqlite3.Connection, list_id: str, addresses: list[str]) -> list[sqlite3.Row]:
    hashes = json.dumps([member_hash(str(address)) for address in addresses])
    return db.execute(
        """
        select members.* from members
        where list_id = ? and status <> 'archived' and hash in (select value from json_each(?)) order by id
        """,
        (list_id, hashes),
    ).fetchall()


def _put_in(db: sqlite3.Connection, segment: sqlite3.Row, addresses: list[str]) -> list[sqlite3.Row]:
    insert = "insert or ignore into segment_members values (?, ?)"
    members = _known(db, segment["list_id"], addresses)
    return [member for member in members if db.execute(insert, (segment["id"], member["id"])).rowcount]


def _take_out(db: sqlite3.Connection, segment: sqlite3.Row, addresses: list[str]) -> list[sqlite3.Row]:
    delete = "delete from segment_members where segment_id = ? and member_id = ?"
    members = _known(db, segment["list_id"], addresses)
    return [member for member in members if db.execute(delete, (segment["id"], member["id"])).rowcount]


def _segment_view(call: Call, row: sqlite3.Row) -> Json:
    subscribed = call.db.execute(
        """
        select count(*) from segment_members join members on members.id = segment_members.member_id
        where segment_members.segment_id = ? and members.status = 'subscribed'
        """,
        (row["id"],),
    ).fetchone()[0]
    return {
        "id": row["id"],
        "name": row["name"],
        "member_count": subscribed,
        "type": "static",
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "options": {"match": "any", "conditions": []},
        "list_id": row["list_id"],
        "_links": [
            call.link("self", _path(row)),
            call.link("parent", f"/lists/{row['list_id']}/segments"),
            call.link("members", f"{_path(row)}/members"),
        ],
    }


def _path(row: sqlite3.Row) -> str:
    return f"/lists/{row['list_id']}/segments/{row['id']}"


ROUTES: list[tuple[str, str, Handler]] = [
    ("GET", "/lists/{list_id}/segments", get_segments),
    ("POST", "/lists/{list_id}/segments", add_segment),
    ("GET", "/lists/{list_id}/segments/{segment_id}", get_segment),
    ("PATCH", "/lists/{list_id}/segments/{segment_id}", patch_segment),
    ("POST", "/lists/{list_id}/segments/{segment_id}", batch_segment),
    ("DELETE", "/lists/{list_id}/segments/{segment_id}", delete_segment),
    ("GET", "/lists/{list_id}/segments/{segment_id}/members", segment_members),
]
