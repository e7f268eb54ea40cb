{#- What an event says: its columns as they came, in the order in which two bodies of one event are compared. -#}
{% macro body_columns(source) -%}
    {{ return({
        "orders": [
            "event_id", "occurred_at", "order_id", "status", "placed_at", "email", "customer_id", "currency", "country", "subtotal",
            "discount", "shipping", "tax", "total", "refunded", "coupon_codes", "lines"
        ],
        "signups": [
            "event_id", "occurred_at", "email", "action", "source", "basis", "wording_version", "source_url", "first_name", "interests",
            "profiling_consent", "health_consent", "tracking_consent", "is_professional", "age_18_confirmed", "visitor_id",
            "previous_email"
        ],
        "article_views": [
            "event_id", "occurred_at", "article_id", "url", "visitor_id", "email", "referrer", "tracking_consent"
        ]
    }[source]) }}
{%- endmacro %}

{#- For a staging model: the columns as they came, put together in one. It costs nothing until it is read. -#}
{% macro body(source) -%}
    {
        {%- for column in body_columns(source) %}'{{ column }}': "{{ column }}"{{ ", " if not loop.last }}{% endfor -%}
    }
{%- endmacro %}

{#- A body as one text, the same for the same body however its file was written. Dear: for events that have several only. -#}
{% macro canonical_text(source) -%}
    to_json([
        {%- for column in body_columns(source) %}to_json(body."{{ column }}")::varchar{{ ", " if not loop.last }}{% endfor -%}
    ])::varchar
{%- endmacro %}
