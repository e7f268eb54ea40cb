"""What goes to which reader: the limits of one wave's email, and what Mailchimp gets to see of it.

Every reader of a wave gets the same email source, with what is their own switched on by conditional blocks (DESIGN 8). So a
wave can hold only so many different cards; choosing them is one query (components/cards.py). A member's fields hold opaque codes:

    ART1 … ART3     the article in each slot          WHY1 … WHY3    why it is there: one of WHYS
    PROD1 … PROD3   the product in each slot          OFFER          the reader's own code of the offer
    PREFS           the token of the reader's own link to the preference page (core.preference_link)
"""

import hashlib

# 10 cards in each of 3 slots are 26 to 29 KB of source as our cards are now (measured in tests/resources/test_renderer.py).
CARDS_PER_SLOT = 10
CODE_LENGTH = 10
SLOTS = 3

ARTICLE, WHY, PRODUCT, OFFER = "ART", "WHY", "PROD", "OFFER"
# Merge fields beside the first name. Mailchimp allows a tag 10 characters, and an audience 30 fields.
CONTENT_FIELDS = (*(f"{kind}{slot}" for kind in (ARTICLE, WHY, PRODUCT) for slot in range(1, SLOTS + 1)), OFFER)
# Of the reader and not of the wave: it is made of their address when it is written, and no draft's hash covers it.
PREFERENCES = "PREFS"

# A reason of marts.recommended_articles → the word that stands for it in a member's field and in brand.yaml. The words say how
# an article was found, never what it is about. A reason that is not here is `related`.
WHYS = {
    "read_together": "together",
    "similar_text": "similar",
    "popular": "popular",
    "new": "new",
}
ANY_WHY = "related"


def card_code(wave_id: str, item_id: str) -> str:
    """The opaque code of an article or product in a wave: what a member's field holds. Another wave has another, so fields tell
    nothing."""
    return "c" + hashlib.sha256(f"{wave_id}\x1f{item_id}".encode()).hexdigest()[: CODE_LENGTH - 1]


def slot_field(kind: str, slot: int) -> str:
    """The name of the member field of slot 0, 1 or 2."""
    return f"{kind}{slot + 1}"
