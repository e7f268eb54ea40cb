"""The link by which the reader of an email changes what they get, without a login.

A link's token is the address in base64url, a dot, and a keyed hash of it. It is made for one reader and sent to them only; it
does not run out, since the right to say no does not either. Who has it can change this address's preferences and read nothing.
"""

import base64
import binascii
import hashlib
import hmac

from orchestration.core.identity import normal_address

HASH_BYTES = 16


def preference_token(address: str, key: str) -> str:
    """The token of an address, in any spelling; letters, digits, `-`, `_` and one dot."""
    said = normal_address(address).encode()
    return f"{_text(said)}.{_text(_hash(said, key))}"


def address_of(token: str, key: str) -> str | None:
    """The address that a token was made for under `key`, or None if it was not."""
    said, _, signature = token.partition(".")
    try:
        address = _bytes(said)
        is_ours = hmac.compare_digest(_bytes(signature), _hash(address, key))
        return address.decode() if is_ours else None
    except (binascii.Error, ValueError):
        return None


def _hash(said: bytes, key: str) -> bytes:
    return hmac.digest(key.encode(), b"preferences\x1f" + said, hashlib.sha256)[:HASH_BYTES]


def _text(said: bytes) -> str:
    return base64.urlsafe_b64encode(said).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
