-- What each contact lately read and may be recommended something for: they agreed to profiling, and to that of their health where
-- the article is about nothing else.
with

reads as (
    select * from {{ ref("int_recent_reads") }}
),

articles as (
    select * from {{ ref("int_articles") }}
),

consents as (
    select * from {{ ref("int_consents") }}
)

select
    reads.contact_id,
    reads.article_id
from reads
inner join consents on reads.contact_id = consents.contact_id
inner join articles on reads.article_id = articles.article_id
where consents.has_profiling_consent and {{ health_allows() }}
