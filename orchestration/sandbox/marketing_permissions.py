"""The GDPR fields of a list, which Mailchimp calls marketing permissions: what each member said each permission.

A list has none until they are turned on for it, at Mailchimp on a page, here by `POST /sandbox/lists/{id}/marketing-permissions`.
"""

import json
import secrets
import sqlite3
from collections.abc import Sequence

from orchestration.sandbox.calls import Json, expect, invalid

# What Mailchimp gives a list whose GDPR fields are turned on.
_TEXTS = ("Email", "Direct Mail", "Customized Online Advertising")


def turn_on(db: sqlite3.Connection, list_id: str) -> None:
    if not are_on(db, list_id):
        db.executemany(
            "insert into marketing_permissions values (?, ?, ?)",
            [(secrets.token_hex(5), list_id, text) for text in _TEXTS],
        )


def are_on(db: sqlite3.Connection, list_id: str) -> bool:
    return db.execute("select 1 from marketing_permissions where list_id = ?", (list_id,)).fetchone() is not None


def permissions_of(db: sqlite3.Connection, list_id: str, member_ids: Sequence[int]) -> dict[int, list[Json]]:
    """Member id → what it said to each permission of the list; nothing for a list without GDPR fields."""
    rows = db.execute(
        """
        select wanted.value, marketing_permissions.id, text, given.member_id is not null
        from json_each(?) as wanted
        join marketing_permissions on list_id = ?
        left join given_permissions as given
            on given.member_id = wanted.value and given.permission_id = marketing_permissions.id
        order by marketing_permissions.rowid
        """,
        (json.dumps(list(member_ids)), list_id),
    )
    permissions: dict[int, list[Json]] = {}
    for member_id, permission_id, text, enabled in rows:
        one = {"marketing_permission_id": permission_id, "text": text, "enabled": bool(enabled)}
        permissions.setdefault(member_id, []).append(one)
    return permissions


def save_permissions(db: sqlite3.Connection, list_id: str, member_id: int, entry: Json) -> None:
    """Write what `entry` says of permissions, if anything. Raises Problem for one that the list has not."""
    for given in expect(entry, "marketing_permissions", list, []):
        if not isinstance(given, dict):
            raise invalid("marketing_permissions", "Schema describes object, string found instead")
        permission_id = expect(given, "marketing_permission_id", str, "", within="marketing_permissions.")
        known = db.execute(
            "select 1 from marketing_permissions where list_id = ? and id = ?", (list_id, permission_id)
        ).fetchone()
        if not known:
            raise invalid("marketing_permissions", "The marketing permission does not exist.")
        enabled = expect(given, "enabled", bool, False, within="marketing_permissions.")
        db.execute(
            "insert or ignore into given_permissions values (?, ?)"
            if enabled
            else "delete from given_permissions where member_id = ? and permission_id = ?",
            (member_id, permission_id),
        )
