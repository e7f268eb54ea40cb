{{ config(
    materialized="incremental",
    incremental_strategy="append",
    pre_hook="{{ make_anew('int_touched_visitors', 'visitor_id') }}"
) }}

-- depends_on: {{ ref("int_touched_visitors") }}

-- Who was ever identified on a visitor_id: by a view with an address, or by a signup, each with tracking consent.
with

due as (
    {% for events in ["int_article_views", "int_signups"] -%}
        select
            visitor_id,
            address_id,
            occurred_at
        from {{ ref(events) }}
        where
            {{ "is_identified" if events == "int_article_views" else "visitor_id is not null" }}
            {% if is_adding() %} and visitor_id in (select visitor_id from {{ ref("int_touched_visitors") }}) {% endif %}
        {{ "union all" if not loop.last }}
    {% endfor %}
),

identified as (
    select
        due.visitor_id,
        {{ contact_id("due") }} as contact_id
    from due
    {{ join_contact("due") }}
)

select
    visitor_id,
    -- with two or more contacts on the device, what is read on it is nobody's
    case when min(contact_id) = max(contact_id) then min(contact_id) end as contact_id,
    min(contact_id) <> max(contact_id) as is_shared
from identified
group by visitor_id
