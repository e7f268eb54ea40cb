with

reads as (
    select * from {{ ref("int_recent_reads") }}
),

articles as (
    select * from {{ ref("int_articles") }}
),

consents as (
    select * from {{ ref("int_consents") }}
),

counted as (
    select
        reads.contact_id,
        reads.article_id,
        reads.last_read_at,
        reads.last_event_id
    from reads
    inner join consents on reads.contact_id = consents.contact_id
    inner join articles on reads.article_id = articles.article_id
    where
        consents.has_profiling_consent
        and (articles.has_open_treatment or articles.has_sensitive_treatment)
        and {{ health_allows() }}
)

select
    contact_id,
    count(*) || ' articles in {{ var("treatment_reading_days") }} days, last '
    || array_to_string(
        list_transform(max((last_read_at, last_event_id), 2), lambda latest: latest[2]), ' and '
    ) as reason
from counted
group by contact_id
having count(*) >= {{ var("treatment_reading_articles") }}
