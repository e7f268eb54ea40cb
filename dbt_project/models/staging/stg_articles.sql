with

source as (
    select * from {{ source("raw", "articles") }}
)

-- the catalogue as it was last sent: the last row of the last file
select
    article_id,
    url,
    title,
    summary,
    body,
    coalesce(list_distinct(list_transform(treatments, lambda treatment: lower(trim(treatment)))), []) as treatments,
    published_at,
    status,
    batch_id
from source
qualify row_number() over (partition by article_id order by batch_id desc, landing_file desc, landing_row desc) = 1
