-- Checks what the model promises by another way: through the reader's own views only.
select recommended.contact_id, recommended.article_id
from {{ ref("recommended_articles") }} as recommended
inner join {{ ref("int_recent_reads") }} as reads
    on recommended.contact_id = reads.contact_id and recommended.article_id = reads.article_id
