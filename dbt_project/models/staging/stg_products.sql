with

source as (
    select * from {{ source("raw", "products") }}
)

-- the catalogue as it was last sent: the last row of the last file
select
    sku,
    name as product_name,
    url,
    price,
    currency,
    in_stock,
    batch_id
from source
qualify row_number() over (partition by sku order by batch_id desc, landing_file desc, landing_row desc) = 1
