-- Every segment's members in one table. A segment is one file under models/segments; this model lists them all.
{% for segment in var("segments") %}
    select
        contact_id,
        '{{ segment }}' as segment,
        reason
    from {{ ref(segment) }}
    {{ "union all" if not loop.last }}
{% endfor %}
