{{ config(materialized="ephemeral") }}

-- Who read what in the last var related_reading_days, for what is read together. A reader is a contact or, where nobody was ever
-- identified on it, a device. Of health-sensitive articles only the reads of those who gave health consent are there, and nothing
-- where related reading is not due.
with

reads as (
    {{ reads_of_the_last(var("related_reading_days"), due=var("related_due")) }}
)

select
    -- a number, not a name: nobody is looked up by it
    (hash(coalesce(reads.contact_id::varchar, reads.visitor_id)) >> 1)::bigint as reader,
    articles.position,
    epoch(max(reads.occurred_at))::bigint as last_read_at
from reads
inner join {{ ref("int_recommendable_articles") }} as articles on reads.article_id = articles.article_id
left join {{ ref("int_consents") }} as consents on reads.contact_id = consents.contact_id
where {{ health_allows() }}
group by all
