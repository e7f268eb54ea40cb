"""Members of a list: /lists/{id} (batch), /lists/{id}/members and one member."""

import sqlite3

from orchestration.sandbox.calls import (
    Call,
    Handler,
    Json,
    Problem,
    bad_request,
    expect,
    invalid,
    not_found,
    one_of,
    require,
)
from orchestration.sandbox.lists import the_list
from orchestration.sandbox.marketing_permissions import permissions_of, save_permissions
from orchestration.sandbox.member_rules import (
    hash_in_path,
    member_exists,
    member_hash,
    merge_field_rows,
    too_many_signups,
)
from orchestration.sandbox.member_save import find_member, save_member
from orchestration.sandbox.member_views import batch_view, member_view, tags_of
from orchestration.sandbox.segments import tag_member

MAX_BATCH = 500


def batch_members(call: Call) -> Json:
    """Add or update up to 500 members. The answer is 200 even when some, or all, of them were refused."""
    list_id = the_list(call)["id"]
    require(call.body, "members")
    entries = expect(call.body, "members", list)
    update_existing = expect(call.body, "update_existing", bool, False)
    if len(entries) > MAX_BATCH:
        raise bad_request(f"You have exceeded the limit of {MAX_BATCH} members per request.")
    fields = merge_field_rows(call.db, list_id)
    created, updated, errors = [], [], []
    for number, entry in enumerate(entries):
        try:
            if number < call.refuse_members:
                raise too_many_signups(entry.get("email_address", "") if isinstance(entry, dict) else "")
            is_new, row = _save_batched(call, list_id, entry, fields, update_existing)
        except Problem as problem:
            errors.append(_batch_error(entry, problem))
        else:
            (created if is_new else updated).append(row)
    tags = tags_of(call.db, [row["id"] for row in updated])
    return {
        "new_members": [batch_view(call, row, fields, []) for row in created],
        "updated_members": [batch_view(call, row, fields, tags.get(row["id"], [])) for row in updated],
        "errors": errors,
        "total_created": len(created),
        "total_updated": len(updated),
        "error_count": len(errors),
        "_links": [call.link("self", f"/lists/{list_id}", "POST")],
    }


def _save_batched(
    call: Call, list_id: str, entry: Json, fields: dict[str, sqlite3.Row], update_existing: bool
) -> tuple[bool, sqlite3.Row]:
    if not isinstance(entry, dict):
        raise invalid("members", "Schema describes object, string found instead")
    require(entry, "email_address")
    address = expect(entry, "email_address", str)
    existing = find_member(call.db, list_id, member_hash(address))
    if existing is not None and existing["status"] != "archived" and not update_existing:
        raise Problem(
            400,
            "Member Exists",
            f"{address} is already a list member, do you want to update? "
            "please provide update_existing:true in the request body",
        )
    status = expect(entry, "status", str)
    if status is None and (existing is None or existing["status"] == "archived"):
        raise invalid("status", "Required fields were not provided: status")
    return existing is None, save_member(call, list_id, existing, entry, status=status, fields=fields)


def _batch_error(entry: Json, problem: Problem) -> Json:
    first = problem.errors[0] if problem.errors else {"field": "", "message": ""}
    exists = problem.title == "Member Exists"
    return {
        "email_address": str(entry.get("email_address", "")) if isinstance(entry, dict) else "",
        "error": problem.detail,
        "error_code": "ERROR_CONTACT_EXISTS" if exists else "ERROR_GENERIC",
        "field": first["field"],
        "field_message": first["message"],
    }


def list_members(call: Call) -> Json:
    list_id = the_list(call)["id"]
    count, offset = call.page()
    where, values = _filters(call, list_id)
    sort = {"timestamp_opt": "timestamp_opt", "timestamp_signup": "timestamp_signup", "last_changed": "last_changed"}
    order = sort.get(call.query.get("sort_field", ""), "id")
    direction = "desc" if call.query.get("sort_dir", "").upper() == "DESC" else "asc"
    rows = call.db.execute(
        f"select * from members where {where} order by {order} {direction}, id limit ? offset ?",
        (*values, count, offset),
    ).fetchall()
    total = call.db.execute(f"select count(*) from members where {where}", values).fetchone()[0]
    path = f"/lists/{list_id}"
    fields = merge_field_rows(call.db, list_id)
    ids = [row["id"] for row in rows]
    tags, permissions = tags_of(call.db, ids), permissions_of(call.db, list_id, ids)
    return {
        "members": [
            member_view(call, row, fields, tags.get(row["id"], []), permissions.get(row["id"])) for row in rows
        ],
        "list_id": list_id,
        "total_items": total,
        "_links": [
            call.link("self", f"{path}/members"),
            call.link("parent", path),
            call.link("create", f"{path}/members", "POST"),
        ],
    }


def _filters(call: Call, list_id: str) -> tuple[str, list[str]]:
    where, values = ["list_id = ?"], [list_id]
    if status := call.query.get("status"):
        where.append("status = ?")
        values.append(status)
    for name, condition in (
        ("since_last_changed", "last_changed >= ?"),
        ("before_last_changed", "last_changed < ?"),
        ("since_timestamp_opt", "timestamp_opt >= ?"),
        ("before_timestamp_opt", "timestamp_opt < ?"),
        ("unsubscribed_since", "status = 'unsubscribed' and unsubscribed_at >= ?"),
    ):
        moment = call.instant(name)
        if moment is not None:
            where.append(condition)
            values.append(moment)
    return " and ".join(where), values


def add_member(call: Call) -> Json:
    list_id = the_list(call)["id"]
    require(call.body, "email_address", "status")
    address = expect(call.body, "email_address", str)
    existing = find_member(call.db, list_id, member_hash(address))
    if existing is not None and existing["status"] != "archived":
        raise member_exists(address)
    names = expect(call.body, "tags", list, [])
    member = _save_one(call, list_id, existing, expect(call.body, "status", str))
    if not names:
        return member
    for name in names:
        tag_member(call, list_id, member_hash(address), name, active=True)
    return _one(call, find_member(call.db, list_id, member_hash(address)))


def tag_one_member(call: Call) -> None:
    """Put the member into static segments, which are made when there are none of the name, or take it out of them."""
    list_id = the_list(call)["id"]
    row = _the_member(call, list_id)
    require(call.body, "tags")
    for tag in expect(call.body, "tags", list):
        if not isinstance(tag, dict):
            raise invalid("tags", "Schema describes object, string found instead")
        require(tag, "name", "status")
        status = one_of("tags.status", expect(tag, "status", str, within="tags."), ("active", "inactive"))
        tag_member(call, list_id, row["hash"], tag["name"], active=status == "active")


def get_member(call: Call) -> Json:
    list_id = the_list(call)["id"]
    row = _the_member(call, list_id)
    return _one(call, row)


def put_member(call: Call) -> Json:
    """Add or update one member: `status_if_new` for somebody new, `status`, if given, for somebody known."""
    list_id = the_list(call)["id"]
    existing = find_member(call.db, list_id, hash_in_path(call.params["subscriber_hash"]))
    status = expect(call.body, "status", str)
    if existing is None:
        require(call.body, "email_address")
        status = expect(call.body, "status_if_new", str, status)
        if status is None:
            raise invalid("status_if_new", "Required fields were not provided: status_if_new")
    return _save_one(call, list_id, existing, status)


def patch_member(call: Call) -> Json:
    list_id = the_list(call)["id"]
    return _save_one(call, list_id, _the_member(call, list_id), expect(call.body, "status", str))


def archive_member(call: Call) -> None:
    list_id = the_list(call)["id"]
    row = _the_member(call, list_id)
    if row["status"] in ("cleaned", "pending", "archived"):
        raise Problem(
            405,
            "Method Not Allowed",
            "This list member cannot be removed. Can not archive a contact that is bounced, pending or archived",
            headers={"Allow": "GET, PUT"},
        )
    call.db.execute("update members set status = 'archived', last_changed = ? where id = ?", (call.now, row["id"]))


def delete_permanently(call: Call) -> None:
    """Erase a member. The address can never be added again by a call."""
    list_id = the_list(call)["id"]
    row = _the_member(call, list_id)
    call.db.execute("delete from segment_members where member_id = ?", (row["id"],))
    call.db.execute("delete from given_permissions where member_id = ?", (row["id"],))
    call.db.execute("delete from members where id = ?", (row["id"],))
    call.db.execute(
        "update emails set email_address = '', merge_fields = '{}' where member_hash = ?",
        (row["hash"],),
    )
    call.db.execute("insert or ignore into forgotten values (?, ?)", (list_id, row["hash"]))


def _the_member(call: Call, list_id: str) -> sqlite3.Row:
    row = find_member(call.db, list_id, hash_in_path(call.params["subscriber_hash"]))
    if row is None:
        raise not_found()
    return row


def _one(call: Call, row: sqlite3.Row) -> Json:
    fields = merge_field_rows(call.db, row["list_id"])
    ids = [row["id"]]
    tags, permissions = tags_of(call.db, ids), permissions_of(call.db, row["list_id"], ids)
    return member_view(call, row, fields, tags.get(row["id"], []), permissions.get(row["id"]))


def _save_one(call: Call, list_id: str, existing: sqlite3.Row | None, status: str | None) -> Json:
    fields = merge_field_rows(call.db, list_id)
    row = save_member(call, list_id, existing, call.body, status=status, fields=fields)
    save_permissions(call.db, list_id, row["id"], call.body)
    return _one(call, row)


ROUTES: list[tuple[str, str, Handler]] = [
    ("POST", "/lists/{list_id}", batch_members),
    ("GET", "/lists/{list_id}/members", list_members),
    ("POST", "/lists/{list_id}/members", add_member),
    ("GET", "/lists/{list_id}/members/{subscriber_hash}", get_member),
    ("PUT", "/lists/{list_id}/members/{subscriber_hash}", put_member),
    ("PATCH", "/lists/{list_id}/members/{subscriber_hash}", patch_member),
    ("DELETE", "/lists/{list_id}/members/{subscriber_hash}", archive_member),
    ("POST", "/lists/{list_id}/members/{subscriber_hash}/tags", tag_one_member),
    ("POST", "/lists/{list_id}/members/{subscriber_hash}/actions/delete-permanent", delete_permanently),
]
