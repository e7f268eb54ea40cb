import json
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pyarrow as pa
import pytest

from orchestration.components.campaign_run import run_campaign
from orchestration.components.catalogue import all_campaigns
from orchestration.components.delivery import resume
from orchestration.components.delivery_audience import Waits
from orchestration.components.sending import switch
from orchestration.components.services import Services
from orchestration.core.campaign import Campaign, Rendered, Trigger
from orchestration.core.identity import address_id
from orchestration.core.signup import Signup
from orchestration.core.wave import WaveDraft, new_wave_id
from orchestration.resources.keys import contact_key
from orchestration.resources.ledger import Ledger
from orchestration.resources.mailchimp import Gateway
from orchestration.resources.mailchimp_calls import Pauses
from orchestration.sandbox.server import running
from orchestration.settings import Settings

AS_OF = datetime(2026, 11, 22, 8, tzinfo=UTC)
WAITS = Waits(poll=0.01, create_limit=0.05, send_limit=0.05, sent_limit=10, report_limit=5, lock=0.2)
COLUMNS = pa.schema(
    [
        ("contact_id", pa.string()),
        ("entry", pa.int64()),
        *((name, pa.string()) for name in ("outcome", "reason", "evidence", "email", "first_name", "slots")),
    ]
)
CARD = {"article_id": "a", "url": "https://shop.test/a", "summary": "About it."}


class PlainRenderer:
    """The smallest email that Mailchimp takes, with each reader's own card."""

    def render(self, campaign, *, wave_id, content, as_of, send_at):
        cards = "".join(f"*|IF:ART1={card.code}|*{card.title}*|END:IF|*" for slot in content.articles for card in slot)
        foot = "*|LIST:ADDRESSLINE|* *|UNSUB|*"
        html = f"<html><body><p>Hello *|FNAME|*</p><p>{cards}</p><p>{foot}</p></body></html>"
        text = f"Hello *|FNAME|*\n{cards}\n{foot}"
        return Rendered(subject=campaign.subject, preheader=campaign.preheader, html=html, text=text)


@dataclass
class Shop:
    """A ledger and a sandbox, and what a caller of delivery has at hand."""

    settings: Settings
    ledger: Ledger
    gateway: Gateway
    url: str
    waits: Waits = WAITS
    renderer: PlainRenderer = field(default_factory=PlainRenderer)
    campaign: Campaign = field(
        default_factory=lambda: Campaign(
            name="welcome",
            description="a test",
            segment="new_subscribers",
            trigger=Trigger(when="hand"),
            template="welcome",
            subject="Hello",
            preheader="And welcome",
            approval="automatic",
            priority=1,
        )
    )
    unwilling: set[str] = field(default_factory=set)
    signups: dict[str, Signup] = field(default_factory=dict)

    def plan(self, *addresses):
        """Plan a wave to these addresses; the contact of each is found by `contact`."""
        wave = WaveDraft(
            wave_id=new_wave_id(AS_OF),
            campaign=self.campaign.name,
            as_of=AS_OF,
            build_id="b1",
            snapshot_id=1,
            created_at=AS_OF,
            who="test",
            why="a test",
            content={
                "articles": [
                    [{**CARD, "code": "aaaaaaaaaa", "title": "Even"}, {**CARD, "code": "bbbbbbbbbb", "title": "Odd"}]
                ]
            },
        )
        slots = ['{"ART1": "aaaaaaaaaa"}', '{"ART1": "bbbbbbbbbb"}']
        rows = [
            (str(uuid4()), 1, "recipient", None, "e1", address, "Ann", slots[number % 2])
            for number, address in enumerate(addresses)
        ]
        table = pa.Table.from_pylist([dict(zip(COLUMNS.names, row, strict=True)) for row in rows], COLUMNS)
        with self.ledger.planning(wave.campaign) as planning:
            planning.write(wave, table.to_batches())
        return wave.wave_id

    def still_addressable(self, contact_ids):
        assert all(UUID(contact_id) for contact_id in contact_ids)
        return contact_ids - self.unwilling

    def signed_up(self, contact_ids):
        """From `signups`, address → Signup."""
        people = (
            one for wave in self.ledger.waves() for batch in self.ledger.recipients(wave.wave_id) for one in batch
        )
        return {
            one.contact_id: self.signups[one.email]
            for one in people
            if one.contact_id in contact_ids and one.email in self.signups
        }

    def resume(self, wave_id, *, ledger=None, gateway=None):
        return resume(
            self.settings,
            ledger or self.ledger,
            gateway or self.gateway,
            self.renderer,
            self.campaign,
            wave_id,
            "test",
            still_addressable=self.still_addressable,
            signed_up=self.signed_up,
            waits=self.waits,
        )

    def outbox(self, wave_id=None):
        with urllib.request.urlopen(f"{self.url}/outbox.json") as answer:  # noqa: S310, an address of our own
            emails = json.load(answer)
        return [email for email in emails if wave_id is None or wave_id in email["title"]]

    def mailed(self, wave_id=None):
        return sorted(email["to"] for email in self.outbox(wave_id))

    def outcomes(self, wave_id):
        """address → what the ledger says became of its contact."""
        return {
            one.email: one.delivery or one.reason or one.outcome
            for batch in self.ledger.recipients(wave_id)
            for one in batch
        }

    def contact(self, wave_id, address):
        [contact_id] = [
            one.contact_id for batch in self.ledger.recipients(wave_id) for one in batch if one.email == address
        ]
        return contact_id


@pytest.fixture
def open_shop(tmp_path):
    """A shop whose Mailchimp goes by the clock it is given."""
    with ExitStack() as stack:

        def opened(mailchimp_now=lambda: datetime.now(UTC)):
            url = stack.enter_context(running(tmp_path / "sandbox.sqlite", now=mailchimp_now))
            env = {"DATA_DIR": str(tmp_path), "SANDBOX_PORT": url.rpartition(":")[2], "AS_OF": AS_OF.isoformat()}
            settings = Settings.from_env(env)
            return Shop(settings, Ledger(settings), Gateway(settings, Pauses(0.01, 0.05, 4)), url)

        yield opened


@pytest.fixture
def shop(open_shop):
    return open_shop()


[WELCOME] = [campaign for campaign in all_campaigns() if campaign.name == "welcome"]
TABLES = """
create table lake.marts.contacts (
    contact_id uuid, email varchar, first_name varchar, is_subscribed boolean, basis varchar, is_suppressed boolean,
    is_addressable boolean, is_professional boolean
);
create table lake.marts.segment_members (contact_id uuid, segment varchar, reason varchar, entered_at timestamptz);
create table lake.marts.segment_history (contact_id uuid);
create table lake.intermediate.int_address_owners (
    address_id uuid, contact_id uuid, owned_from timestamptz, owned_until timestamptz);
create table lake.intermediate.int_consents (contact_id uuid, last_answered_at timestamptz);
create table lake.intermediate.int_signups (email varchar, occurred_at timestamptz, signup_action varchar, event_id varchar);
"""


class World:
    """A shop with a complete build, in which these people are new subscribers, and a sandbox."""

    def __init__(self, shop, **env):
        self.shop = shop
        env |= {"DATA_DIR": str(shop.settings.data_dir), "SANDBOX_PORT": str(shop.settings.sandbox_port)}
        settings = Settings.from_env({**env, "AS_OF": AS_OF.isoformat(), "BACKLOG": "send", "QUIET_HOURS": "off"})
        self.services = Services(settings)
        self.services.__dict__["gateway"] = Gateway(settings, Pauses(0.01, 0.05, 4))
        self.ledger = self.services.ledger

    def build(self, *addresses):
        with self.services.warehouse.writer() as con:
            con.execute(TABLES)
            for address in addresses:
                one = self.contact(address)
                con.execute(
                    "insert into lake.marts.contacts values (?, ?, 'Ann', true, 'consent', false, true, false)",
                    [one, address],
                )
                con.execute(
                    "insert into lake.marts.segment_members values (?, 'new_subscribers', 'e1', ?)", [one, AS_OF]
                )
                con.execute("insert into lake.intermediate.int_consents values (?, ?)", [one, AS_OF])
            self.services.warehouse.record_build(con, build_id="b", build_no=1, as_of=AS_OF)
        return self

    def contact(self, address):
        return address_id(address, contact_key(self.services.settings))

    def run(self, action, approve=None, campaign=WELCOME):
        return run_campaign(self.services, campaign, action, who="test", approve=approve)

    def switch(self, action):
        switch(self.ledger, action, who="Mia", why="wrong prices", now=AS_OF)

    def says_no(self, address, objection):
        self.ledger.record_objections([(self.contact(address), objection, AS_OF)])


@pytest.fixture
def world(shop):
    """A shop with a complete build in which Ann and Bob are new subscribers, and its one campaign is the welcome."""
    return World(shop).build("ann@shop.test", "bob@shop.test")
