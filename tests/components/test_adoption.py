"""What Mailchimp knows and the ledger doesn't, after a restore of an older state or with a ledger begun anew.

A real warehouse with tables the test writes, the campaign `welcome` as it ships, the sandbox over HTTP. A restored world is another
DATA_DIR made from a backup of the first, on the same sandbox.
"""

import json
import urllib.request
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from orchestration.components import delivery
from orchestration.components.adoption import Adoption
from orchestration.components.campaign_run import run_campaign
from orchestration.components.catalogue import all_campaigns
from orchestration.components.delivery_audience import Waits
from orchestration.components.planning import plan
from orchestration.components.services import Services
from orchestration.core.errors import MailchimpUnknown, NotReadyToSend
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
    is_suppressed boolean, is_addressable boolean);
create or replace table lake.marts.segment_members (
    contact_id uuid, segment varchar, reason varchar, entered_at timestamptz);
create or replace table lake.marts.segment_history (contact_id uuid, segment varchar);
create or replace table lake.intermediate.int_consents (contact_id uuid, last_answered_at timestamptz);
create or replace table lake.intermediate.int_signups (email varchar, occurred_at timestamptz, signup_action varchar);
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
                    "insert into lake.marts.contacts values (?, ?, 'Ann', true, 'consent', false, true)",
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

    def planned(self):
        return plan(self.settings, self.ledger, self.services.warehouse, WELCOME, who="test", why="a test").wave_id

    def look(self, **waits):
        waits = replace(Waits(poll=0.01, create_limit=0.05, report_limit=0.1, lock=5), **waits)
        return Adoption(self.settings, self.ledger, self.gateway, self.services.warehouse, "test", waits).look()

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
