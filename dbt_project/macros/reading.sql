{#-
    Who read what in the last so many days (DESIGN 5): contact_id, visitor_id, article_id, event_id, occurred_at.

    Only views with tracking consent count. One with an address is its owner's; one without is the only contact's ever identified on
    the device. Where nobody was, contact_id is null and visitor_id tells the device apart; with several people on it, what is read
    there is nobody's and is left out. `due`: nothing is read where it is false.
-#}
{% macro reads_of_the_last(days, due=true) %}
    with views as not materialized (
        select *
        from {{ ref("int_article_views") }}
        where
            {{ due }}
            and tracking_consent
            and occurred_at > {{ as_of() }} - interval {{ days }} day
            and occurred_at <= {{ as_of() }}
    )

    select
        {{ contact_id("views") }} as contact_id,
        null as visitor_id,
        views.article_id,
        views.event_id,
        views.occurred_at
    from views
    {{ join_contact("views") }}
    where views.is_identified
    union all
    select
        visitors.contact_id,
        views.visitor_id,
        views.article_id,
        views.event_id,
        views.occurred_at
    from views
    left join {{ ref("int_visitors") }} as visitors on views.visitor_id = visitors.visitor_id
    where not views.is_identified and not coalesce(visitors.is_shared, false)
{% endmacro %}

{#- Whether a read may be used: what is about a health-sensitive treatment alone, with health consent only. Names `articles` and `consents`. -#}
{% macro health_allows() -%}
    (not articles.has_sensitive_treatment or articles.has_open_treatment or consents.has_health_consent)
{%- endmacro %}
