{{ config(materialized="view") }}

-- A view, so that what all get is not written down a million times over.
with

personal as (
    select * from {{ ref("int_personal_recommendations") }}
),

common as (
    select * from {{ ref("int_common_recommendations") }}
),

-- whose reading may not be used, or is not known
others as (
    select
        contact_id,
        has_health_consent
    from {{ ref("contacts") }}
    where is_addressable and contact_id not in (select contact_id from {{ ref("int_profiled_reads") }})
)

select
    contact_id,
    rank,
    article_id,
    reason
from personal
union all
select
    others.contact_id,
    common.rank,
    common.article_id,
    common.reason
from others
inner join common on others.has_health_consent = common.for_health_consent
