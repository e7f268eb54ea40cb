{#- The instant everything is as of. -#}
{% macro as_of() -%}
    timestamptz '{{ var("as_of") }}'
{%- endmacro %}

{#- Whether this build adds to what is there; false on the first build and with --full-refresh. -#}
{% macro is_adding() -%}
    {{ return(var("last_batch") is not none and var("last_as_of") is not none and is_incremental()) }}
{%- endmacro %}

{#-
    The events of a source, one row per event_id, none after as_of.

    Of two bodies under one event_id the later occurred_at wins, then the greater canonical text (DESIGN 3). When the build adds,
    only event_ids are taken that have a new body: from a batch after the last build's, or one that was dated after its as_of.
    For those every body is read again, old ones too, so the order of arrival makes no difference.

    `keys` (name → expression) are whom and what an event is about. `bodies` keeps them for each body of an event that has several,
    so that what the beaten body was about is made anew as well; `body_count` counts the different ones.

    Few events come twice, so the hash of the id first tells which may, and only those are sorted.
-#}
{% macro one_row_per_event(source, columns, keys) %}
    {%- set relation = ref("stg_" ~ source) %}
    with
    {% if is_adding() %}
        news as materialized (
            select * from {{ relation }}
            where batch_id > {{ var("last_batch") }} and occurred_at <= {{ as_of() }}
            union all
            select * from {{ relation }}
            where
                batch_id <= {{ var("last_batch") }}
                and occurred_at > timestamptz '{{ var("last_as_of") }}'
                and occurred_at <= {{ as_of() }}
        ),

        -- ids are looked up in a narrow column; where none is known, which is usual, nothing of the past is read beyond it. The
        -- times of their bodies tell which files hold them: most repeats come soon after
        known as materialized (
            select
                event_id,
                unnest(list_append(list_transform(bodies, lambda body: body.occurred_at), occurred_at)) as occurred_at
            from {{ this }}
            where event_id in (select event_id from news)
        ),

        bodies as materialized (
            select * from news
            union all
            select * from {{ relation }}
            where
                batch_id <= {{ var("last_batch") }}
                and occurred_at <= timestamptz '{{ var("last_as_of") }}'
                and event_id in (select event_id from known)
                and occurred_at in (select occurred_at from known)
        ),
    {% else %}
        -- all of the past is not kept in memory, but read once to find what came twice, and once more for the columns that stay
        bodies as not materialized (
            select * from {{ relation }}
            where occurred_at <= {{ as_of() }}
        ),
    {% endif %}

    repeated as materialized (
        select hash(event_id) as event_hash
        from bodies
        group by all
        having count(*) > 1
    ),

    once as (
        select
            {{ columns | join(", ") }},
            1::bigint as body_count,
            null as bodies
        from bodies
        where hash(event_id) not in (select event_hash from repeated)
    ),

    rivals as materialized (
        select
            *,
            {{ canonical_text(source) }} as canonical_text
        from bodies
        where hash(event_id) in (select event_hash from repeated)
    ),

    told as (
        select
            event_id,
            count(distinct canonical_text) as body_count,
            list(distinct struct_pack(
                {%- for name, expression in keys.items() %}{{ name }} := {{ expression }}{{ ", " if not loop.last }}{% endfor -%}
            )) as bodies
        from rivals
        group by event_id
    ),

    winners as (
        select
            {{ columns | join(", ") }},
            body_count,
            bodies
        from rivals
        inner join told using (event_id)
        {% if is_adding() -%}
            -- the same said again is no news
            where body_count > 1 or event_id not in (select event_id from known)
        {% endif -%}
        qualify row_number() over (partition by event_id order by occurred_at desc, canonical_text desc) = 1
    )

    select *, {{ var("build_no") }}::bigint as build_no from once
    union all
    select *, {{ var("build_no") }}::bigint as build_no from winners
{% endmacro %}

{#-
    The incremental strategy of one_row_per_event: a row that is there already comes again only with another body, so that only
    those are looked for in all of the past, and it is not read where there are none.
-#}
{% macro get_incremental_add_events_sql(arg_dict) %}
    {%- set columns = get_quoted_csv(arg_dict["dest_columns"] | map(attribute="name")) %}
    delete from {{ arg_dict["target_relation"] }}
    where
        event_id in (select event_id from {{ arg_dict["temp_relation"] }} where body_count > 1)
        -- the times of all its bodies, the one now beaten among them, spare most files
        and occurred_at in (
            select unnest(bodies).occurred_at from {{ arg_dict["temp_relation"] }}
            where body_count > 1
        );

    insert into {{ arg_dict["target_relation"] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict["temp_relation"] }}
{% endmacro %}

{#- The keys of every body that this build brought to an event model, winners and beaten; none on the first build. -#}
{% macro bodies_of_this_build(relation, keys) %}
    select {{ keys | join(", ") }}
    from {{ relation }}
    where build_no = {{ var("build_no") }} and {{ "true" if var("last_batch") is not none else "false" }}
    union all
    select {{ keys | join(", ") }}
    from (
        select unnest(bodies, recursive := true)
        from {{ relation }}
        where build_no = {{ var("build_no") }} and {{ "true" if var("last_batch") is not none else "false" }}
    )
{% endmacro %}

{#- A pre-hook: takes out the rows that this build makes anew, also those that then do not come back. -#}
{% macro make_anew(touched, key) -%}
    {% if is_adding() %}delete from {{ this }} where {{ key }} in (select {{ key }} from {{ ref(touched) }}){% endif %}
{%- endmacro %}

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
