"""The link by which the reader of an email changes what they get, without a login.

A link's token is the address, encrypted: AES-SIV (RFC 5297) gives one address the same token each time, and opens none that it
did not make. It is sent to that reader only; it does not run out, since the right to say no does not either. Who has it can
change this address's preferences, and can't read in it whose they are.
"""

import base64
import binascii
import hashlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from orchestration.core.identity import normal_address

# Addresses are filled up to a multiple of this many bytes, so that a token tells little of how long one is.
STEP = 32
FILLER = b"\0"
FOR = [b"preferences"]
# Mailchimp cuts a member's field at 255 bytes; a longer address would have a token that is cut.
LONGEST_ADDRESS = 160


def preference_token(address: str, key: str) -> str:
    """The token of an address, in any spelling: letters, digits, `-` and `_`. Empty for an address that is too long for one."""
    said = normal_address(address).encode()
    if not 0 < len(said) <= LONGEST_ADDRESS:
        return ""
    filled = said.ljust(-(-len(said) // STEP) * STEP, FILLER)
    return base64.urlsafe_b64encode(_cipher(key).encrypt(filled, FOR)).decode().rstrip("=")


def address_of(token: str, key: str) -> str | None:
    """The address that a token was made for under `key`, or None if it was not."""
    try:
        sealed = base64.b64decode(token.encode() + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
        return _cipher(key).decrypt(sealed, FOR).rstrip(FILLER).decode()
    except (binascii.Error, ValueError, InvalidTag):
        return None


def _cipher(key: str) -> AESSIV:
    return AESSIV(hashlib.sha512(key.encode()).digest())
