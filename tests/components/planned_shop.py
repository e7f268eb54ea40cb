"""A warehouse whose segments the test writes itself, and a ledger: for tests of planning."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from orchestration.components.planning import plan
from orchestration.core.campaign import Campaign, Trigger
from orchestration.resources.ledger import Ledger
from orchestration.resources.ledger_planning import tally_of
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings
from tests.written_tables import write_tables

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
TABLES = """
create table if not exists lake.marts.contacts (
    contact_id uuid, email varchar, first_name varchar, is_subscribed boolean, basis varchar,
    is_suppressed boolean, is_professional boolean);
create table if not exists lake.marts.segment_members (
    contact_id uuid, segment varchar, reason varchar, entered_at timestamptz);
create table if not exists lake.marts.segment_history (contact_id uuid, segment varchar);
create table if not exists lake.marts.recommended_articles (
    contact_id uuid, rank bigint, article_id varchar, reason varchar);
create table if not exists lake.marts.orders (contact_id uuid, skus varchar[], is_void boolean);
create table if not exists lake.intermediate.int_bought_together (sku varchar, related_sku varchar, score double);
create table if not exists lake.staging.stg_products (
    sku varchar, product_name varchar, url varchar, price decimal(18, 2), currency varchar, in_stock boolean);
create table if not exists lake.staging.stg_policy_checks (kind varchar, item_id varchar, is_barred boolean);
create table if not exists lake.intermediate.int_address_owners (
    address_id uuid, contact_id uuid, owned_from timestamptz, owned_until timestamptz);
create table if not exists lake.intermediate.int_consents (contact_id uuid, last_answered_at timestamptz);
create table if not exists lake.intermediate.int_articles (article_id varchar, url varchar, title varchar, summary varchar);
"""


class Shop:
    """A warehouse with a segment in it, and a ledger."""

    def __init__(self, data_dir):
        env = {"DATA_DIR": str(data_dir), "AS_OF": NOW.isoformat(), "BACKLOG": "send", "QUIET_HOURS": "21-07"}
        self.settings = Settings.from_env(env)
        self.warehouse = Warehouse(self.settings)
        self.ledger = Ledger(self.settings)
        self.people = []
        self.together = []
        self.out_of_stock = set()
        self.barred = set()

    def person(self, *, entered_at=NOW, articles=(), segment="new_subscribers", **facts):
        """One more contact in the segment; gives their id. `articles` are named, or (name, reason); `bought` are SKUs."""
        contact_id = UUID(int=len(self.people) + 1)
        standard = {
            "email": f"p{contact_id.int}@mail.test",
            "is_subscribed": True,
            "basis": "consent",
            "is_suppressed": False,
            "is_professional": False,
            "answered_at": NOW,
        }
        self.people.append((contact_id, segment, entered_at, articles, standard | facts))
        return str(contact_id)

    def build(self, number=1):
        """Write the people there are now into the tables, and record them as a tested build."""
        contacts, consents, members, recommended, orders, articles = [], [], [], [], [], set()
        for contact_id, segment, entered_at, reading, facts in self.people:
            contacts.append(
                [
                    contact_id,
                    facts["email"],
                    "Ada",
                    *(facts[name] for name in ("is_subscribed", "basis", "is_suppressed", "is_professional")),
                ]
            )
            consents.append([contact_id, facts["answered_at"]])
            members.append([contact_id, segment, f"because of e{contact_id.int}", entered_at])
            told = [one if isinstance(one, tuple) else (one, "read_together") for one in reading]
            recommended += [[contact_id, rank, article, why] for rank, (article, why) in enumerate(told, 1)]
            articles |= {article for article, _ in told}
            if "bought" in facts:
                orders.append([contact_id, facts["bought"], False])
        skus = sorted({sku for pair in self.together for sku in pair[:2]})
        rows = {
            "marts.contacts": contacts,
            "intermediate.int_consents": consents,
            "marts.segment_members": members,
            "marts.recommended_articles": recommended,
            "marts.orders": orders,
            "intermediate.int_bought_together": [list(pair) for pair in self.together],
            "staging.stg_products": [
                [sku, f"The {sku}", f"https://shop.test/{sku}", "28.00", "GBP", sku not in self.out_of_stock]
                for sku in skus
            ],
            "staging.stg_policy_checks": [["product", sku, sku in self.barred] for sku in skus],
            "intermediate.int_articles": [[a, f"https://shop.test/{a}", f"About {a}", ""] for a in sorted(articles)],
        }
        with self.warehouse.writer() as con:
            write_tables(con, TABLES, rows)
            self.warehouse.record_build(con, build_id=f"b{number}", build_no=number, as_of=NOW)

    def plan(self, campaign, **changes):
        settings = replace(self.settings, **changes)
        return plan(settings, self.ledger, self.warehouse, campaign, who="test", why="a test")

    def decided(self, planned):
        """What a plan came to for each: as this wave has it, or one before it, after which whoever was claimed had it already."""
        found = {}
        for wave in self.ledger.waves(planned.campaign):
            for row in (row for batch in self.ledger.recipients(wave.wave_id) for row in batch):
                is_claim = row.outcome in ("recipient", "holdout") and not row.released
                before = is_claim and wave.wave_id != planned.wave_id
                found[row.contact_id] = ("excluded", "already_sent") if before else (row.outcome, row.reason)
        assert Counter(found.values()) == +tally_of(planned.counts)
        return found

    def send(self, planned, at=NOW):
        """What delivery does to the ledger in the end."""
        self.ledger.set_draft(
            planned.wave_id,
            audience_hash="a",
            draft_hash="d",
            mailchimp_campaign_id="c",
            mailchimp_web_id=1,
            mailchimp_segment_id=1,
            who="test",
            why="",
            at=at,
        )
        self.ledger.approve(planned.wave_id, "d", "test", at)
        for state in ("sending", "sent", "settled"):
            self.ledger.move(planned.wave_id, state, who="test", why="", at=at)


def campaign(**changes):
    fields = {
        "name": "welcome",
        "description": "a test",
        "segment": "new_subscribers",
        "trigger": Trigger(when="hand"),
        "template": "welcome",
        "subject": "s",
        "preheader": "p",
        "priority": 1,
    }
    return Campaign(**(fields | changes))
