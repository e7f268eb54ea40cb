"""Planning a wave: every member of the segment becomes recipient, holdout, excluded or deferred, in one query.

Written down is what is new: a member of whom the campaign's last decision still holds has no row in this wave, and is counted.
Where there is nothing new at all, no wave is written.

What the query reads: the models as of the last complete, tested build, the noes that came since, and the ledger's claims and last
decisions, which stream in as Arrow inside the transaction that then writes the wave. So nobody can claim a contact between the
look and the write.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from duckdb import DuckDBPyConnection

from orchestration.components.choosing import choose_content, readers_of_cards
from orchestration.components.sending import fresh_noes
from orchestration.core.audience import MANNERS, is_quiet
from orchestration.core.campaign import Campaign, Content
from orchestration.core.content import ARTICLE
from orchestration.core.errors import CampaignError
from orchestration.core.wave import WaveDraft, new_wave_id
from orchestration.resources.ledger import Ledger
from orchestration.resources.ledger_planning import Tally, counts_of
from orchestration.resources.models import segments
from orchestration.resources.models_version import lacks_segment
from orchestration.resources.warehouse import Build, Warehouse
from orchestration.settings import Settings

CONFIRM_HOURS = 24  # between two looks whether somebody has confirmed
EVER_BEFORE = datetime(1970, 1, 1, tzinfo=UTC)

# One row per member of the segment; `why_not` is the first exclusion that applies, in the order of core.audience.
_AUDIENCE = """
create or replace temp table due as
with claims as (
    select
        contact_id::uuid as contact_id,
        count(*) filter (where campaign = $campaign) as entries,
        bool_or(campaign = $campaign and sent_at is null) as is_open_here,
        max(coalesce(sent_at, planned_as_of)) filter (where campaign = $campaign) as last_here,
        bool_or(campaign <> $campaign and outcome = 'recipient' and sent_at is null) as is_open_elsewhere,
        max(sent_at) filter (where outcome = 'recipient') as last_email,
        count(*) filter (where outcome = 'recipient' and sent_at > $now - interval 7 day) as emails_7_days,
        count(*) filter (where outcome = 'recipient' and sent_at > $now - interval 30 day) as emails_30_days
    from history
    where is_claim
    group by all
),

-- Mailchimp's own no, which holds for every campaign until the person says something newer. Whom it has asked to confirm
-- answers there, where only a look can tell.
refusals as (
    select
        contact_id::uuid as contact_id,
        arg_max(reason, planned_as_of) as reason,
        max(planned_as_of) as refused_at
    from history
    where was_dropped and starts_with(reason, 'mailchimp_')
    group by all
),

-- what this campaign decided last about each; that somebody was claimed says by itself that they had it
decided as (
    select
        contact_id::uuid as contact_id,
        if(
            arg_max(is_claim, position),
            struct_pack(outcome := 'excluded', reason := 'already_sent'),
            arg_max(struct_pack(outcome := outcome, reason := reason), position)
        ) as last_decision
    from history
    where campaign = $campaign
    group by all
),

members as (
    select contact_id, reason as evidence, entered_at
    from lake.marts.segment_members
    where segment = $segment
)

select
    members.contact_id,
    coalesce(claims.entries, 0) + 1 as entry,
    members.evidence,
    contacts.email,
    contacts.first_name,
    case
        when contacts.is_suppressed or noes.no = 'suppressed' then 'suppressed'
        when contacts.email is null then 'no_address'
        when not contacts.is_subscribed or contacts.basis is null or noes.no is not null then 'no_consent'
        when refusals.refused_at >= consents.last_answered_at
            and (refusals.reason <> 'mailchimp_pending' or refusals.refused_at > $now - to_hours($confirm_hours))
            then refusals.reason
        when members.entered_at <= $started_at then 'entered_before_start'
        when claims.is_open_here then 'already_sent'
        when claims.entries > 0 and ($reentry_days is null or claims.last_here > $now - to_days($reentry_days))
            then 'already_sent'
        -- to the public a professionals' email would advertise (Human Medicines Regulations 2012 reg. 284)
        when $is_for_professionals and not coalesce(contacts.is_professional, false) then 'policy'
    end as why_not,
    case
        when claims.is_open_elsewhere then 'capped'
        when claims.last_email > $now - to_hours($gap_hours) then 'capped'
        when claims.emails_7_days >= $most_in_7_days then 'capped'
        when claims.emails_30_days >= $most_in_30_days then 'capped'
        when $is_quiet then 'quiet_hours'
    end as put_off,
    -- chosen by the contact alone, before anything is known of them: the same people in every wave of a campaign
    ('0x' || left(sha256($campaign || members.contact_id::varchar), 13))::bigint / 16.0 ** 13 < $holdout as is_held_out,
    decided.last_decision
from members
left join lake.marts.contacts as contacts using (contact_id)
left join lake.intermediate.int_consents as consents using (contact_id)
left join claims using (contact_id)
left join refusals using (contact_id)
left join decided using (contact_id)
left join noes on members.contact_id = noes.contact_id::uuid
"""

_OUTCOMES = f"""
create or replace temp table outcomes as
with slots as (
    select
        contact_id,
        to_json(map_from_entries(list((field, value) order by field)))::varchar as slots,
        count(*) filter (where starts_with(field, '{ARTICLE}')) as filled
    from fields
    group by contact_id
)

select
    due.contact_id::varchar as contact_id,
    due.entry::bigint as entry,
    case
        when due.why_not is not null then 'excluded'
        when due.put_off is not null then 'deferred'
        when $minimum > 0 and coalesce(slots.filled, 0) < $minimum then 'excluded'
        when due.is_held_out then 'holdout'
        else 'recipient'
    end as outcome,
    case
        when due.why_not is not null then due.why_not
        when due.put_off is not null then due.put_off
        when $minimum > 0 and coalesce(slots.filled, 0) < $minimum then 'no_content'
    end as reason,
    due.evidence,
    case when outcome = 'recipient' then due.email end as email,
    case when outcome = 'recipient' then due.first_name end as first_name,
    case when outcome = 'recipient' then coalesce(slots.slots, '{{}}') else '{{}}' end as slots,
    -- who is claimed is always news; a no that was told before is not, and would make the ledger grow with every wave
    outcome in ('recipient', 'holdout')
        or due.last_decision is distinct from struct_pack(outcome := outcome, reason := reason) as is_new
from due
left join slots using (contact_id)
"""
_TALLY = "select outcome, reason, is_new, count(*) from outcomes group by all"


@dataclass(frozen=True)
class Plan:
    """What a plan came to. `wave_id` is None when nothing was written: a rehearsal, or nothing new since the last plan.

    `counts` is as in core.wave.Wave; `readers` says how many people get each card of `content`, by code.
    """

    campaign: str
    wave_id: str | None
    as_of: datetime
    build: Build
    counts: dict[str, Any]
    content: Content
    readers: dict[str, int]

    @property
    def has_recipients(self) -> bool:
        return self.counts["recipient"] + self.counts["holdout"] > 0


class _NotKept(Exception):
    """Leaves the planning transaction of a rehearsal without keeping anything of it, the campaign's start neither."""


def plan(
    settings: Settings,
    ledger: Ledger,
    warehouse: Warehouse,
    campaign: Campaign,
    *,
    who: str,
    why: str,
    rehearse: bool = False,
) -> Plan:
    """Freeze the audience of a new wave of `campaign`, or, with `rehearse`, only say what it would be.

    Raises NoBuildYet before the first complete build, CampaignError for a segment that is no model or that no build has yet,
    AlreadyClaimed when another wave got in between (nothing is written then; plan again).
    """
    kept: Plan | None = None
    try:
        with ledger.planning(campaign.name) as planning:
            # asked for only here: another plan, and what it waited for, may have come in between
            build = warehouse.last_build()
            # never before what the models know, as their own as_of (DESIGN 5): a no found in this wave is later than that
            now = max(settings.now(), build.as_of) if build else settings.now()
            with warehouse.reader(at=build and build.snapshot_id) as con:
                _check_segment(con, campaign)
                started_at = planning.start(EVER_BEFORE if settings.backlog == "send" else now)
                con.register("history", planning.history().read_all())
                con.register("noes", _noes(fresh_noes(ledger, con)))
                con.execute(_AUDIENCE, _parameters(settings, campaign, now, started_at))
                kept, news, unchanged = _decided(con, settings, campaign, now, build)
            if news.num_rows and not rehearse:
                planning.write(_wave(kept, who, why), news.to_batches(max_chunksize=50_000), unchanged)
            else:
                kept = replace(kept, wave_id=None)
            if rehearse:
                raise _NotKept
    except _NotKept:
        pass
    return kept


def _decided(
    con: DuckDBPyConnection, settings: Settings, campaign: Campaign, now: datetime, build: Build
) -> tuple[Plan, pa.Table, Tally]:
    """What the table `due` comes to: the plan, a row for each member it decides anything new about, and how many others."""
    wave_id = new_wave_id(now)
    content = choose_content(con, settings, campaign, wave_id, now)
    con.execute(_OUTCOMES, {"minimum": campaign.articles.minimum if campaign.articles else 0})
    news = con.execute("select * exclude is_new from outcomes where is_new order by contact_id").to_arrow_table()
    tally, unchanged = Counter(), Counter()
    for outcome, reason, is_new, number in con.execute(_TALLY).fetchall():
        tally[outcome, reason] += number
        unchanged[outcome, reason] += 0 if is_new else number
    readers = readers_of_cards(con)
    found = Plan(campaign.name, wave_id, now, build, counts_of(tally), content.seen_by(readers), readers)
    # counted apart, so that the sums can show somebody the query lost
    found.counts["segment_size"] = _segment_size(con, campaign)
    return found, news, +unchanged


def _noes(fresh: Mapping[str, str]) -> pa.Table:
    kind = pa.schema([("contact_id", pa.string()), ("no", pa.string())])
    return pa.Table.from_pydict({"contact_id": list(fresh), "no": list(fresh.values())}, kind)


def _check_segment(con: DuckDBPyConnection, campaign: Campaign) -> None:
    found = con.execute(
        "select count(*) from duckdb_tables() where database_name = 'lake' and table_name = 'segment_history'"
    ).fetchone()
    if found == (0,) or campaign.segment not in segments():
        raise CampaignError(
            f"Campaign {campaign.name}: there is no segment {campaign.segment!r}. "
            f"There are {', '.join(segments())}; a new one is one SQL file under dbt_project/models/segments."
        )
    # a start that is noted now would be earlier than the entry of everybody who is in it: a backlog, taken for new
    if lacks_segment(con, campaign.segment):
        raise CampaignError(
            f"Campaign {campaign.name}: no build has its segment {campaign.segment!r} yet. Run the job models first."
        )


def _segment_size(con: DuckDBPyConnection, campaign: Campaign) -> int:
    return con.execute(
        "select count(*) from lake.marts.segment_members where segment = ?", [campaign.segment]
    ).fetchone()[0]


def _parameters(settings: Settings, campaign: Campaign, now: datetime, started_at: datetime) -> dict[str, Any]:
    return {
        "campaign": campaign.name,
        "segment": campaign.segment,
        "is_for_professionals": campaign.audience == "professionals",
        "now": now,
        "started_at": started_at,
        "reentry_days": campaign.reentry.after_days,
        "confirm_hours": CONFIRM_HOURS,
        "gap_hours": MANNERS.gap_hours,
        "most_in_7_days": MANNERS.most_in_7_days,
        "most_in_30_days": MANNERS.most_in_30_days,
        "is_quiet": is_quiet(settings.now(), settings.quiet_hours),
        "holdout": campaign.holdout,
    }


def _wave(plan: Plan, who: str, why: str) -> WaveDraft:
    return WaveDraft(
        wave_id=plan.wave_id,
        campaign=plan.campaign,
        as_of=plan.as_of,
        build_id=plan.build.build_id,
        snapshot_id=plan.build.snapshot_id,
        created_at=plan.as_of,
        who=who,
        why=why,
        content=plan.content.model_dump(mode="json"),
        segment_size=plan.counts["segment_size"],
    )
