-- "One row per …", for the tables whose key has several columns. recommended_articles is looked at in its two parts, which share no
-- contact: its rows for everybody would be too many.
select 'segment_history' as public_table
from {{ ref("segment_history") }}
group by contact_id, segment, entered_at
having count(*) > 1

union all

select 'related_articles' as public_table
from {{ ref("related_articles") }}
group by article_id, related_article_id
having count(*) > 1

union all

select 'recommended_articles' as public_table
from {{ ref("int_personal_recommendations") }}
group by contact_id, article_id
having count(*) > 1

union all

select 'recommended_articles' as public_table
from {{ ref("int_common_recommendations") }}
group by for_health_consent, article_id
having count(*) > 1

union all

select 'campaign_deliveries' as public_table
from {{ ref("campaign_deliveries") }}
group by wave_id, contact_id
having count(*) > 1

union all

select 'barred_content' as public_table
from {{ ref("barred_content") }}
group by kind, item_id, rule, place, found
having count(*) > 1
