"""One row of a contract as the collector lands it, or the first rule it breaks (DESIGN 3).

The same rules decide over files in SQL (resources/landing_rules.py). These are for whoever waits for an answer, and never more
lenient: a row that comes out of here does not become a reject. They ask for JSON's own types where a file may hold texts.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

from orchestration.core.contracts import COUNTRIES, SOURCES, Field, Source
from orchestration.core.errors import EventRefused
from orchestration.core.identity import normal_address

ADDRESS = re.compile(r"[^@\s\x00-\x20\x7f]+@[^@\s\x00-\x20\x7f]+")
LONGEST_ADDRESS = 254  # RFC 5321, 4.5.3.1.3
INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?(Z|[+-](0\d|1[0-4])(:?[0-5]\d)?)", re.ASCII)
CURRENCY = re.compile(r"[A-Z]{3}")
KNOWN_COUNTRIES = frozenset(COUNTRIES)
LARGEST_INTEGER = 2**63 - 1
# No UTF-8, as little as a NUL is text.
HALF_A_CHARACTER = re.compile("[\ud800-\udfff]")

Check = Callable[[Any], Any]


def landing_row(source: Source, said: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the contract from what a caller said; what the contract does not name is left out.

    Raises EventRefused with the first rule that is broken, as a sentence that repeats no value.
    """
    row = {}
    for name, is_required, check in _checks(source.name):
        value = said.get(name)
        if value is None:
            if is_required:
                raise EventRefused(f"{name}: missing")
            row[name] = None
            continue
        try:
            row[name] = check(value)
        except ValueError as error:
            raise EventRefused(f"{name}: {error}") from None
    return row


@cache
def _checks(source: str) -> tuple[tuple[str, bool, Check], ...]:
    return tuple((field.name, field.required, _check(field)) for field in SOURCES[source].fields)


def _check(field: Field) -> Check:
    if field.allowed:
        return lambda value: _one_of(value, field.allowed)
    match field.kind:
        case "money":
            return lambda value: _money(value, field)
        case "integer":
            return lambda value: _integer(value, field)
        case "structs":
            parts = tuple((part.name, part.required, _check(part)) for part in field.fields)
            return lambda value: _structs(value, parts)
    return {
        "text": _text,
        "id": _id,
        "email": _email,
        "country": _country,
        "currency": _currency,
        "instant": _instant,
        "boolean": _boolean,
        "texts": _texts,
    }[field.kind]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("is no text")
    if "\x00" in value or not (value.isascii() or HALF_A_CHARACTER.search(value) is None):
        raise ValueError("holds a NUL or half a character")
    return value


def _id(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not _text(value):
        raise ValueError("empty")
    return value


def _email(value: Any) -> str:
    address = normal_address(_text(value))
    if len(address) > LONGEST_ADDRESS or not ADDRESS.fullmatch(address):
        raise ValueError("not an address")
    return address


def _country(value: Any) -> str:
    if _text(value) not in KNOWN_COUNTRIES:
        raise ValueError("is not an ISO 3166 country code")
    return value


def _currency(value: Any) -> str:
    if not CURRENCY.fullmatch(_text(value)):
        raise ValueError("is not a currency of three capitals")
    return value


def _one_of(value: Any, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError(f"is none of {', '.join(allowed)}")
    return value


def _instant(value: Any) -> str:
    if not INSTANT.fullmatch(_text(value)):
        raise ValueError("is not a time with an offset")
    try:
        datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("is not a time with an offset") from None
    return value


def _money(value: Any, field: Field) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("is not an amount of money")
    try:
        amount = Decimal(str(value))
        if not amount.is_finite() or abs(amount) >= Decimal("1e12"):
            raise InvalidOperation
        amount = amount.quantize(Decimal(1).scaleb(-field.scale))
    except InvalidOperation:
        raise ValueError("is not an amount of money") from None
    if field.minimum is not None and amount < field.minimum:
        raise ValueError(f"is below {field.minimum}")
    return str(amount)


def _integer(value: Any, field: Field) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > LARGEST_INTEGER:
        raise ValueError("is not a whole number")
    if field.minimum is not None and value < field.minimum:
        raise ValueError(f"is below {field.minimum}")
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("is neither true nor false")
    return value


def _texts(value: Any) -> list[str]:
    return [_text(item) for item in _list(value)]


def _structs(value: Any, parts: tuple[tuple[str, bool, Check], ...]) -> list[dict[str, Any]]:
    rows = []
    for item in _list(value):
        if not isinstance(item, Mapping):
            raise ValueError("holds a null or a wrong item")
        row = {}
        for name, is_required, check in parts:
            if item.get(name) is None and is_required:
                raise ValueError(f"{name} is missing")
            row[name] = None if item.get(name) is None else check(item[name])
        rows.append(row)
    return rows


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("is not a list")
    return value
