"""What every handler of the API gets, how it answers, and the parts all of them share.

A handler is a plain function from a Call to a JSON document (200) or None (204); it raises Problem for anything else.
It runs inside one transaction, so a call that fails leaves nothing behind.
"""

import sqlite3
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

Json = dict[str, Any]

MAX_INTEGER = 2**63 - 1

_DIGITS = 19

_INVALID = "The resource submitted could not be validated. For field-specific details, see the 'errors' array."


@dataclass(frozen=True)
class Call:
    """One request.

    `now` is a timestamp as stored; `root` is the address of the API, such as http://127.0.0.1:8025/3.0; a handler puts the
    ids of campaigns that are to be sent, once its transaction is committed, in `to_send`; a batch refuses the first
    `refuse_members` of its members, because the sandbox was told so (faults.py).
    """

    db: sqlite3.Connection
    params: Mapping[str, str]
    query: Mapping[str, str]
    body: Json
    now: str
    root: str
    refuse_members: int = 0
    to_send: list[str] = field(default_factory=list)

    def page(self) -> tuple[int, int]:
        """`count` (10 by default, 1000 at the most) and `offset`. Raises Problem when they are no such numbers."""
        return self._number("count", 10, 1000), self._number("offset", 0, MAX_INTEGER)

    def _number(self, name: str, default: int, most: int) -> int:
        text = self.query.get(name)
        if text is None:
            return default
        if not text.isdecimal():
            raise invalid(name, "Schema describes integer, string found instead")
        if len(text) > _DIGITS or int(text) > most:
            raise invalid(name, f"Number is larger than the maximum of {most}")
        return int(text)

    def flag(self, name: str) -> bool:
        return self.query.get(name, "").lower() in ("true", "1")

    def instant(self, name: str) -> str | None:
        """A time parameter as a stored timestamp, fractions of a second rounded up (what is stored has none)."""
        text = self.query.get(name)
        return None if text is None else instant(name, text)

    def link(self, rel: str, path: str, method: str = "GET") -> Json:
        return {"rel": rel, "href": self.root + path, "method": method}


Handler = Callable[[Call], Json | None]


class Problem(Exception):
    """An answer that is no success: Mailchimp's problem document."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str,
        *,
        errors: list[Json] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {title}: {detail}")
        self.status = status
        self.title = title
        self.detail = detail
        self.errors = errors
        self.headers = dict(headers or {})

    def document(self) -> Json:
        document = {
            "type": "https://mailchimp.com/developer/marketing/docs/errors/",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": str(uuid.uuid4()),
        }
        return document | ({"errors": self.errors} if self.errors is not None else {})


def not_found() -> Problem:
    return Problem(404, "Resource Not Found", "The requested resource could not be found.")


def bad_request(detail: str) -> Problem:
    return Problem(400, "Bad Request", detail)


def invalid(name: str, message: str) -> Problem:
    """A field of the body, or a parameter, that makes no sense."""
    return Problem(400, "Invalid Resource", _INVALID, errors=[{"field": name, "message": message}])


_NAMES = {str: "string", bool: "boolean", int: "integer", float: "number", dict: "object", list: "array"}


def instant(name: str, text: str) -> str:
    """A time as a stored timestamp, fractions of a second rounded up (what is stored has none); "" is none at all."""
    if not text:
        return ""
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        return (moment + timedelta(microseconds=999_999)).replace(microsecond=0).isoformat()
    except (ValueError, OverflowError):
        raise invalid(name, "Value is not a valid ISO 8601 date") from None


def expect(body: Mapping[str, Any], name: str, kind: type, default: Any = None, *, within: str = "") -> Any:
    """`body[name]` if it is of that kind, `default` if it is missing. Raises Problem in the words of Mailchimp's validator."""
    value = body.get(name)
    if value is None and name not in body:
        return default
    wrong_bool = isinstance(value, bool) and kind is not bool
    if not isinstance(value, (int, float) if kind is float else kind) or wrong_bool:
        found = "NULL" if value is None else _NAMES.get(type(value), "string")
        raise invalid(within + name, f"Schema describes {_NAMES[kind]}, {found} found instead")
    if kind is int and abs(value) > MAX_INTEGER:
        raise invalid(within + name, f"Number is larger than the maximum of {MAX_INTEGER}")
    return value


def require(body: Mapping[str, Any], *names: str) -> None:
    missing = [name for name in names if name not in body]
    if missing:
        raise invalid("", f"Required fields were not provided: {', '.join(missing)}")


def one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise invalid(name, f"Value must be one of: {', '.join(allowed)}")
    return value


def select_fields(document: Json, fields: str | None, exclude: str | None) -> Json:
    """The `fields` and `exclude_fields` parameters: comma-separated paths with dots, which go through lists."""
    if fields:
        document = _keep(document, _tree(fields))
    if exclude:
        document = _drop(document, _tree(exclude))
    return document


def _tree(paths: str) -> Json:
    tree: Json = {}
    for path in paths.split(","):
        node = tree
        for part in path.strip().split("."):
            node = node.setdefault(part, {})
    return tree


def _keep(node: Any, tree: Json) -> Any:
    if not tree:
        return node
    if isinstance(node, list):
        return [_keep(item, tree) for item in node]
    if isinstance(node, dict):
        return {key: _keep(value, tree[key]) for key, value in node.items() if key in tree}
    return node


def _drop(node: Any, tree: Json) -> Any:
    if isinstance(node, list):
        return [_drop(item, tree) for item in node]
    if isinstance(node, dict):
        return {
            key: _drop(value, tree[key]) if key in tree else value for key, value in node.items() if tree.get(key) != {}
        }
    return node
