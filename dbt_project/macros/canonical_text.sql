{#- An event's columns as one text, the same for the same body however its file was written. -#}
{% macro canonical_text(columns) -%}
    to_json([
        {%- for column in columns %}to_json({{ column }})::varchar{{ ", " if not loop.last }}{% endfor -%}
    ])::varchar
{%- endmacro %}
