"""The ledger's tables.

"At most once" is the unique index `one_claim` below: a contact can be claimed for one entry into a campaign by one
wave, and no program can write a second claim, whatever it believes. The ledger is SQLite because DuckLake has no unique
constraints. DuckDB must never open its file: two SQLite libraries in one process drop each other's file locks.

Times are UTC, ISO 8601 text with microseconds, so that they sort as text and anyone can read them.
"""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Dialect,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    text,
)
from sqlalchemy.types import TypeDecorator

SCHEMA_VERSION = 4


class UtcText(TypeDecorator[datetime]):
    """A datetime with a zone, kept as UTC text."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        return None if value is None else utc_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        return None if value is None else datetime.fromisoformat(value)


def utc_text(moment: datetime) -> str:
    """`2026-11-22T08:00:00.000000+00:00`. Raises ValueError for a time without a zone."""
    if moment.tzinfo is None:
        raise ValueError("the ledger takes times with a zone only")
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


metadata = MetaData()

# Which ledger this is: whoever took changes of another up to some number has taken none of this one's.
identity = Table("identity", metadata, Column("ledger_id", String, primary_key=True))

campaigns = Table("campaigns", metadata, Column("campaign", String, primary_key=True), Column("started_at", UtcText))

waves = Table(
    "waves",
    metadata,
    Column("wave_id", String, primary_key=True),
    Column("campaign", String, nullable=False),
    Column("state", String, nullable=False),
    Column("as_of", UtcText, nullable=False),
    Column("build_id", String, nullable=False),
    Column("snapshot_id", Integer, nullable=False),
    Column("counts", JSON, nullable=False),
    Column("content", JSON, nullable=False),
    Column("audience_hash", String),
    Column("draft_hash", String),
    Column("approved_hash", String),
    Column("approved_by", String),
    Column("mailchimp_campaign_id", String),
    Column("mailchimp_web_id", Integer),
    Column("mailchimp_segment_id", Integer),
    Column("created_at", UtcText, nullable=False),
    Column("sent_at", UtcText),
)
# Member fields in Mailchimp are shared by all waves, so only one may be sending on the audience.
Index("one_sending", waves.c.state, unique=True, sqlite_where=waves.c.state == "sending")

wave_moves = Table(
    "wave_moves",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("wave_id", String, nullable=False, index=True),
    Column("from_state", String),
    Column("to_state", String, nullable=False),
    Column("moved_at", UtcText, nullable=False),
    Column("who", String, nullable=False),
    Column("why", String, nullable=False),
)

intents = Table(
    "intents",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("wave_id", String, nullable=False, index=True),
    Column("call", String, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("state", String, nullable=False),
    Column("at", UtcText, nullable=False),
    Column("outcome", JSON, nullable=False),
    Column("ended_at", UtcText),
)

# A number for each transaction that touched recipients: the cursor by which the warehouse takes what is new.
# `at` is the business clock, and never goes back, even when that does.
changes = Table(
    "changes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcText, nullable=False),
    sqlite_autoincrement=True,
)

recipients = Table(
    "recipients",
    metadata,
    Column("wave_id", String, primary_key=True),
    Column("contact_id", String, primary_key=True),
    Column("campaign", String, nullable=False),
    Column("entry", Integer, nullable=False),
    Column("outcome", String, nullable=False),
    Column("reason", String),
    Column("evidence", String),
    Column("email", String),
    Column("first_name", String),
    Column("slots", String, nullable=False),
    Column("released", Boolean, nullable=False, default=False),
    Column("dropped_from", String),
    Column("delivery", String),
    Column("delivered_at", UtcText),
    Column("change_id", Integer, nullable=False),
)
# How far something outside was looked through, by Mailchimp's clock. It lies here so that a ledger that was put back looks again.
looks = Table(
    "looks",
    metadata,
    Column("name", String, primary_key=True),
    Column("upto", UtcText, nullable=False),
)

# What Mailchimp said of a campaign or of the audience, as figures, when it was last read person by person.
figures = Table(
    "figures",
    metadata,
    Column("name", String, primary_key=True),
    Column("said", JSON, nullable=False),
)
# Every no that came back from an email or from the audience, by contact; of a wave, where it is known to be an answer to one.
objections = Table(
    "objections",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("contact_id", String, nullable=False, index=True),
    Column("objection", String, nullable=False),
    Column("happened_at", UtcText, nullable=False),
    Column("wave_id", String, index=True),
    Column("change_id", Integer, nullable=False, index=True),
)
# What stops all sends until somebody releases it. Who released it forgave what was known up to `released_change`.
stops = Table(
    "stops",
    metadata,
    Column("id", Integer, primary_key=True),
    *(Column(name, String, nullable=False) for name in ("kind", "what", "who")),
    Column("stopped_at", UtcText, nullable=False),
    Column("released_at", UtcText),
    *(Column(name, String) for name in ("released_by", "released_why")),
    Column("released_change", Integer),
)
Index("one_stop_a_kind", stops.c.kind, unique=True, sqlite_where=stops.c.released_at.is_(None))

# The evidence of somebody who was erased.
ERASED = "erased"
CLAIMED = "outcome in ('recipient', 'holdout') and not released"
Index(
    "one_claim",
    recipients.c.campaign,
    recipients.c.contact_id,
    recipients.c.entry,
    unique=True,
    sqlite_where=text(CLAIMED),
)
Index("recipients_by_contact", recipients.c.contact_id)
Index("recipients_by_change", recipients.c.change_id)
