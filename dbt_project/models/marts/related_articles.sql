{{ config(
    materialized="incremental",
    incremental_strategy="append",
    pre_hook="{% if is_incremental() and var('related_due') %} delete from {{ this }} {% endif %}"
) }}

-- Article → article, made anew once a day and when the catalogue changed (var related_due), so that it is stable in between.
-- Two signs of kinship: read by the same people lately, and about the same treatments; ties go to what is read more.
with

due as (
    select {{ var("related_due") }} as is_due
),

articles as (
    select *
    from {{ ref("int_articles") }}
    where is_published and published_at <= {{ as_of() }} and (select is_due from due)
),

reads as (
    select distinct
        recent.contact_id,
        recent.article_id
    from {{ ref("int_recent_reads") }} as recent
    where (select is_due from due)
),

readers as (
    select
        article_id,
        count(*) as reader_count
    from reads
    group by article_id
),

-- somebody who reads everything says little about what belongs together
usual_readers as (
    select contact_id
    from reads
    group by contact_id
    having count(*) between 2 and 100
),

read_together as (
    select
        one.article_id,
        other.article_id as related_article_id,
        count(*) as both_count
    from reads as one
    inner join reads as other on one.contact_id = other.contact_id and one.article_id <> other.article_id
    where one.contact_id in (select contact_id from usual_readers)
    group by all
),

treatments as (
    select
        article_id,
        unnest(treatments) as treatment
    from articles
),

-- of each treatment the articles most read, newest first among equals: pairing all with all would grow with the square
prominent as (
    select
        treatments.treatment,
        treatments.article_id
    from treatments
    inner join articles on treatments.article_id = articles.article_id
    left join readers on treatments.article_id = readers.article_id
    qualify
        row_number() over (
            partition by treatments.treatment
            order by coalesce(readers.reader_count, 0) desc, articles.published_at desc, treatments.article_id
        ) <= {{ var("related_articles_per_article") + 10 }}
),

same_treatment as (
    select
        treatments.article_id,
        prominent.article_id as related_article_id,
        count(*) as shared_count
    from treatments
    inner join prominent on treatments.treatment = prominent.treatment and treatments.article_id <> prominent.article_id
    group by all
),

pairs as (
    select
        coalesce(read_together.article_id, same_treatment.article_id) as article_id,
        coalesce(read_together.related_article_id, same_treatment.related_article_id) as related_article_id,
        coalesce(read_together.both_count, 0) as both_count,
        coalesce(same_treatment.shared_count, 0) as shared_count
    from read_together
    full outer join same_treatment
        on read_together.article_id = same_treatment.article_id
        and read_together.related_article_id = same_treatment.related_article_id
),

scored as (
    select
        pairs.article_id,
        pairs.related_article_id,
        (
            -- cosine of the two articles' readers, damped where few have read either
            pairs.both_count / sqrt((coalesce(one.reader_count, 0) + 5.0) * (coalesce(other.reader_count, 0) + 5.0))
            -- share of treatments in common
            + 0.5 * pairs.shared_count / greatest(len(article.treatments), len(related.treatments), 1)
            + 0.001 * ln(1 + coalesce(other.reader_count, 0))
        )::double as score,
        case
            when pairs.both_count > 0 and pairs.shared_count > 0 then 'read together, same treatment'
            when pairs.both_count > 0 then 'read together'
            else 'same treatment'
        end as reason
    from pairs
    inner join articles as article on pairs.article_id = article.article_id
    inner join articles as related on pairs.related_article_id = related.article_id
    left join readers as one on pairs.article_id = one.article_id
    left join readers as other on pairs.related_article_id = other.article_id
)

select
    article_id,
    row_number() over (
        partition by article_id
        order by score desc, related_article_id
    ) as rank,
    related_article_id,
    score,
    reason
from scored
qualify rank <= {{ var("related_articles_per_article") }}
