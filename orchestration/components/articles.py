"""Related reading for a wave: what `marts.recommended_articles` ranks highest for each reader, and why it is there."""

from duckdb import DuckDBPyConnection

from orchestration.components.cards import assign
from orchestration.core.campaign import Articles, Card
from orchestration.core.content import ANY_WHY, ARTICLE, WHY, WHYS, slot_field

_CANDIDATES = """
create or replace temp table candidates as
select r.contact_id, r.article_id as item_id, r.rank
from lake.marts.recommended_articles as r
semi join (from due where why_not is null and put_off is null) as readers using (contact_id)
"""
_WHYS = """
insert into fields
select a.contact_id, $field, coalesce($whys[r.reason], $any)
from assigned as a
join lake.marts.recommended_articles as r on a.contact_id = r.contact_id and a.item_id = r.article_id
where a.slot = $slot
"""
_CARDS = """
select c.slot, c.code, a.article_id, a.url, a.title, coalesce(a.summary, '') as summary
from cards as c join lake.intermediate.int_articles as a on c.item_id = a.article_id
order by c.place
"""


def assign_articles(con: DuckDBPyConnection, wave_id: str, articles: Articles) -> list[list[Card]]:
    """Add the fields ART1 … and WHY1 … of those of the temp table `due` who may get it now. Returns the cards, slot by slot."""
    con.execute(_CANDIDATES)
    assign(con, wave_id, ARTICLE, articles.slots, minimum=articles.minimum)
    whys = {"key": list(WHYS), "value": list(WHYS.values())}
    for slot in range(articles.slots):
        con.execute(_WHYS, {"field": slot_field(WHY, slot), "whys": whys, "any": ANY_WHY, "slot": slot})
    cards: list[list[Card]] = [[] for _ in range(articles.slots)]
    for slot, code, article_id, url, title, summary in con.execute(_CARDS).fetchall():
        cards[slot].append(Card(code=code, article_id=article_id, url=url, title=title, summary=summary))
    return cards
