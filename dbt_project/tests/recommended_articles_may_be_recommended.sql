-- What somebody is recommended is published and touches nothing that needs a consent they have not given; where it was chosen for
-- them, they agreed to that, and have not read it. Both parts of the mart are looked at: its rows for everybody would be too many.
select
    recommended.contact_id,
    recommended.article_id
from {{ ref("int_personal_recommendations") }} as recommended
left join {{ ref("int_recommendable_articles") }} as articles on recommended.article_id = articles.article_id
left join {{ ref("contacts") }} as contacts on recommended.contact_id = contacts.contact_id
left join {{ ref("int_recent_reads") }} as reads
    on recommended.contact_id = reads.contact_id and recommended.article_id = reads.article_id
where
    articles.article_id is null
    or reads.article_id is not null
    or not coalesce(contacts.has_profiling_consent, false)
    or (articles.has_sensitive_treatment and not contacts.has_health_consent)
    or recommended.reason not in ('read_together', 'similar_text', 'popular', 'new')

union all

select
    null as contact_id,
    common.article_id
from {{ ref("int_common_recommendations") }} as common
left join {{ ref("int_recommendable_articles") }} as articles on common.article_id = articles.article_id
where
    articles.article_id is null
    or (articles.has_sensitive_treatment and not common.for_health_consent)
    or common.reason not in ('popular', 'new')
