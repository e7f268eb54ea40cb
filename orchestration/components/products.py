"""Products for a wave: those in stock that others bought together with what each reader bought, and that they did not."""

from decimal import Decimal

from duckdb import DuckDBPyConnection

from orchestration.components.cards import assign
from orchestration.core.campaign import ProductCard, Products
from orchestration.core.content import PRODUCT

# as many as a wave could need for anybody; the rest would only make the choice slower
_BEST = 10
_CANDIDATES = f"""
create or replace temp table candidates as
with readers as (
    from due where why_not is null and put_off is null
),

bought as (
    select distinct contact_id, unnest(skus) as sku
    from lake.marts.orders semi join readers using (contact_id)
    where not is_void
),

-- as decimals, whose sum does not depend on the order of rows
scored as (
    select bought.contact_id, together.related_sku as sku, sum(together.score::decimal(18, 9)) as score
    from bought join lake.intermediate.int_bought_together as together using (sku)
    group by all
),

new_to_them as (
    select * from scored anti join bought on scored.contact_id = bought.contact_id and scored.sku = bought.sku
)

select contact_id, sku as item_id, row_number() over (partition by contact_id order by score desc, sku) as rank
from new_to_them
semi join (from lake.staging.stg_products where in_stock and currency = 'GBP') as on_sale using (sku)
semi join (from lake.staging.stg_policy_checks where kind = 'product' and not is_barred) as allowed
    on new_to_them.sku = allowed.item_id
qualify rank <= {_BEST}
"""
_CARDS = """
select c.slot, c.code, p.sku, p.url, p.product_name, p.price
from cards as c join lake.staging.stg_products as p on c.item_id = p.sku
order by c.place
"""


def assign_products(con: DuckDBPyConnection, wave_id: str, products: Products) -> list[list[ProductCard]]:
    """Add the fields PROD1 … of those of the temp table `due` who may get it now. Returns the cards, slot by slot."""
    con.execute(_CANDIDATES)
    assign(con, wave_id, PRODUCT, products.slots)
    cards: list[list[ProductCard]] = [[] for _ in range(products.slots)]
    for slot, code, sku, url, name, price in con.execute(_CARDS).fetchall():
        cards[slot].append(ProductCard(code=code, sku=sku, url=url, name=name, price=pounds(price)))
    return cards


def pounds(price: Decimal) -> str:
    """`£1,249.00`."""
    return f"£{price:,.2f}"
