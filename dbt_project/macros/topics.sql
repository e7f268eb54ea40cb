{#- Of each topic the best var articles_of_a_topic come in the first round, the next as many in the second: `turn` counts within the topic. -#}
{% macro topic_round(turn) -%}
    ceil({{ turn }} / {{ var("articles_of_a_topic") }})
{%- endmacro %}
