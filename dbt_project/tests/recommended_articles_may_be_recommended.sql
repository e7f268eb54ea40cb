-- What a reader is recommended is published, allowed in emails, unread, and touches nothing that needs a consent they have not given.
select
    recommended.contact_id,
    recommended.article_id
from {{ ref("recommended_articles") }} as recommended
left join {{ ref("int_articles") }} as articles on recommended.article_id = articles.article_id
left join {{ ref("contacts") }} as contacts on recommended.contact_id = contacts.contact_id
left join {{ ref("int_recent_reads") }} as reads
    on recommended.contact_id = reads.contact_id and recommended.article_id = reads.article_id
where
    not coalesce(articles.is_published, false)
    or coalesce(articles.is_barred, true)
    or reads.article_id is not null
    or not coalesce(contacts.has_profiling_consent, false)
    or (articles.has_sensitive_treatment and not contacts.has_health_consent)
