"""Cards for a wave: at most 10 a slot for everybody together, and each reader's own best of them.

A greedy choice: the next card is the one that helps most readers most, those first who have not enough yet. Then each reader
gets, in each slot, the card that ranks highest for them. All of it is SQL over whole columns; Python only counts the cards.
"""

from duckdb import DuckDBPyConnection

from orchestration.core.content import CARDS_PER_SLOT, card_code, slot_field

# A reader who has fewer than the minimum yet weighs as much as this many others.
NEED = 10


def make_fields(con: DuckDBPyConnection) -> None:
    """An empty temp table `fields (contact_id, field, value)`: what is to stand in readers' member fields."""
    con.execute("create or replace temp table fields (contact_id uuid, field varchar, value varchar)")


def assign(con: DuckDBPyConnection, wave_id: str, kind: str, slots: int, *, minimum: int = 0) -> None:
    """Give each reader of the temp table `candidates (contact_id, item_id, rank)` what is best for them, slot by slot.

    Their codes are added to `fields`; the temp table `assigned (contact_id, slot, item_id)` has what they stand for, and
    `cards (item_id, slot, place, code)` every card that somebody was given, in the order they were chosen.
    """
    con.execute("create or replace temp table chosen (item_id varchar, slot integer, place integer)")
    con.execute("create or replace temp table filled (contact_id uuid, slot integer)")
    for place in range(slots * CARDS_PER_SLOT):
        if not _choose(con, slot=place % slots, place=place, minimum=minimum):
            break
    con.execute(
        """
        create or replace temp table assigned as
        select c.contact_id, h.slot, arg_min(c.item_id, (c.rank, c.item_id)) as item_id
        from candidates as c join chosen as h using (item_id)
        group by c.contact_id, h.slot
        """
    )
    con.execute("create or replace temp table cards (item_id varchar, slot integer, place integer, code varchar)")
    given = "select item_id, slot, place from chosen semi join assigned using (item_id) order by place"
    for item_id, slot, place in con.execute(given).fetchall():
        con.execute("insert into cards values (?, ?, ?, ?)", [item_id, slot, place, card_code(wave_id, item_id)])
    for slot in range(slots):
        con.execute(
            "insert into fields select a.contact_id, ?, c.code from assigned as a join cards as c using (item_id) "
            "where a.slot = ?",
            [slot_field(kind, slot), slot],
        )


def _choose(con: DuckDBPyConnection, *, slot: int, place: int, minimum: int) -> bool:
    """Add the card that is worth most in this slot. False when none is worth anything any more, in any slot."""
    (best,) = con.execute(
        """
        with so_far as (
            select contact_id, count(*) as filled, bool_or(slot = $slot) as has_slot from filled group by contact_id
        )
        select arg_max(item_id, (worth, item_id)) from (
            select c.item_id, sum((case when coalesce(h.filled, 0) < $minimum then $need else 1 end) / c.rank) as worth
            from candidates as c
            left join so_far as h using (contact_id)
            where not coalesce(h.has_slot, false) and c.item_id not in (select item_id from chosen)
            group by c.item_id
        )
        """,
        {"slot": slot, "minimum": minimum, "need": NEED},
    ).fetchone()
    if best is None:
        (left,) = con.execute(
            "select count(*) from candidates where item_id not in (select item_id from chosen)"
        ).fetchone()
        return left > 0
    con.execute("insert into chosen values (?, ?, ?)", [best, slot, place])
    con.execute(
        """
        insert into filled
        select contact_id, $slot from candidates where item_id = $item
        and contact_id not in (select contact_id from filled where slot = $slot)
        """,
        {"slot": slot, "item": best},
    )
    return True
