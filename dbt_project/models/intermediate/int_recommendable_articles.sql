-- Which articles may be recommended at all: the one place where that is said. Whether one may go to a certain reader depends
-- on the consents as well: what has_sensitive_treatment wants health consent.
select
    article_id,
    -- its place in the catalogue, which is what related reading calls it by
    row_number() over (order by article_id) - 1 as position,
    published_at,
    has_open_treatment,
    has_sensitive_treatment,
    -- the treatment it is first of all about, as broadly as the shop names it
    split_part(treatments[1], '/', 1) as topic
from {{ ref("int_articles") }}
where is_published and not is_barred and published_at <= {{ as_of() }}
