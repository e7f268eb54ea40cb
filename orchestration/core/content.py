"""Which articles go to which reader: the limits of one wave's email, and what Mailchimp gets to see of an article.

Every reader of a wave gets the same email source, with their own articles switched on by conditional blocks (DESIGN 8). So a
wave can hold only so many different articles; choosing them is one query (components/articles.py).
"""

import hashlib

# 10 cards in each of 3 slots are 26 to 29 KB of source as our cards are now (measured in tests/resources/test_renderer.py).
CARDS_PER_SLOT = 10
CODE_LENGTH = 10


def card_code(wave_id: str, article_id: str) -> str:
    """The opaque code of an article in a wave: what a member's field holds. Another wave has another, so fields tell nothing."""
    return "c" + hashlib.sha256(f"{wave_id}\x1f{article_id}".encode()).hexdigest()[: CODE_LENGTH - 1]


def slot_field(slot: int) -> str:
    """The name of the member field of slot 0, 1 or 2."""
    return f"ART{slot + 1}"
