{#- The instant everything is as of. -#}
{% macro as_of() -%}
    timestamptz '{{ var("as_of") }}'
{%- endmacro %}

{#- Whether this build adds to what is there; false on the first build and with --full-refresh. -#}
{% macro is_adding() -%}
    {{ return(is_incremental() and var("last_batch") is not none and var("last_as_of") is not none) }}
{%- endmacro %}

{#-
    The events of a staging model, one row per event_id, none after as_of.

    Of two bodies under one event_id the later occurred_at wins, then the greater canonical text (DESIGN 3). When the build adds,
    only event_ids are taken that have a new body: from a batch after the last build's, or one that was dated after its as_of.
    For those every body is read again, old ones too, so the order of arrival makes no difference.

    Few events come twice, so the hash of the id first tells which may, and only those are sorted.
-#}
{% macro one_row_per_event(relation, columns) %}
    with bodies as (
        select *
        from {{ relation }}
        where
            occurred_at <= {{ as_of() }}
            {% if is_adding() %}
                and event_id in (
                    select event_id from {{ relation }}
                    where batch_id > {{ var("last_batch") }}
                    union all
                    select event_id from {{ relation }}
                    where occurred_at > timestamptz '{{ var("last_as_of") }}' and occurred_at <= {{ as_of() }}
                )
            {% endif %}
    ),

    repeated as materialized (
        select hash(event_id) as event_hash
        from bodies
        group by all
        having count(*) > 1
    ),

    once as (
        select {{ columns | join(", ") }}
        from bodies
        where hash(event_id) not in (select event_hash from repeated)
    ),

    winners as (
        select {{ columns | join(", ") }}
        from bodies
        where hash(event_id) in (select event_hash from repeated)
        qualify row_number() over (partition by event_id order by occurred_at desc, canonical_text desc) = 1
    )

    select *, {{ var("build_no") }}::bigint as build_no from once
    union all
    select *, {{ var("build_no") }}::bigint as build_no from winners
{% endmacro %}

{#- The contact an address belonged to at a time: `contact` is an alias of int_address_owners joined by join_contact(). -#}
{% macro contact_id(events, address="address_id") -%}
    coalesce(owner.contact_id, {{ events }}.{{ address }})
{%- endmacro %}

{% macro join_contact(events, at_column="occurred_at", address="address_id") -%}
    left join {{ ref("int_address_owners") }} as owner
        on {{ events }}.{{ address }} = owner.address_id
        and {{ events }}.{{ at_column }} >= owner.owned_from
        and {{ events }}.{{ at_column }} < owner.owned_until
{%- endmacro %}
