{#- Schemas are named as they are configured: dbt's own macro would make marts into main_marts. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name or target.schema }}
{%- endmacro %}
