"""The sandbox's state: one SQLite file, one connection, one transaction a call.

Times are text, `2026-11-22T08:00:00+00:00`, always UTC, so that they compare as text. JSON columns hold what the API was
given; what it answers is put together on the way out.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from orchestration.sandbox.steering import outcome_of_send

_SCHEMA = """
create table if not exists lists (
    id text primary key, web_id integer not null, name text not null, date_created text not null,
    contact text not null, campaign_defaults text not null
);
create table if not exists merge_fields (
    list_id text not null, merge_id integer not null, tag text not null, name text not null, type text not null,
    required integer not null, default_value text not null, public integer not null, display_order integer not null,
    options text not null, help_text text not null,
    primary key (list_id, tag)
);
create table if not exists members (
    id integer primary key autoincrement, list_id text not null, hash text not null, email_address text not null,
    unique_email_id text not null, contact_id text not null, email_type text not null, status text not null,
    merge_fields text not null, language text not null, vip integer not null, ip_signup text not null,
    timestamp_signup text not null, ip_opt text not null, timestamp_opt text not null, last_changed text not null,
    source text not null, unsubscribe_reason text, unsubscribed_at text, in_compliance_state integer not null default 0,
    unique (list_id, hash)
);
create index if not exists members_by_change on members (list_id, last_changed);
create index if not exists members_by_status on members (list_id, status);
create table if not exists forgotten (list_id text not null, hash text not null, primary key (list_id, hash));
create table if not exists segments (
    id integer primary key autoincrement, list_id text not null, name text not null,
    created_at text not null, updated_at text not null,
    unique (list_id, name)
);
create table if not exists segment_members (
    segment_id integer not null, member_id integer not null, primary key (segment_id, member_id)
) without rowid;
create index if not exists segments_of_member on segment_members (member_id);
create table if not exists marketing_permissions (id text primary key, list_id text not null, text text not null);
create table if not exists given_permissions (
    member_id integer not null, permission_id text not null, primary key (member_id, permission_id)
) without rowid;
create table if not exists campaigns (
    web_id integer primary key autoincrement, id text not null unique, type text not null, status text not null,
    list_id text not null, recipients text not null, settings text not null, tracking text not null, html text, plain_text text,
    create_time text not null, send_time text not null default '', emails_sent integer not null default 0,
    is_deleted integer not null default 0
);
create table if not exists emails (
    id integer primary key autoincrement, campaign_id text not null, email_address text not null, member_hash text not null,
    merge_fields text not null, outcome text not null, is_test integer not null default 0, sent_at text not null,
    unsubscribed_at text, unsubscribe_reason text
);
create unique index if not exists one_email_each on emails (campaign_id, member_hash) where not is_test;
create index if not exists emails_by_address on emails (email_address);
"""


class Store:
    """The connection to one state file; threads take turns."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("pragma journal_mode = wal")
        # Safe against a killed process, which is what a stand-in has to survive; a power cut may lose the last calls.
        self._connection.execute("pragma synchronous = normal")
        self._connection.create_function("outcome_of_send", 1, outcome_of_send, deterministic=True)
        self._connection.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything inside happens, or, after an exception, nothing of it."""
        with self._lock:
            self._connection.execute("begin immediate")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("rollback")
                raise
            self._connection.execute("commit")

    def close(self) -> None:
        with self._lock:
            self._connection.close()


def timestamp(moment: datetime) -> str:
    """An instant the way Mailchimp writes it, to the second."""
    return moment.astimezone(UTC).replace(microsecond=0).isoformat()
