{{ config(
    materialized="incremental",
    incremental_strategy="append",
    pre_hook="{% if is_incremental() and var('related_due') %} delete from {{ this }} {% endif %}"
) }}

-- Article → article, from what is read together and what the texts say, made anew once a day and when the catalogue changed (var
-- related_due). related_reading is Python: orchestration/core/related_reading.py says how, orchestration/resources/related_reading.py
-- makes it known to DuckDB.
with

articles as (
    select
        list(article_id order by position) as ids,
        list(text order by position) as texts
    from {{ ref("int_article_texts") }}
),

reads as (
    select
        coalesce(list(reader), []) as readers,
        coalesce(list(position), []) as positions,
        coalesce(list(last_read_at), []) as read_ats
    from {{ ref("int_article_reads") }}
),

found as (
    select
        articles.ids,
        unnest(
            related_reading(reads.readers, reads.positions, reads.read_ats, articles.texts), recursive := true
        )
    from articles
    cross join reads
    where len(articles.ids) > 0
)

select
    ids[position + 1] as article_id,
    rank,
    ids[related_position + 1] as related_article_id,
    score,
    reason
from found
