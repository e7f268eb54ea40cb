-- The catalogue, with what an article's treatments mean for whom it may be recommended to.
with

articles as (
    select * from {{ ref("stg_articles") }}
),

policy_checks as (
    select * from {{ ref("stg_policy_checks") }}
    where kind = 'article'
),

sensitive as (
    select * from {{ ref("health_sensitive_treatments") }}
),

treatments as (
    select
        article_id,
        unnest(treatments) as treatment
    from articles
),

judged as (
    select
        treatments.article_id,
        treatments.treatment,
        -- a treatment lies under another whose name it begins with: hair/mesotherapy and hair-loss under hair
        bool_or(
            sensitive.treatment is not null
            and not regexp_matches(substr(treatments.treatment, len(sensitive.treatment) + 1, 1), '[a-z]')
        ) as is_sensitive
    from treatments
    left join sensitive on starts_with(treatments.treatment, sensitive.treatment)
    group by treatments.article_id, treatments.treatment
),

by_article as (
    select
        article_id,
        bool_or(not is_sensitive) as has_open_treatment,
        bool_or(is_sensitive) as has_sensitive_treatment
    from judged
    group by article_id
)

select
    articles.article_id,
    articles.url,
    articles.title,
    articles.summary,
    articles.treatments,
    articles.published_at,
    articles.status = 'publish' as is_published,
    coalesce(by_article.has_open_treatment, false) as has_open_treatment,
    coalesce(by_article.has_sensitive_treatment, false) as has_sensitive_treatment,
    -- what nobody has looked at is not for the public
    coalesce(policy_checks.is_barred, true) as is_barred,
    articles.batch_id
from articles
left join by_article on articles.article_id = by_article.article_id
left join policy_checks on articles.article_id = policy_checks.item_id
