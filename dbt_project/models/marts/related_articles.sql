{{ config(materialized="view") }}

with

related as (
    select * from {{ ref("int_related_articles") }}
    where rank <= {{ var("related_articles_per_article") }}
),

articles as (
    select article_id from {{ ref("int_recommendable_articles") }}
)

select
    related.article_id,
    related.rank,
    related.related_article_id,
    related.score,
    related.reason
from related
-- what ceased to be recommendable since they were made
semi join articles on related.article_id = articles.article_id
semi join articles as relatives on related.related_article_id = relatives.article_id
