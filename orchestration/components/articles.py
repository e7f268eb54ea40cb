"""Related reading for a wave: at most 10 cards a slot for everybody together, and each reader's own best of them.

A greedy choice: the next card is the one that helps most readers most, those first who have not enough yet. Then each reader
gets, in each slot, the card that `marts.recommended_articles` ranks highest for them. All of it is SQL over whole columns;
Python only counts the cards.
"""

from collections.abc import Sequence

from duckdb import DuckDBPyConnection

from orchestration.core.campaign import Articles, Card
from orchestration.core.content import CARDS_PER_SLOT, card_code, slot_field

# A reader who has fewer than the minimum yet weighs as much as this many others.
NEED = 10


def assign(con: DuckDBPyConnection, wave_id: str, articles: Articles) -> list[list[Card]]:
    """Fill the temp table `slots (contact_id, slots, filled)` for those of the temp table `due` who may get it now.

    `slots` is JSON text such as {"ART1": "c0123abcde"}, `filled` how many there are. Returns the cards, slot by slot.
    """
    con.execute(
        """
        create or replace temp table candidates as
        select r.contact_id, r.article_id, r.rank
        from lake.marts.recommended_articles as r
        semi join (from due where why_not is null and put_off is null) as readers using (contact_id)
        """
    )
    con.execute("create or replace temp table chosen (article_id varchar, slot integer, place integer)")
    con.execute("create or replace temp table filled (contact_id uuid, slot integer)")
    for place in range(articles.slots * CARDS_PER_SLOT):
        if not _choose(con, slot=place % articles.slots, place=place, minimum=articles.minimum):
            break
    con.execute(
        """
        create or replace temp table assigned as
        select c.contact_id, h.slot, arg_min(c.article_id, (c.rank, c.article_id)) as article_id
        from candidates as c join chosen as h using (article_id)
        group by c.contact_id, h.slot
        """
    )
    cards = _cards(con, wave_id, articles.slots)
    con.execute("create or replace temp table codes (article_id varchar, code varchar, field varchar)")
    for slot, slot_cards in enumerate(cards):
        for card in slot_cards:
            con.execute("insert into codes values (?, ?, ?)", [card.article_id, card.code, slot_field(slot)])
    con.execute(
        """
        create or replace temp table slots as
        select a.contact_id, to_json(map_from_entries(list((k.field, k.code) order by k.field)))::varchar as slots,
            count(*) as filled
        from assigned as a join codes as k using (article_id)
        group by a.contact_id
        """
    )
    return cards


def _choose(con: DuckDBPyConnection, *, slot: int, place: int, minimum: int) -> bool:
    """Add the card that is worth most in this slot. False when none is worth anything any more, in any slot."""
    (best,) = con.execute(
        """
        with so_far as (
            select contact_id, count(*) as filled, bool_or(slot = $slot) as has_slot from filled group by contact_id
        )
        select arg_max(article_id, (worth, article_id)) from (
            select c.article_id, sum((case when coalesce(h.filled, 0) < $minimum then $need else 1 end) / c.rank) as worth
            from candidates as c
            left join so_far as h using (contact_id)
            where not coalesce(h.has_slot, false) and c.article_id not in (select article_id from chosen)
            group by c.article_id
        )
        """,
        {"slot": slot, "minimum": minimum, "need": NEED},
    ).fetchone()
    if best is None:
        (left,) = con.execute(
            "select count(*) from candidates where article_id not in (select article_id from chosen)"
        ).fetchone()
        return left > 0
    con.execute("insert into chosen values (?, ?, ?)", [best, slot, place])
    con.execute(
        """
        insert into filled
        select contact_id, $slot from candidates where article_id = $article
        and contact_id not in (select contact_id from filled where slot = $slot)
        """,
        {"slot": slot, "article": best},
    )
    return True


def _cards(con: DuckDBPyConnection, wave_id: str, slots: int) -> Sequence[list[Card]]:
    """The chosen cards that some reader was given, slot by slot, in the order they were chosen."""
    cards: list[list[Card]] = [[] for _ in range(slots)]
    rows = con.execute(
        """
        select h.slot, a.article_id, a.url, a.title, a.summary
        from chosen as h join lake.intermediate.int_articles as a using (article_id)
        where h.article_id in (select article_id from assigned)
        order by h.place
        """
    ).fetchall()
    for slot, article_id, url, title, summary in rows:
        code = card_code(wave_id, article_id)
        cards[slot].append(Card(code=code, article_id=article_id, url=url, title=title, summary=summary or ""))
    return cards
