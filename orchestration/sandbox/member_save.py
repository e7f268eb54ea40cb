"""Writing one member: what every call that adds or changes one goes through."""

import json
import secrets
import sqlite3

from orchestration.sandbox.calls import Call, Json, Problem, expect, instant
from orchestration.sandbox.member_rules import (
    check_new_address,
    check_status,
    clean_merge_fields,
    given_merge_fields,
    member_exists,
    member_hash,
    stored_merge_fields,
)


def find_member(db: sqlite3.Connection, list_id: str, hash_: str) -> sqlite3.Row | None:
    return db.execute("select * from members where list_id = ? and hash = ?", (list_id, hash_)).fetchone()


def save_member(
    call: Call,
    list_id: str,
    existing: sqlite3.Row | None,
    entry: Json,
    *,
    status: str | None,
    fields: dict[str, sqlite3.Row],
) -> sqlite3.Row:
    """Write one member as `entry` has it and return its row. Raises Problem when Mailchimp would refuse it."""
    address = expect(entry, "email_address", str, existing["email_address"] if existing else None)
    hash_ = member_hash(address)
    if existing is None or hash_ != existing["hash"]:
        check_new_address(address)
        _check_not_taken(call.db, list_id, address, hash_)
    if status is not None:
        check_status(address, status, in_compliance_state=bool(existing and existing["in_compliance_state"]))
    validate = not call.flag("skip_merge_validation")
    values = clean_merge_fields(fields, given_merge_fields(entry), stored_merge_fields(existing), validate=validate)
    if existing is None:
        return _insert(call, list_id, entry, address, status, values)
    return _update(call, existing, entry, address, status or existing["status"], values)


def _check_not_taken(db: sqlite3.Connection, list_id: str, address: str, hash_: str) -> None:
    if db.execute("select 1 from forgotten where list_id = ? and hash = ?", (list_id, hash_)).fetchone():
        raise Problem(
            400,
            "Forgotten Email Not Subscribed",
            f"{address} was permanently deleted and cannot be re-imported. "
            "The contact must re-subscribe to get back on the list.",
        )
    if find_member(db, list_id, hash_) is not None:
        raise member_exists(address)


def _insert(call: Call, list_id: str, entry: Json, address: str, status: str, values: Json) -> sqlite3.Row:
    return call.db.execute(
        """
        insert into members (
            list_id, hash, email_address, unique_email_id, contact_id, email_type, status, merge_fields, language, vip,
            ip_signup, timestamp_signup, ip_opt, timestamp_opt, last_changed, source, unsubscribe_reason, unsubscribed_at
        ) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'API - Generic', ?, ?) returning *
        """,
        (
            list_id,
            member_hash(address),
            address,
            secrets.token_hex(5),
            secrets.token_hex(16),
            expect(entry, "email_type", str, "html"),
            status,
            json.dumps(values),
            expect(entry, "language", str, ""),
            expect(entry, "vip", bool, False),
            expect(entry, "ip_signup", str, ""),
            _instant(entry, "timestamp_signup", ""),
            expect(entry, "ip_opt", str, ""),
            _instant(entry, "timestamp_opt", call.now if status == "subscribed" else ""),
            call.now,
            *_unsubscribed(call, status),
        ),
    ).fetchone()


def _update(call: Call, existing: sqlite3.Row, entry: Json, address: str, status: str, values: Json) -> sqlite3.Row:
    same_status = status == existing["status"]
    opted_in = status == "subscribed" and not same_status
    left = (existing["unsubscribe_reason"], existing["unsubscribed_at"]) if same_status else _unsubscribed(call, status)
    return call.db.execute(
        """
        update members set
            hash = ?, email_address = ?, email_type = ?, status = ?, merge_fields = ?, language = ?, vip = ?,
            timestamp_opt = ?, unsubscribe_reason = ?, unsubscribed_at = ?, last_changed = ?
        where id = ? returning *
        """,
        (
            member_hash(address),
            address,
            expect(entry, "email_type", str, existing["email_type"]),
            status,
            json.dumps(values),
            expect(entry, "language", str, existing["language"]),
            expect(entry, "vip", bool, bool(existing["vip"])),
            _instant(entry, "timestamp_opt", call.now if opted_in else existing["timestamp_opt"]),
            *left,
            call.now,
            existing["id"],
        ),
    ).fetchone()


def _instant(entry: Json, name: str, default: str) -> str:
    return instant(name, entry[name]) if name in entry else default


def _unsubscribed(call: Call, status: str) -> tuple[str | None, str | None]:
    return ("N/A (Unsubscribed by an admin)", call.now) if status == "unsubscribed" else (None, None)
