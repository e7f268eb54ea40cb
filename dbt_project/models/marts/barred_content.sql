-- Every article and product that no email may have, and each reason: what an editor has to mend.
with

checks as (
    select * from {{ ref("stg_policy_checks") }}
    where is_barred
),

articles as (
    select * from {{ ref("stg_articles") }}
),

products as (
    select * from {{ ref("stg_products") }}
),

findings as (
    select
        kind,
        item_id,
        checked_at,
        unnest(findings) as finding
    from checks
)

select
    findings.kind,
    findings.item_id,
    coalesce(articles.title, products.product_name) as title,
    coalesce(articles.url, products.url) as url,
    findings.finding.place as place,
    findings.finding.found as found,
    findings.finding.excerpt as excerpt,
    findings.finding.rule as rule,
    findings.finding.what as what,
    findings.finding.source as source,
    findings.finding.mend as mend,
    findings.checked_at
from findings
left join articles on findings.kind = 'article' and findings.item_id = articles.article_id
left join products on findings.kind = 'product' and findings.item_id = products.sku
