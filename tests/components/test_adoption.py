"""What Mailchimp knows and the ledger doesn't, after a restore of an older state or with a ledger begun anew.

A real warehouse with tables the test writes, the campaign `welcome` as it ships, the sandbox over HTTP. A restored world is
another DATA_DIR, made from a backup of the first, on the same sandbox.
"""

import json
import sqlite3
import urllib.request
from collections import Counter
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from orchestration.components.adoption import Adoption
from orchestration.components.campaign_run import run_campaign
from orchestration.components.catalogue import all_campaigns
from orchestration.components.delivery_audience import Waits
from orchestration.components.planning import plan
from orchestration.components.services import Services
from orchestration.core.errors import MailchimpUnknown, NotReadyToSend, PennypostError
from orchestration.core.identity import address_id
from orchestration.resources.backup import back_up
from orchestration.resources.keys import contact_key
from orchestration.resources.ledger import Ledger
from orchestration.resources.mailchimp import Gateway
from orchestration.resources.mailchimp_calls import Pauses
from orchestration.resources.restore import restore
from orchestration.sandbox.server import running
from orchestration.settings import Settings

AS_OF = datetime(2026, 11, 22, 8, tzinfo=UTC)
READERS = ["ann@shop.test", "bob@shop.test", "cat@shop.test"]
[WELCOME] = [campaign for campaign in all_campaigns() if campaign.name == "welcome"]
TABLES = """
create or replace table lake.marts.contacts (
    contact_id uuid, email varchar, first_name varchar, is_subscribed boolean, basis varchar,
    is_suppressed boolean, is_addressable boolean, is_professional boolean);
create or replace table lake.marts.segment_members (
    contact_id uuid, segment varchar, reason varchar, entered_at timestamptz);
create or replace table lake.marts.segment_history (contact_id uuid, segment varchar);
create or replace table lake.intermediate.int_consents (contact_id uuid, last_answered_at timestamptz);
create or replace table lake.intermediate.int_signups (
    email varchar, occurred_at timestamptz, signup_action varchar, event_id varchar);
create or replace table lake.intermediate.int_address_owners (
    address_id uuid, contact_id uuid, owned_from timestamptz, owned_until timestamptz);
"""


class World:
    """A DATA_DIR, and the sandbox that may be shared with others."""

    def __init__(self, data_dir, url, as_of=AS_OF):
        env = {"DATA_DIR": str(data_dir), "SANDBOX_PORT": url.rpartition(":")[2], "BACKLOG": "send"}
        self.settings = Settings.from_env({**env, "AS_OF": as_of.isoformat()})
        self.url = url
        self.services = Services(self.settings)
        self.services.__dict__["gateway"] = Gateway(self.settings, Pauses(0.01, 0.05, 3))
        self.ledger, self.gateway = self.services.ledger, self.services.gateway

    def contact(self, address):
        return address_id(address, contact_key(self.settings))

    def build(self, *addresses, moved=()):
        """A complete build in which these people are in the segment; `moved`: (new address, old address) of the same contact."""
        owners = {new: self.contact(old) for new, old in moved}
        with self.services.warehouse.writer() as con:
            con.execute("begin")
            con.execute(TABLES)
            for address in addresses:
                contact_id = owners.get(address, self.contact(address))
                con.execute(
                    "insert into lake.marts.contacts values (?, ?, 'Ann', true, 'consent', false, true, false)",
                    [contact_id, address],
                )
                con.execute(
                    "insert into lake.marts.segment_members values (?, 'new_subscribers', 'e1', ?)", [contact_id, AS_OF]
                )
                con.execute("insert into lake.intermediate.int_consents values (?, ?)", [contact_id, AS_OF])
            for new, owner in owners.items():
                con.execute(
                    "insert into lake.intermediate.int_address_owners values (?, ?, ?, 'infinity')",
                    [self.contact(new), owner, AS_OF - timedelta(days=1)],
                )
            con.execute("commit")
            self.services.warehouse.record_build(con, build_id="b", build_no=1, as_of=self.settings.now())
        return self

    def run(self, action="send", campaign=WELCOME):
        return run_campaign(self.services, campaign, action, who="test")

    def tried(self, action="send"):
        """As `run`, by somebody who tries again later when it does not work."""
        with suppress(PennypostError):
            self.run(action)

    def planned(self):
        return plan(self.settings, self.ledger, self.services.warehouse, WELCOME, who="test", why="a test").wave_id

    def look(self, *, ledger=None, gateway=None):
        parts = ledger or self.ledger, gateway or self.gateway, self.services.warehouse
        waits = Waits(poll=0.01, create_limit=0.05, report_limit=0.1, lock=5)
        return Adoption(self.settings, *parts, "test", waits).look()

    def told(self, path, body=None, method=None):
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data, method=method)) as answer:  # noqa: S310
            return json.loads(answer.read() or "null")

    def mailed(self):
        """address → how many emails the sandbox has delivered there."""
        return Counter(email["to"] for email in self.told("/outbox.json"))

    def claims(self):
        """address → what the ledger says of whom it counts as written to by `welcome`."""
        return {
            row.email: row.delivery
            for wave in self.ledger.waves("welcome")
            for batch in self.ledger.recipients(wave.wave_id, "recipient")
            for row in batch
            if not row.released
        }

    def outcomes(self, wave_id):
        """address → reason, delivery or outcome."""
        return {
            row.email: row.reason or row.delivery or row.outcome
            for batch in self.ledger.recipients(wave_id)
            for row in batch
        }

    def in_mailchimp(self, sql, *values):
        """Something happens in Mailchimp that its API has no call for."""
        with closing(sqlite3.connect(self.settings.data_dir.parent / "sandbox.sqlite")) as con, con:
            return con.execute(sql, values).fetchall()

    def states(self):
        return [wave.state for wave in self.ledger.waves("welcome")]

    def restored(self, backup, where):
        restore(replace(self.settings, data_dir=where, landing_dir=where / "landing"), backup)
        return World(where, self.url)


@pytest.fixture
def world(tmp_path):
    with running(tmp_path / "sandbox.sqlite") as url:
        yield World(tmp_path / "data", url).build(*READERS)


@pytest.fixture
def older(world, tmp_path):
    """From now on: what `world` was at this moment, in a DATA_DIR of its own."""

    @contextmanager
    def put_back():
        back_up(world.settings, world.services.warehouse, tmp_path / "backup")
        later = []
        yield later
        later.append(world.restored(tmp_path / "backup", tmp_path / "again"))

    return put_back


ONCE_EACH = dict.fromkeys(READERS, 1)
ALL_SENT = dict.fromkeys(READERS, "sent")


def test_an_older_ledger_sends_nothing_that_was_sent_since(world, older):
    with older() as later:
        world.run()
    [again] = later
    assert again.states() == []
    again.run()
    assert again.mailed() == ONCE_EACH
    assert again.claims() == ALL_SENT
    [wave] = again.ledger.waves(states=["settled"])
    assert wave.wave_id == world.ledger.waves(states=["settled"])[0].wave_id
    assert (wave.campaign, wave.counts["recipient"], wave.sent_at) == ("welcome", 3, AS_OF)
    assert again.ledger.moves(wave.wave_id)[0].why == "Mailchimp has sent it, and this ledger did not know"


def test_a_ledger_begun_anew_sends_nothing_that_was_sent_before(world):
    world.run()
    for file in world.settings.data_dir.glob("ledger.sqlite*"):
        file.unlink()
    anew = World(world.settings.data_dir, world.url)
    assert anew.ledger.waves() == []
    anew.run()
    assert anew.mailed() == ONCE_EACH
    assert anew.claims() == ALL_SENT


def test_whoever_comes_after_the_restore_gets_it_all_the_same(world, older):
    with older() as later:
        world.run()
    later[0].build(*READERS, "dan@shop.test").run()
    assert later[0].mailed() == {**ONCE_EACH, "dan@shop.test": 1}
    assert later[0].claims() == {**ALL_SENT, "dan@shop.test": "sent"}


def test_a_draft_that_the_older_ledger_does_not_know_is_taken_back_and_its_people_get_one_email(world, older):
    with older() as later:
        world.run("draft")
    [draft] = world.ledger.waves(states=["drafted"])
    later[0].run()
    assert later[0].mailed() == ONCE_EACH
    assert later[0].states() == ["cancelled", "settled"]
    assert later[0].gateway.find_campaigns(f"pennypost {draft.wave_id}") == []
    assert later[0].gateway.find_segments(draft.wave_id) == []


def test_a_wave_that_was_only_planned_when_the_backup_was_made_is_brought_up_to_what_mailchimp_did(world, older):
    wave_id = world.planned()
    with older() as later:
        leaves = world.gateway._lists
        leaves.add_list_member(world.gateway.list_id, {"email_address": READERS[2], "status": "unsubscribed"})
        world.run()
    [again] = later
    assert again.states() == ["planned"]
    again.run()
    assert again.mailed() == world.mailed() == {READERS[0]: 1, READERS[1]: 1}
    assert again.claims() == {READERS[0]: "sent", READERS[1]: "sent"}
    assert again.ledger.wave(wave_id).state == "settled"
    assert again.outcomes(wave_id)[READERS[2]] == "not_in_sent_to"
    assert again.ledger.wave(wave_id).counts["excluded"] == {"not_in_sent_to": 1}


def test_a_wave_that_was_drafted_when_the_backup_was_made_is_not_sent_again(world, older):
    wave_id = world.run("draft").plan.wave_id
    with older() as later:
        world.run()
    later[0].run()
    assert later[0].mailed() == ONCE_EACH
    assert later[0].claims() == ALL_SENT
    assert later[0].ledger.wave(wave_id).state == "settled"


def test_a_draft_that_both_know_is_sent_by_the_restored_ledger(world, older):
    wave_id = world.run("draft").plan.wave_id
    with older() as later:
        pass
    later[0].run()
    assert later[0].mailed() == ONCE_EACH
    assert later[0].ledger.wave(wave_id).state == "settled"


@pytest.mark.parametrize("status", ["schedule", "sending"])
def test_what_mailchimp_is_about_to_send_is_waited_for(world, older, status):
    with older() as later:
        world.run("draft")
        world.in_mailchimp("update campaigns set status = ?", status)
    [again] = later
    with pytest.raises(NotReadyToSend, match=f"is {status}, of which this ledger knows nothing"):
        again.look()
    assert again.ledger.waves() == []
    world.in_mailchimp("update campaigns set status = 'save'")
    again.run()
    assert again.mailed() == ONCE_EACH


def test_while_mailchimp_cannot_be_asked_nothing_is_planned_or_sent(world):
    world.told("/sandbox/faults", {"endpoint": "GET /campaigns", "fault": "502", "times": 9})
    with pytest.raises(MailchimpUnknown):
        world.run()
    assert world.ledger.waves() == []
    world.told("/sandbox/faults", method="DELETE")
    world.run()
    assert world.mailed() == ONCE_EACH


def test_campaigns_that_are_not_ours_are_left_alone(world, older):
    with older() as later:
        wave_id = world.run().plan.wave_id
        copied = f"pennypost {wave_id} (copy 01)"
        for title in ("Spring news", "pennypost", copied):
            texts = {"subject": "s", "preview": "p", "from_name": "Ann", "reply_to": "ann@shop.test"}
            segment_id = world.gateway.ensure_segment("everybody")
            world.gateway.create_campaign(title, segment_id, **texts)
        world.in_mailchimp("update campaigns set status = 'sent' where settings like '%Spring news%'")
    [again] = later
    assert again.look() == [wave_id]
    assert [wave.wave_id for wave in again.ledger.waves()] == [wave_id]
    assert len(again.gateway.find_campaigns(copied)) == 1


def test_a_sent_campaign_with_our_title_that_names_no_campaign_stops_everything_and_is_named(world, older):
    with older() as later:
        world.run()
        world.in_mailchimp("update campaigns set html = '<p>Hello</p>', plain_text = 'Hello'")
        [(campaign_id,)] = world.in_mailchimp("select id from campaigns")
    with pytest.raises(NotReadyToSend, match=f"has sent campaign {campaign_id}, titled 'pennypost w"):
        later[0].run()
    assert later[0].ledger.waves() == []


def test_a_look_costs_one_call_and_reads_only_what_is_new(world):
    world.run()
    world.in_mailchimp(
        "insert into campaigns (id, type, status, list_id, recipients, settings, tracking, create_time) "
        "with recursive n (value) as (select 1 union all select value + 1 from n where value < 3000) select "
        "'c' || value, type, status, list_id, recipients, json_set(settings, '$.title', 'old news'), tracking, "
        "'2020-01-01T00:00:00+00:00' from campaigns, n"
    )
    world.told("/sandbox/calls", method="DELETE")
    assert world.look() == []
    assert world.told("/sandbox/calls")["total"] == 1


def test_what_mailchimps_report_is_late_with_is_taken_from_the_waves_tag(world, older):
    with older() as later:
        wave_id = world.run("draft").plan.wave_id
        [(campaign_id,)] = world.in_mailchimp("select id from campaigns")
        world.gateway.send(campaign_id)
        while world.gateway.status(campaign_id) != "sent":
            pass
    [again] = later
    late = world.in_mailchimp("select * from emails where email_address = ?", READERS[2])
    world.in_mailchimp("delete from emails where email_address = ?", READERS[2])
    assert again.look() == [wave_id]
    assert again.claims() == {**ALL_SENT, READERS[2]: None}
    assert again.states() == ["sent"]
    world.in_mailchimp(f"insert into emails values ({', '.join('?' * len(late[0]))})", *late[0])
    again.run()
    assert again.mailed() == ONCE_EACH
    assert again.claims() == ALL_SENT
    assert again.ledger.wave(wave_id).state == "settled"


def test_without_the_tag_nothing_happens_before_mailchimps_report_is_complete(world, older):
    with older() as later:
        world.run()
    late = world.in_mailchimp("select * from emails where email_address = ?", READERS[2])
    world.in_mailchimp("delete from emails where email_address = ?", READERS[2])
    with pytest.raises(MailchimpUnknown, match="does not name 1 of those it was sent to yet"):
        later[0].look()
    assert later[0].ledger.waves() == []
    world.in_mailchimp(f"insert into emails values ({', '.join('?' * len(late[0]))})", *late[0])
    later[0].look()
    assert later[0].claims() == ALL_SENT


def test_whoever_changed_address_counts_as_the_same_contact(world, older):
    world.build("ann@new.test", moved=[("ann@new.test", READERS[0])])
    with older() as later:
        world.run()
    later[0].run()
    assert later[0].mailed() == {"ann@new.test": 1}
    [wave] = later[0].ledger.waves(states=["settled"])
    [[row]] = later[0].ledger.recipients(wave.wave_id)
    assert row.contact_id == world.contact(READERS[0]) != world.contact("ann@new.test")


class Kill(BaseException):
    """As sudden as SIGKILL as far as our code can see: nothing of ours catches it."""


class Stops:
    """Does something at the n-th point it comes by; by default it dies there."""

    def __init__(self, at=None, then=None):
        self.left = at
        self.seen = 0
        self.then = then

    def point(self):
        self.seen += 1
        if self.left == self.seen:
            if self.then is None:
                raise Kill
            self.then()


class StoppingGateway:
    """A gateway with a point before each call, and one after it."""

    def __init__(self, gateway, stops):
        self._gateway = gateway
        self._stops = stops

    def __getattr__(self, name):
        method = getattr(self._gateway, name)
        if name == "in_parallel" or not callable(method):
            return method

        def call(*args, **kwargs):
            self._stops.point()
            answer = method(*args, **kwargs)
            self._stops.point()
            return answer

        return call


class StoppingLedger(Ledger):
    """A ledger with a point before each of its transactions, and one right after its commit."""

    stops = Stops()

    @contextmanager
    def _writing(self):
        self.stops.point()
        with super()._writing() as con:
            yield con
        self.stops.point()


def test_killed_anywhere_while_it_adopts_it_goes_on_where_it_was(world, tmp_path):
    back_up(world.settings, world.services.warehouse, tmp_path / "backup")
    world.run()
    drafted = world.build(*READERS, "dan@shop.test").run("draft").plan.wave_id
    again = world.restored(tmp_path / "backup", tmp_path / "again")
    for number in range(1, 200, 6):  # every sixth, so that it takes seconds: neighbours are alike
        for file in again.settings.data_dir.glob("ledger.sqlite*"):
            file.unlink()
        world.in_mailchimp("update campaigns set is_deleted = 0")
        ledger, stops = StoppingLedger(again.settings), Stops(number)
        ledger.stops = stops
        try:
            again.look(ledger=ledger, gateway=StoppingGateway(again.gateway, stops))
        except Kill:
            again.ledger = Ledger(again.settings)
            again.look()
        assert again.claims().keys() == ALL_SENT.keys(), f"killed at point {number}"
        assert again.states() in (["settled", "cancelled"], ["sent", "cancelled"]), f"killed at point {number}"
        assert again.gateway.find_campaigns(f"pennypost {drafted}") == [], f"killed at point {number}"
        if stops.seen < number:
            break
    assert number > 24


def test_two_ledgers_on_one_audience_write_to_nobody_twice_wherever_they_cross(world, tmp_path):
    other = World(tmp_path / "other", world.url)
    ours = world.gateway
    for number in range(1, 200, 23):  # every 23rd, so that it takes seconds: neighbours are alike
        both, mine, theirs = (f"{name}{number}@shop.test" for name in ("both", "mine", "theirs"))
        world.build(both, mine)
        other.build(both, theirs)
        stops = Stops(number, then=lambda: other.tried())
        world.services.__dict__["gateway"] = StoppingGateway(ours, stops)
        world.tried()
        world.services.__dict__["gateway"] = ours
        for one in (other, world):
            one.tried("cancel")
            one.tried()
        mailed = {address: count for address, count in world.mailed().items() if f"{number}@" in address}
        assert mailed == {both: 1, mine: 1, theirs: 1}, f"crossed at point {number}"
        if stops.seen < number:
            break
    assert number > 50
