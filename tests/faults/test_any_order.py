"""Anything in any order: people say yes and no here and in Mailchimp, are erased, builds, launches, crashes, clocks that jump.

The models' tables are written by the test, as dbt would write them, so that a step takes milliseconds. What holds after every
step: nobody has two emails of a campaign, nobody got one who at that moment had said no, nobody who was erased is there again,
and each wave's sums come out.
"""

import base64
import json
import shutil
import tempfile
import urllib.request
from collections import Counter, defaultdict
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
import requests
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy.engine import default

from orchestration.components import delivery_audience, erasure
from orchestration.components.campaign_run import run_campaign
from orchestration.components.erasure import erase
from orchestration.components.services import Services
from orchestration.core.campaign import Campaign, Trigger
from orchestration.core.errors import LedgerError, PennypostError
from orchestration.core.identity import address_id
from orchestration.demo.events import signup_row
from orchestration.demo.files import json_lines, put
from orchestration.resources.erasure_purge import purge
from orchestration.resources.keys import contact_key
from orchestration.resources.landing import ingest
from orchestration.resources.mailchimp import Gateway
from orchestration.resources.mailchimp_audience import address_hash
from orchestration.resources.mailchimp_calls import Pauses
from orchestration.resources.warehouse import Warehouse
from orchestration.sandbox.app import LIST_ID
from orchestration.sandbox.server import running
from orchestration.settings import Settings
from tests.written_tables import write_tables

pytestmark = pytest.mark.thorough

START = datetime(2026, 11, 2, 9, tzinfo=UTC)
PEOPLE = ["ann@mail.test", "bob@mail.test", "bounce.cat@mail.test", "dan@mail.test", "complaint.eve@mail.test"]
WAITS = delivery_audience.Waits(
    poll=0.01, create_limit=0.05, send_limit=0.05, send_tries=2, sent_limit=5, report_limit=0.2, lock=5
)
PAUSES = Pauses(0.01, 0.02, 3)
TABLES = """
create table if not exists lake.marts.contacts (
    contact_id uuid, email varchar, first_name varchar, is_subscribed boolean, basis varchar, is_suppressed boolean,
    is_addressable boolean, is_professional boolean);
create table if not exists lake.marts.segment_members (
    contact_id uuid, segment varchar, reason varchar, entered_at timestamptz);
create table if not exists lake.marts.segment_history (contact_id uuid, segment varchar);
create table if not exists lake.marts.recommended_articles (contact_id uuid, rank bigint, article_id varchar);
create table if not exists lake.intermediate.int_address_owners (
    address_id uuid, contact_id uuid, owned_from timestamptz, owned_until timestamptz);
create table if not exists lake.intermediate.int_consents (contact_id uuid, last_answered_at timestamptz);
create table if not exists lake.intermediate.int_signups (
    email varchar, occurred_at timestamptz, signup_action varchar, event_id varchar);
create table if not exists lake.intermediate.int_articles (article_id varchar, url varchar, title varchar, summary varchar);
"""


def campaign(name: str, priority: int) -> Campaign:
    return Campaign(
        name=name,
        description="a test",
        segment="new_subscribers",
        trigger=Trigger(when="hand"),
        template="free_delivery_thanks",
        subject="Thank you",
        preheader="For your order",
        approval="by_hand" if name == "looked_at" else "automatic",
        priority=priority,
    )


CAMPAIGNS = [campaign("first", 1), campaign("second", 2), campaign("looked_at", 3)]


PARTS, SEQUENCES = 6, 6  # tests, so that they are shared out, and how many sequences each tries
SENT: list[int] = []  # emails of each sequence


class Crash(BaseException):
    """As sudden as a kill: nothing of ours catches it."""


@contextmanager
def crashing(after: int):
    """Crash at one of the calls and commits: `after` so many."""
    left = [after]

    def point() -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Crash

    def around(function):
        def surrounded(*args, **kwargs):
            point()
            answer = function(*args, **kwargs)
            point()
            return answer

        return surrounded

    send, commit = requests.Session.send, default.DefaultDialect.do_commit
    requests.Session.send, default.DefaultDialect.do_commit = around(send), around(commit)
    try:
        yield
    except Crash:
        pass
    finally:
        requests.Session.send, default.DefaultDialect.do_commit = send, commit


class AnyOrder(RuleBasedStateMachine):
    """`willing` is the truth: who at this moment wants emails, whoever was told of it."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.now = START
        self.running = running(self.folder / "sandbox.sqlite", now=lambda: self.now)
        self.url = self.running.__enter__()
        self.willing = dict.fromkeys(PEOPLE, False)
        self.said: dict[str, list[dict]] = {address: [] for address in PEOPLE}
        self.erased_upto: dict[str, datetime] = {}
        self.files = 0
        self.builds = 0
        self.mailbox: Counter[tuple[str, str]] = Counter()
        self.got: set[tuple[str, str]] = set()
        self.key = contact_key(self.settings)

    def teardown(self):
        SENT.append(len(self.got))
        self.running.__exit__(None, None, None)
        shutil.rmtree(self.folder)

    @property
    def settings(self) -> Settings:
        env = {
            "DATA_DIR": str(self.folder),
            "SANDBOX_PORT": self.url.rpartition(":")[2],
            "BACKLOG": "send",
            "QUIET_HOURS": "off",
        }
        return replace(Settings.from_env(env), fixed_as_of=self.now)

    @property
    def services(self) -> Services:
        services = Services(self.settings)
        services.__dict__["gateway"] = Gateway(self.settings, PAUSES)
        return services

    @initialize(campaign=st.sampled_from([None, CAMPAIGNS[0], CAMPAIGNS[2]]))
    def everybody_signs_up(self, campaign):
        """And some had an email, or wait for somebody to look at it."""
        for address in PEOPLE:
            self.says(address, "subscribe")
        self.build()
        if campaign:
            self.sends(campaign)

    @rule(address=st.sampled_from(PEOPLE), action=st.sampled_from(["subscribe", "unsubscribe", "unsubscribe"]))
    def says(self, address, action):
        """To the shop. What is said is in a file that was landed at once."""
        self.now += timedelta(seconds=1)
        self.willing[address] = action == "subscribe"
        self.said[address].append(signup_row(f"s-{self.files}", self.now, address, action=action))
        self.lands(self.said[address][-1:])

    @rule(address=st.sampled_from(PEOPLE))
    def arrives_again(self, address):
        """All that somebody ever said, from whoever kept a copy: what was erased with the person must not come back."""
        self.lands(self.said[address])

    def lands(self, rows):
        self.files += 1
        put(self.settings.landing_dir / "signups" / f"{self.files}.jsonl", json_lines(rows))
        services = self.services
        ingest(services.settings, services.warehouse)

    @rule(address=st.sampled_from(PEOPLE), crash=st.none() | st.integers(0, 8))
    def is_erased(self, address, crash):
        """Unless an email may be on its way to them. One that crashed is begun again."""
        if crash is not None:
            with crashing(crash):
                self.erase(address)
        self.erase(address)

    def erase(self, address):
        """Whoever asks for that wants no emails either."""
        try:
            erase(self.services, address, who="test", pauses=PAUSES)
        except LedgerError as error:
            assert "on its way" in str(error)
        else:
            self.notes_erasure(address)

    def notes_erasure(self, address):
        self.willing[address] = False
        last_said = max((datetime.fromisoformat(row["occurred_at"]) for row in self.said[address]), default=self.now)
        self.erased_upto[address] = max(self.now, last_said, self.erased_upto.get(address, self.now))

    @rule(address=st.sampled_from(PEOPLE))
    def leaves_in_mailchimp(self, address):
        """By hand there, or by the link of another email: Mailchimp alone knows of it."""
        self.now += timedelta(seconds=1)
        path = f"/3.0/lists/{LIST_ID}/members/{address_hash(address)}"
        key = base64.b64encode(b"any:key").decode()
        asked = urllib.request.Request(  # noqa: S310, an address of our own
            f"{self.url}{path}",
            json.dumps({"status": "unsubscribed"}).encode(),
            {"Authorization": f"Basic {key}", "Content-Type": "application/json"},
            method="PATCH",
        )
        try:
            urllib.request.urlopen(asked).close()  # noqa: S310, an address of our own
        except urllib.error.HTTPError as error:
            assert error.code == 404  # not a member yet: there is nothing to leave
        else:
            self.willing[address] = False

    @rule()
    def build(self):
        """As dbt does: who said yes last may be written to."""
        self.builds += 1
        answers: dict[str, list[tuple[datetime, str]]] = {}
        with self.services.warehouse.writer() as con:
            for address, at, action in con.execute(
                'select email, occurred_at, any_value("action") from lake.raw.signups group by all order by occurred_at'
            ).fetchall():
                answers.setdefault(address, []).append((at, action))
        ids = {address: UUID(address_id(address, self.key)) for address in answers}
        yes = {address: given[-1][1] == "subscribe" for address, given in answers.items()}
        rows = {
            "marts.contacts": [[ids[a], a, "Ada", yes[a], "consent", False, yes[a], False] for a in answers],
            "intermediate.int_consents": [[ids[a], given[-1][0]] for a, given in answers.items()],
            "intermediate.int_signups": [[a, at, action, "s"] for a, given in answers.items() for at, action in given],
            "marts.segment_members": [[ids[a], "new_subscribers", "signed up", START] for a in answers],
        }
        with self.services.warehouse.writer() as con:
            write_tables(con, TABLES, rows)
            self.services.warehouse.record_build(
                con, build_id=f"b{self.builds}", build_no=self.builds, as_of=max(self.now, START)
            )

    @rule(campaign=st.sampled_from(CAMPAIGNS))
    def sends(self, campaign):
        self.launch(campaign, "send")

    @rule(campaign=st.sampled_from(CAMPAIGNS), crash=st.integers(0, 140))
    def sends_and_crashes(self, campaign, crash):
        with crashing(crash):
            self.launch(campaign, "send")

    @rule(campaign=st.sampled_from(CAMPAIGNS), crash=st.integers(0, 140))
    def crashes_and_sends_again(self, campaign, crash):
        self.sends_and_crashes(campaign, crash)
        self.sends(campaign)

    @rule(campaign=st.sampled_from(CAMPAIGNS), action=st.sampled_from(["rehearse", "draft", "cancel"]))
    def does_something_else(self, campaign, action):
        self.launch(campaign, action)

    def launch(self, campaign, action):
        try:
            run_campaign(self.services, campaign, action, who="test")
        except PennypostError as error:
            assert str(error)

    @rule()
    @precondition(lambda self: self.services.ledger.waves("looked_at", ["drafted"]))
    def approves(self):
        [wave, *_] = self.services.ledger.waves("looked_at", ["drafted"])
        try:
            run_campaign(self.services, CAMPAIGNS[2], "send", who="test", approve=wave.draft_hash)
        except PennypostError as error:
            assert str(error)

    @rule(hours=st.sampled_from([-1, 1, 30, 200]))
    def clock_moves(self, hours):
        self.now += timedelta(hours=hours)

    @invariant()
    def nobody_has_an_email_twice_and_nobody_who_said_no_got_one(self):
        with urllib.request.urlopen(f"{self.url}/sandbox/mailbox") as answer:  # noqa: S310, an address of our own
            emails = json.load(answer)["emails"]
        campaign_of = {wave.wave_id: wave.campaign for wave in self.services.ledger.waves()}
        mailbox = Counter()
        for email in emails:
            if email["to"]:  # whoever was deleted for good has no address there any more
                mailbox[campaign_of[email["title"].split()[-1]], email["to"]] += email["count"]
        assert set(mailbox.values()) <= {1}
        for campaign, address in mailbox - self.mailbox:
            assert self.willing[address], f"{campaign} went to {address}"
            assert (campaign, address) not in self.got, f"{campaign} went to {address} again after an erasure"
            self.got.add((campaign, address))
        self.mailbox = mailbox

    @invariant()
    def nobody_who_was_erased_is_there_again(self):
        """But by what they say anew."""
        if not self.erased_upto:
            return
        with self.services.warehouse.writer() as con:
            landed = con.execute("select email, occurred_at from lake.raw.signups").fetchall()
        for address, at in landed:
            assert address not in self.erased_upto or at > self.erased_upto[address], (
                f"{address} is in raw.signups again"
            )
        back = {address for address, _ in landed}
        ledger = self.services.ledger
        for wave in ledger.waves():
            for batch in ledger.recipients(wave.wave_id, "recipient"):
                for person in batch:
                    assert person.email not in self.erased_upto.keys() - back, f"{person.email} is in the ledger again"

    @invariant()
    def sums_come_out(self):
        """Every member is counted in each wave, and has a row there or, where nothing new was decided, in one before it."""
        ledger = self.services.ledger
        known: defaultdict[str, set[str]] = defaultdict(set)
        for wave in ledger.waves():
            told = wave.counts["recipient"] + wave.counts["holdout"]
            told += sum(wave.counts["excluded"].values()) + sum(wave.counts["deferred"].values())
            rows = [row for batch in ledger.recipients(wave.wave_id) for row in batch]
            known[wave.campaign] |= {row.contact_id for row in rows}
            assert len(rows) <= told == wave.counts["segment_size"] <= len(known[wave.campaign])
            assert wave.counts["recipient"] == sum(row.outcome == "recipient" for row in rows)


def purge_here(settings: Settings) -> Counter[str]:
    with Warehouse(settings).writer() as con:
        return purge(con)


@pytest.mark.parametrize("number", range(PARTS))
def test_anything_in_any_order_sends_nothing_twice_and_nothing_to_a_no(number, record_property, monkeypatch):
    monkeypatch.setattr(delivery_audience.Waits, "of", classmethod(lambda *_: WAITS))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    # freed pages are the concern of test_erasure.py; Python processes for each would be most of the time
    monkeypatch.setattr(erasure, "scrub_in_a_process", lambda *_, **__: {})
    monkeypatch.setattr(erasure, "purge_in_a_process", purge_here)
    SENT.clear()
    run_state_machine_as_test(
        seed(number + 1)(AnyOrder),  # as all of this suite: the same trials for the same code
        settings=settings(
            max_examples=SEQUENCES,
            stateful_step_count=12,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert sum(SENT), "a part in which nobody gets an email tries little: give it another seed"
    record_property("figure", f"{len(SENT)} sequences of steps in any order, {sum(SENT)} emails in all")
