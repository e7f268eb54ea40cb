{{ config(materialized="ephemeral") }}

-- All that an article says, as related reading looks at it: the title three times, and the treatments as words of their own.
select
    recommendable.position,
    articles.article_id,
    concat_ws(
        ' ',
        repeat(articles.title || ' ', 3),
        articles.summary,
        articles.body,
        array_to_string(list_transform(articles.treatments, lambda treatment: 'treatment/' || treatment), ' ')
    ) as text
from {{ ref("int_recommendable_articles") }} as recommendable
inner join {{ ref("stg_articles") }} as articles on recommendable.article_id = articles.article_id
where {{ var("related_due") }}
