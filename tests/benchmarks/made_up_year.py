"""A made-up year of a shop, written by SQL straight into `raw.*`, of any size and the same at each run.

1,000,000 contacts, 3,000,000 orders (6.1 million states they took), 1,200,000 signups, 10,000,000 article views by 800,000
visitors of 2,000 articles, 300,000 outcomes of emails; each of them times `scale`, but for the views, whose number is given on
its own. Of the views a fifth carry an address and a sixth no consent to tracking; one visitor in twenty is a device that two
people share. One event in two hundred comes twice, a tenth of those with another body; some addresses change.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb

from orchestration.core.identity import address_id_sql

AS_OF = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
LATER = AS_OF + timedelta(minutes=30)
BATCHES = 50
SHOP = "https://larkspur-skin.test"


@dataclass(frozen=True)
class Size:
    """How much of everything there is."""

    scale: float = 1.0
    views_at_full_scale: int = 10_000_000

    def of(self, full: int) -> int:
        return max(1, round(full * self.scale))

    @property
    def contacts(self) -> int:
        return self.of(1_000_000)

    @property
    def orders(self) -> int:
        return self.of(3_000_000)

    @property
    def signups(self) -> int:
        return self.of(1_200_000)

    @property
    def views(self) -> int:
        return self.of(self.views_at_full_scale)

    @property
    def visitors(self) -> int:
        return self.of(800_000)

    @property
    def deliveries(self) -> int:
        return self.of(300_000)


def write_year(con: duckdb.DuckDBPyConnection, size: Size, key: str) -> None:
    """Fill an empty warehouse, on a writer's connection, with the year before AS_OF in BATCHES batches."""
    con.execute("begin")
    _write_people(con, size, key)
    _write_articles(con)
    _write_views(con, "history", 0, size.views, size)
    _write_orders(con, "history", 0, size.orders, size)
    _write_signups(con, "history", 0, size.signups, size)
    for source in ("article_views", "orders", "signups"):
        _repeat(con, source, "history", one_in=200)
        _land(con, source, "history", "1 + least(floor(position * 50), 49)::bigint", "ingested_at")
    _write_deliveries(con, size)
    _land_file(con, BATCHES)
    con.execute("commit")


def add_events(con: duckdb.DuckDBPyConnection, size: Size, key: str, events: int) -> None:
    """One more batch of the half hour after AS_OF: seven tenths views, two orders, one signups; a tenth of each are repeats
    from all over the past, and a few of those have another body."""
    con.execute("begin")
    _write_people(con, size, key)
    shares = {"article_views": events * 7 // 10, "orders": events * 2 // 10, "signups": events // 10}
    writers = {"article_views": _write_views, "orders": _write_orders, "signups": _write_signups}
    for source, count in shares.items():
        repeats = count // 10
        start = {"article_views": size.views, "orders": size.orders, "signups": size.signups}[source]
        # an order takes two states or more
        wanted = (count - repeats) // 2 if source == "orders" else count - repeats
        writers[source](con, "added", start, start + wanted, size)
        _repeat_of_the_past(con, source, repeats)
        _land(con, source, "added", str(BATCHES + 1), f"timestamptz '{LATER.isoformat()}'")
    _land_file(con, BATCHES + 1)
    con.execute("commit")


def _write_people(con, size: Size, key: str) -> None:
    """Address number → address and its id. The numbers above `contacts` are the addresses that people change to."""
    con.execute(
        f"""
        create or replace temp table people as
        select
            number,
            email,
            {address_id_sql("email", "$key")} as address_id
        from (
            select i as number, 'reader-' || i || '@mail' || (i % 40) || '.test' as email
            from range({size.contacts + size.of(2_000)}) as numbers (i)
        )
        """,
        {"key": key},
    )


def _write_articles(con) -> None:
    con.execute(
        f"""
        insert into lake.raw.articles by name
        select
            'a' || i as article_id,
            '{SHOP}/blog/article-' || i as url,
            'Article ' || i as title,
            'What article ' || i || ' says' as summary,
            repeat('Words of the article. ', 50) as body,
            case
                when i % 7 = 0 then []
                when i % 5 = 0 then [treatment(i), treatment(i + 3)]
                else [treatment(i)]
            end as treatments,
            timestamptz '{AS_OF.isoformat()}' - interval 1 year - interval (hash(i) % 400) day as published_at,
            case when i % 50 = 0 then 'draft' else 'publish' end as status,
            i as landing_row,
            'articles/articles.jsonl' as landing_file,
            1 as batch_id,
            timestamptz '{AS_OF.isoformat()}' - interval 1 year as ingested_at
        from range(2000) as numbers (i)
        """.replace("treatment(i)", _treatment("i")).replace("treatment(i + 3)", _treatment("i + 3"))
    )


def _treatment(number: str) -> str:
    names = [
        "hair/mesotherapy",
        "hair-loss",
        "acne",
        "rosacea/redness",
        "melasma",
        *(f"skin/care-{n}" for n in range(35)),
    ]
    return f"{names}[1 + (hash({number}) % {len(names)})::bigint]"


def _draw(salt: str, *columns: str) -> str:
    """SQL for a number in 0 … 1 that depends on the row alone."""
    return f"((hash({', '.join([*columns, repr(salt)])}) >> 11) / 9007199254740992.0)"


def _at(first: int, total: int) -> str:
    """SQL for the time of event number i: as they come through the year, an hour or so out of order; after it, the half hour."""
    within = f"{AS_OF.isoformat()}"
    return f"""
        case when {first} = 0
            then
                timestamptz '{within}' - interval 1 year
                + (i / {total}.0 * 31536000 - 5400 * {_draw("at", "i")}) * interval 1 second
            else timestamptz '{within}' + ({_draw("at", "i")} * 1700) * interval 1 second
        end"""


def _write_views(con, name: str, first: int, last: int, size: Size) -> None:
    con.execute(
        f"""
        create or replace temp table {name}_article_views as
        with drawn as (
            select
                i,
                'v-' || printf('%016x', hash(i, 'view')) as event_id,
                time_bucket(interval 1 millisecond, {_at(first, size.views)}) as occurred_at,
                -- some visitors come often, most seldom
                floor(pow({_draw("visitor", "i")}, 1.5) * {size.visitors})::bigint as visitor,
                'a' || floor(pow({_draw("article", "i")}, 3) * 2000)::bigint as article_id,
                {_draw("email", "i")} as email_draw,
                {_draw("owner", "i")} as owner_draw
            from range({first}, {last}) as numbers (i)
        ),
        known as (
            select
                *,
                case
                    when {_draw("known", "visitor")} < 0.3 and email_draw < 0.67 then
                        case
                            when {_draw("shared", "visitor")} < 0.05 and owner_draw < 0.5 then (visitor * 7 + 3) % {size.contacts}
                            else visitor
                        end
                end as person
            from drawn
        )
        select
            event_id,
            occurred_at,
            article_id,
            '{SHOP}/blog/article-' || article_id[2:] as url,
            'visitor-' || printf('%016x', hash(visitor, 'visitor')) as visitor_id,
            people.email,
            people.address_id,
            case when i % 3 = 0 then 'https://search.test/' end as referrer,
            {_draw("tracking", "visitor")} < 0.83 as tracking_consent,
            {"(i / " + str(size.views) + ".0)" if first == 0 else "0.0"} as position
        from known
        left join people on known.person = people.number
        """
    )


def _write_orders(con, name: str, first: int, last: int, size: Size) -> None:
    con.execute(
        f"""
        create or replace temp table {name}_orders as
        with placed as (
            select
                i,
                time_bucket(interval 1 millisecond, {_at(first, size.orders)}) as placed_at,
                -- four people in ten order, some of them often; the last of them once each
                case
                    when i < {size.of(200_000)} then {size.contacts} - 1 - i
                    else floor({size.contacts} * (0.6 + 0.4 * pow({_draw("buyer", "i")}, 2)))::bigint
                end as person,
                (5 + {_draw("subtotal", "i")} * 200)::decimal(18, 2) as subtotal,
                1 + (hash(i, 'lines') % 3)::bigint as line_count,
                case when {_draw("end", "i")} < 0.05 then 'cancelled' else 'completed' end as ends,
                {_draw("refund", "i")} < 0.03 as is_refunded
            from range({first}, {last}) as numbers (i)
        ),
        states as (
            select *, 1 as step, 'processing' as status, placed_at as occurred_at, 0 as refunded from placed
            union all
            select *, 2, ends, placed_at + interval 1 second * {"(hash(i, 'done') % 172800)" if first == 0 else "30"}, 0
            from placed
            union all
            select *, 3, ends, placed_at + interval {"9 day" if first == 0 else "60 second"}, (subtotal / 2)::decimal(18, 2)
            from placed
            where is_refunded
        )
        select
            'o-' || i || '-' || step as event_id,
            occurred_at,
            '1' || i as order_id,
            status,
            placed_at,
            people.email,
            people.address_id,
            'c' || person as customer_id,
            case when i % 50 = 0 then 'EUR' else 'GBP' end as currency,
            case when i % 25 = 0 then 'IE' else 'GB' end as country,
            subtotal,
            case when i % 10 = 0 then (subtotal / 10)::decimal(18, 2) else 0 end as discount,
            case when subtotal > 100 then 0 else 3.95 end as shipping,
            (subtotal / 6)::decimal(18, 2) as tax,
            subtotal as total,
            refunded,
            case when i % 10 = 0 then ['WELCOME10'] else [] end as coupon_codes,
            list_transform(
                range(line_count),
                lambda line: {{
                    'line_id': i || '-' || line,
                    'sku': 'sku-' || ((i + line) % 500),
                    'name': 'Cream number ' || ((i + line) % 500),
                    'quantity': 1 + (i + line) % 3,
                    'unit_price': (subtotal / line_count)::decimal(18, 4)
                }}
            ) as lines,
            {"(i / " + str(size.orders) + ".0)" if first == 0 else "0.0"} as position
        from states
        left join people on case when i % 100 > 0 then states.person end = people.number
        """
    )


def _write_signups(con, name: str, first: int, last: int, size: Size) -> None:
    con.execute(
        f"""
        create or replace temp table {name}_signups as
        with said as (
            select
                i,
                time_bucket(interval 1 millisecond, {_at(first, size.signups)}) as occurred_at,
                case
                    when i < {size.of(800_000)} then i
                    else floor({_draw("who", "i")} * {size.of(800_000)})::bigint
                end as person,
                case
                    when i < {size.of(800_000)} then 'subscribe'
                    when {_draw("action", "i")} < 0.3 then 'unsubscribe'
                    when {_draw("action", "i")} < 0.6 then 'subscribe'
                    else 'update_preferences'
                end as "action",
                -- who changes address says so in the last of the signups
                i between {size.signups - size.of(2_000)} and {size.signups - 1} as is_change
            from range({first}, {last}) as numbers (i)
        )
        select
            'n-' || printf('%016x', hash(i, 'signup')) as event_id,
            occurred_at,
            people.email,
            people.address_id,
            former.email as previous_email,
            former.address_id as previous_address_id,
            case when is_change then 'update_preferences' else "action" end as "action",
            'newsletter_form' as source,
            case
                when "action" = 'subscribe' and not is_change
                    then case when i % 4 = 0 then 'soft_opt_in' else 'consent' end
            end as basis,
            'newsletter-2026-01' as wording_version,
            '{SHOP}/' as source_url,
            case when i % 3 > 0 then 'Name' || (i % 500) end as first_name,
            case when i % 5 = 0 then ['skin', 'hair'] else [] end as interests,
            case
                when {_draw("profiling", "i")} < 0.6 then true
                when {_draw("profiling", "i")} < 0.7 then false
            end as profiling_consent,
            case when {_draw("health", "i")} < 0.3 then true end as health_consent,
            {_draw("signup tracking", "i")} < 0.8 as tracking_consent,
            i % 100 = 0 as is_professional,
            true as age_18_confirmed,
            case
                when {_draw("signup visitor", "i")} < 0.5 and person < {size.visitors}
                    then 'visitor-' || printf('%016x', hash(person, 'visitor'))
            end as visitor_id,
            {"(i / " + str(size.signups) + ".0)" if first == 0 else "0.0"} as position
        from said
        inner join people
            on case when is_change then {size.contacts} + i - {size.signups - size.of(2_000)} else person end = people.number
        left join people as former on case when is_change then said.person end = former.number
        """
    )


def _repeat(con, source: str, name: str, *, one_in: int) -> None:
    """One event in `one_in` came twice, at most a batch later; of ten of those one with a later time in its body."""
    con.execute(
        f"""
        insert into {name}_{source} by name
        select * replace (
            occurred_at + interval 1 second * (hash(event_id, 'conflict') % 10 = 0)::int as occurred_at,
            least(position + 0.02, 1) as position
        )
        from {name}_{source}
        where hash(event_id, 'twice') % {one_in} = 0
        """
    )


def _repeat_of_the_past(con, source: str, count: int) -> None:
    con.execute(
        f"""
        insert into added_{source} by name
        select * exclude (landing_file, batch_id, ingested_at) replace (
            case when hash(event_id, 'again') % 20 = 0 then occurred_at + interval 2 second else occurred_at end as occurred_at
        )
        from (
            select * from lake.raw.{source}
            order by hash(event_id, 'past')
            limit {count}
        )
        """
    )


def _land(con, source: str, name: str, batch: str, ingested_at: str) -> None:
    ingested = f"timestamptz '{AS_OF.isoformat()}'" if ingested_at == "ingested_at" else ingested_at
    order = "order by floor(position * 50)" if name == "history" else ""
    has_position = "position" in {column for (column, *_) in con.execute(f"describe {name}_{source}").fetchall()}
    con.execute(
        f"""
        insert into lake.raw.{source} by name
        select
            * {"exclude (position)" if has_position else ""},
            '{source}/' || ({batch}) || '.jsonl' as landing_file,
            {batch} as batch_id,
            {ingested} as ingested_at
        from {name}_{source}
        {order}
        """
    )
    con.execute(f"drop table {name}_{source}")


def _write_deliveries(con, size: Size) -> None:
    """What became of 30 waves of the past, each outcome told twice: planned, then delivered."""
    con.execute(
        f"""
        insert into lake.raw.deliveries by name
        with outcomes as (
            select
                i,
                i % 30 as wave,
                (i // 30 * 97 + i % 30) % {size.contacts} as person,
                told
            from range({size.deliveries // 2}) as numbers (i), (values (1), (2)) as tellings (told)
        )
        select
            'w' || printf('%016d', wave) as wave_id,
            ['welcome', 'free_delivery_thanks', 'treatment_reading'][1 + wave % 3] as campaign,
            people.address_id as contact_id,
            1 as entry,
            case when i % 10 = 0 then 'holdout' when i % 7 = 0 then 'excluded' else 'recipient' end as outcome,
            case when i % 10 > 0 and i % 7 = 0 then 'no_consent' end as reason,
            case
                when told = 1 or i % 10 = 0 or i % 7 = 0 then null
                when i % 61 = 0 then 'hard_bounce'
                when i % 97 = 0 then 'unsubscribed'
                when i % 997 = 0 then 'complained'
                else 'sent'
            end as delivery,
            ['abcdefgh01', 'abcdefgh02'] as codes,
            timestamptz '{AS_OF.isoformat()}' - interval (300 - wave * 9) day as as_of,
            case when told = 2 then timestamptz '{AS_OF.isoformat()}' - interval (300 - wave * 9) day end as sent_at,
            timestamptz '{AS_OF.isoformat()}' - interval (300 - wave * 9) day + interval (told) hour as recorded_at,
            {BATCHES} as batch_id
        from outcomes
        inner join people on outcomes.person = people.number
        """
    )


def _land_file(con, batch: int) -> None:
    con.execute(
        "insert into lake.raw.landing_files by name select ? as landing_file, 'article_views' as source, ? as batch_id",
        [f"article_views/{batch}.jsonl", batch],
    )
