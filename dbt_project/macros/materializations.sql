{#-
    DuckLake reads its whole catalogue anew, table by table, after each change of a schema; dbt's own materializations make three
    such changes a model, which took longer than the queries of most. So a table that keeps its columns is emptied and filled in one
    transaction, and a view that says what it said is left alone.
-#}
{% materialization table, adapter="duckdb" %}
    {%- set target = this.incorporate(type="table") -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set stays = existing is not none and existing.is_table and columns_of("from " ~ existing) == columns_of(sql) -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks) }}
    {% call statement("main") -%}
        {% if stays -%}
            {%- if config.get("contract").enforced %}{{ get_assert_columns_equivalent(sql) }}{% endif %}
            truncate table {{ target }};
            insert into {{ target }} by name select * from ({{ sql }})
        {%- else -%}
            {%- if existing is not none %}drop {{ existing.type }} {{ existing }};{% endif %}
            {{ create_table_as(False, target, sql) }}
        {%- endif %}
    {%- endcall %}
    {{ run_hooks(post_hooks) }}
    {% do adapter.commit() %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({"relations": [target]}) }}
{% endmaterialization %}

{% materialization view, adapter="duckdb" %}
    {%- set target = this.incorporate(type="view") -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- if config.get("contract").enforced %}{{ get_assert_columns_equivalent(sql) }}{% endif -%}
    {% if existing is not none and existing.is_view and says_the_same(existing, sql) %}
        {% call noop_statement("main", "unchanged") %}{% endcall %}
    {% else %}
        {% call statement("main") -%}
            {%- if existing is not none %}drop {{ existing.type }} {{ existing }};{% endif %}
            create view {{ target }} as ({{ sql }})
        {%- endcall %}
        {% do adapter.commit() %}
    {% endif %}
    {{ return({"relations": [target]}) }}
{% endmaterialization %}

{#- The names and types of what a query yields, sorted. -#}
{% macro columns_of(query) -%}
    {%- set columns = [] -%}
    {%- for column in adapter.get_column_schema_from_query(query) %}{% do columns.append([column.name, column.dtype]) %}{% endfor -%}
    {{ return(columns | sort) }}
{%- endmacro %}

{#- Whether a view was made of this query. DuckDB keeps a view as it understood it, so it is asked to understand the query as well. -#}
{% macro says_the_same(view, query) -%}
    {% do run_query("create or replace temporary view as_wanted as (" ~ query ~ ")") %}
    {%- set found = run_query(
        "select count(distinct substr(sql, instr(sql, ' AS '))) from duckdb_views() "
        ~ "where (database_name = 'temp' and view_name = 'as_wanted') "
        ~ "or (database_name = '" ~ view.database ~ "' and schema_name = '" ~ view.schema ~ "' and view_name = '" ~ view.identifier ~ "')"
    ) -%}
    {{ return(found.columns[0].values()[0] == 1) }}
{%- endmacro %}
