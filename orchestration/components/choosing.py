"""What a wave's email shows to whom: related reading, products, and a code of their own."""

from datetime import datetime, timedelta

from duckdb import DuckDBPyConnection

from orchestration.components.articles import assign_articles
from orchestration.components.cards import make_fields
from orchestration.components.products import assign_products
from orchestration.core.audience import LONDON
from orchestration.core.campaign import Campaign, Content, PlannedOffer
from orchestration.core.content import ARTICLE, OFFER, PRODUCT
from orchestration.core.offers import offer_code_sql
from orchestration.resources.keys import offer_key
from orchestration.settings import Settings

_OFFER = f"""
insert into fields
select contact_id, '{OFFER}', {offer_code_sql("$key", "$campaign", "contact_id::varchar", "entry::varchar")}
from due where why_not is null and put_off is null
"""
_READERS = f"""
select fields.value, count(*)
from fields semi join (from outcomes where outcome = 'recipient') as people on fields.contact_id = people.contact_id::uuid
where starts_with(fields.field, '{ARTICLE}') or starts_with(fields.field, '{PRODUCT}')
group by fields.value
"""


def choose_content(
    con: DuckDBPyConnection, settings: Settings, campaign: Campaign, wave_id: str, now: datetime
) -> Content:
    """What the email can show to those of the temp table `due` who may get it now.

    What of it is whose goes into the temp table `fields (contact_id, field, value)`, named as in core.content.
    """
    make_fields(con)
    articles = assign_articles(con, wave_id, campaign.articles) if campaign.articles else []
    products = assign_products(con, wave_id, campaign.products) if campaign.products else []
    if campaign.offer is None:
        return Content(articles=articles, products=products)
    con.execute(_OFFER, {"key": offer_key(settings), "campaign": campaign.name})
    closes_on = now.astimezone(LONDON).date() + timedelta(days=campaign.offer.valid_days)
    excluded = campaign.offer.excluded_categories
    offer = PlannedOffer(percent=campaign.offer.percent, closes_on=closes_on, excluded_categories=excluded)
    return Content(articles=articles, products=products, offer=offer)


def readers_of_cards(con: DuckDBPyConnection) -> dict[str, int]:
    """How many recipients of the temp table `outcomes` get each card, by its code."""
    return dict(con.execute(_READERS).fetchall())
