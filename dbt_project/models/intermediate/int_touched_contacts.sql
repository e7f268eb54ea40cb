-- Whose rows this build makes anew. Empty where it makes everybody's.
with

addressed_events as (
    select
        address_id,
        occurred_at
    from {{ ref("int_order_events") }}
    where build_no = {{ var("build_no") }} and address_id is not null
    union all
    select
        address_id,
        occurred_at
    from {{ ref("int_signups") }}
    where build_no = {{ var("build_no") }}
    union all
    select
        address_id,
        occurred_at
    from {{ ref("int_article_views") }}
    where build_no = {{ var("build_no") }} and address_id is not null
),

-- an address that changed hands may move every event of every address it is linked with
moved as (
    select
        address_id,
        contact_id
    from {{ ref("int_address_owners") }}
    where (select max(build_no) from {{ ref("int_address_owners") }}) = {{ var("build_no") }}
)

{% if var("last_batch") is none %}
    select null::uuid as contact_id
    where false
{% else %}
    select {{ contact_id("addressed_events") }} as contact_id
    from addressed_events
    {{ join_contact("addressed_events") }}
    union
    select address_id as contact_id from moved
    union
    select contact_id from moved
    union
    select contact_id from {{ ref("stg_deliveries") }}
    where batch_id > {{ var("last_batch") }}
{% endif %}
