"""Who an address belongs to, without saying the address: one keyed id each, the same in Python and in SQL.

An id is the first 32 hex digits of sha256(key + U+001F + address), written as a UUID. The key never leaves
`$DATA_DIR/keys`, so that an id alone cannot be tested against a list of addresses.
"""

import hashlib
import uuid

SEPARATOR = "\x1f"
WHITESPACE = " \t\n\r\v\f\u00a0\u200b\ufeff"


def normal_address(text: str) -> str:
    """An address as it is compared and kept: trimmed and lower-case (DESIGN 5).

    Each character is lowered on its own, as DuckDB does: `str.lower` looks at a character's neighbours for a final sigma
    and makes two of a dotted capital I, and the same person would have two ids.
    """
    return "".join(_lower(character) for character in text.strip(WHITESPACE))


def address_id(address: str, key: str) -> str:
    """The id of an address (any spelling) under `key`, a UUID in its usual text form."""
    digest = hashlib.sha256((key + SEPARATOR + normal_address(address)).encode()).hexdigest()
    return str(uuid.UUID(digest[:32]))


def normal_address_sql(expression: str) -> str:
    """SQL (DuckDB) that gives what `normal_address` gives."""
    characters = " || ".join(f"chr({ord(character)})" for character in WHITESPACE)
    return f"lower(trim({expression}, {characters}))"


def address_id_sql(expression: str, key_expression: str) -> str:
    """SQL (DuckDB) that gives `address_id` as a UUID for an address that is normal already; null for null."""
    return f"cast(left(sha256({key_expression} || chr({ord(SEPARATOR)}) || {expression}), 32) as uuid)"


def _lower(character: str) -> str:
    lowered = character.lower()
    return lowered if len(lowered) == 1 else lowered[0]
