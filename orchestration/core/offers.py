"""One code a person: what it is made of, and the file with which a shop learns of it.

A code is a keyed hash of campaign, contact and entry: the same again whenever it is asked for, and no one can guess another's.
Its 22 characters leave out what is taken for another (0 O, 1 I L, 2 Z, 5 S, 8 B) and vowels, so that no word comes of it: 12 of
them are 53 bits. WooCommerce compares codes without regard to case; ours are in capitals.

The file is the coupon CSV that WooCommerce's importers take: columns are named as WooCommerce keeps them, the title is the code.
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from orchestration.core.campaign import PlannedOffer
from orchestration.core.identity import SEPARATOR

ALPHABET = "34679CDFGHJKMNPQRTVWXY"
CODE_LENGTH = 12

COUPON_COLUMNS = (
    "post_title",
    "post_excerpt",
    "post_status",
    "discount_type",
    "coupon_amount",
    "individual_use",
    "usage_limit",
    "usage_limit_per_user",
    "expiry_date",
    "exclude_product_categories",
)


def offer_code_sql(key: str, campaign: str, contact_id: str, entry: str) -> str:
    """SQL (DuckDB) that gives a contact's code, from expressions for the key and the parts, all text."""
    parts = f" || chr({ord(SEPARATOR)}) || ".join((key, campaign, contact_id, entry))
    character = f"substr('{ALPHABET}', 1 + ('0x' || substr(digest, 5 * i + 1, 5))::bigint % {len(ALPHABET)}, 1)"
    code = f"array_to_string([{character} for i in range({CODE_LENGTH})], '')"
    # a list of one, so that the digest is made once and not for every character
    return f"list_transform([sha256({parts})], lambda digest: {code})[1]"


def coupon_rows(codes: Iterable[str], offer: PlannedOffer, *, wave_id: str) -> Iterator[tuple[str, ...]]:
    """The lines of a wave's coupon file, as COUPON_COLUMNS. No address is among them: whoever has a code may redeem it, once."""
    # WooCommerce ends a coupon as its expiry date begins
    expires = (offer.closes_on + timedelta(days=1)).isoformat()
    excluded = "|".join(map(str, offer.excluded_categories))
    for code in codes:
        yield (
            code,
            f"Pennypost {wave_id}",
            "publish",
            "percent",
            str(offer.percent),
            "yes",
            "1",
            "1",
            expires,
            excluded,
        )
