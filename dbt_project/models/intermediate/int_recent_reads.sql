-- What each contact lately read, as far as it may be known (DESIGN 5, treatment_readers).
with

reads as (
    {{ reads_of_the_last(var("treatment_reading_days")) }}
)

select
    contact_id,
    article_id,
    max(occurred_at) as last_read_at,
    arg_max(event_id, (occurred_at, event_id)) as last_event_id
from reads
where contact_id is not null
group by contact_id, article_id
