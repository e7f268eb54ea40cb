"""What makes a member acceptable: its address, its status, its merge fields. Pure checks that raise Problem."""

import hashlib
import json
import math
import re
import sqlite3
from collections.abc import Mapping
from typing import Any

from orchestration.sandbox.calls import Json, Problem, bad_request, invalid
from orchestration.sandbox.steering import looks_fake, never_subscribable

MAX_TEXT_BYTES = 255

_ADDRESS = re.compile(r"[^@\s,;<>()\"]+@[a-z0-9-]+(\.[a-z0-9-]+)+", re.IGNORECASE)
_HASH = re.compile(r"[0-9a-f]{32}")


def member_hash(address: str) -> str:
    """The id Mailchimp gives a member: MD5 of the address in lower case."""
    return hashlib.md5(address.lower().encode(), usedforsecurity=False).hexdigest()


def hash_in_path(text: str) -> str:
    """The path may name a member by hash or by address."""
    return text.lower() if _HASH.fullmatch(text.lower()) else member_hash(text)


def member_exists(address: str) -> Problem:
    return Problem(
        400, "Member Exists", f"{address} is already a list member. Use PUT to insert or update list members."
    )


def too_many_signups(address: str) -> Problem:
    """What may hit anybody in a batch, through no fault of theirs or ours."""
    return Problem(
        400,
        "Invalid Resource",
        f"{address} has signed up to a lot of lists very recently; we're not allowing more signups for now.",
    )


def check_new_address(address: str) -> None:
    if not _ADDRESS.fullmatch(address):
        raise Problem(400, "Invalid Resource", "Please provide a valid email address.")
    if looks_fake(address):
        raise Problem(400, "Invalid Resource", f"{address} looks fake or invalid, please enter a real email address.")


def check_status(address: str, status: str, *, in_compliance_state: bool) -> str:
    """`status` if this member may be given it."""
    if status == "subscribed" and (in_compliance_state or never_subscribable(address)):
        raise Problem(
            400,
            "Member In Compliance State",
            f"{address} is in a compliance state due to unsubscribe, bounce, or compliance review "
            "and cannot be subscribed.",
        )
    return status


def clean_merge_fields(
    fields: Mapping[str, sqlite3.Row], given: Mapping[str, Any], before: Mapping[str, Any], *, validate: bool
) -> Json:
    """The merge fields as stored: `given` over `before`, unknown tags dropped, text cut at 255 bytes.

    `fields`: tag → row of the table merge_fields. With `validate`, required fields must have a value.
    """
    values = dict(before)
    errors = []
    for tag, value in given.items():
        field = fields.get(tag.upper())
        if field is None:
            continue
        try:
            values[field["tag"]] = _clean(field["type"], value)
        except ValueError as error:
            errors.append({"field": field["tag"], "message": str(error)})
    if validate:
        named = {error["field"] for error in errors}
        required = (tag for tag, field in fields.items() if field["required"] and tag not in named)
        blank = [tag for tag in required if values.get(tag, "") == ""]
        errors += [{"field": tag, "message": "Please enter a value"} for tag in blank]
    if errors:
        raise Problem(400, "Invalid Resource", "Your merge fields were invalid.", errors=errors)
    return values


def _clean(kind: str, value: Any) -> Any:
    if value is None or value == "":
        return ""
    if kind == "number":
        return _number(value)
    if kind == "address" and isinstance(value, dict):
        if not all(value.get(part) for part in ("addr1", "city", "zip")):
            raise ValueError("Please enter a complete address")
        return value
    if isinstance(value, (dict, list)):
        raise bad_request("Data did not match any of the schemas described in anyOf.")
    return cut(str(value))


def _number(value: Any) -> int | float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError("Please enter a number")
    return int(number) if number.is_integer() else number


def cut(text: str) -> str:
    """The first 255 bytes of `text`, without half a character at the end."""
    return text.encode()[:MAX_TEXT_BYTES].decode(errors="ignore")


def merge_field_rows(db: sqlite3.Connection, list_id: str) -> dict[str, sqlite3.Row]:
    rows = db.execute("select * from merge_fields where list_id = ? order by display_order", (list_id,))
    return {row["tag"]: row for row in rows}


def stored_merge_fields(row: sqlite3.Row | None) -> Json:
    return json.loads(row["merge_fields"]) if row is not None else {}


def given_merge_fields(entry: Json) -> Json:
    given = entry.get("merge_fields", {})
    if not isinstance(given, dict):
        raise invalid("merge_fields", "Schema describes object, array found instead")
    return given
