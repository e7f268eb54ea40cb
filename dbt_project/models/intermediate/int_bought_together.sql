{{ config(
    materialized="incremental",
    incremental_strategy="append",
    pre_hook="{% if is_incremental() and var('related_due') %} delete from {{ this }} {% endif %}"
) }}

-- Product → product, from orders that held both: made anew once a day with related_articles.
with

baskets as (
    select
        order_id,
        skus
    from {{ ref("orders") }}
    where
        {{ var("related_due") }}
        and not is_void
        and placed_at > {{ as_of() }} - interval {{ var("bought_together_days") }} day
        -- an order of everything says little about what belongs together
        and len(skus) between 2 and 50
),

lines as (
    select
        order_id,
        unnest(skus) as sku
    from baskets
),

baskets_of as (
    select
        sku,
        count(*) as basket_count
    from lines
    group by sku
),

pairs as (
    select
        one.sku,
        other.sku as related_sku,
        count(*) as both_count
    from lines as one
    inner join lines as other on one.order_id = other.order_id and one.sku <> other.sku
    group by all
)

select
    pairs.sku,
    pairs.related_sku,
    pairs.both_count,
    -- cosine of the orders that held either, damped where there are few
    (pairs.both_count / sqrt((one.basket_count + 5.0) * (other.basket_count + 5.0)))::double as score
from pairs
inner join baskets_of as one on pairs.sku = one.sku
inner join baskets_of as other on pairs.related_sku = other.sku
qualify
    row_number() over (
        partition by pairs.sku
        order by score desc, pairs.related_sku
    ) <= {{ var("bought_together_per_product") }}
