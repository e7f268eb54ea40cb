"""A small shop whose three campaigns are planned, drafted and sent for once, to readers who each show something.

Its tables of models are written here, not built: what is held against the gates is what planning, the ledger, the renderer,
delivery and the sandbox make of them. Articles and products are the demo shop's.
"""

import json
import random
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from orchestration.components.campaign_run import CampaignRun, run_campaign
from orchestration.components.catalogue import all_campaigns
from orchestration.components.services import Services
from orchestration.core.campaign import Content, expected_send
from orchestration.core.preference_link import preference_token
from orchestration.demo.catalogue import articles, products
from orchestration.sandbox.server import running
from orchestration.settings import Settings
from tests.emails.gates import Mail

SHOWN = (
    "new-with-name",
    "new-without-name",
    "buyer-three-products",
    "buyer-no-products",
    "reader-three-articles",
    "reader-two-articles",
)
AS_OF = datetime(2026, 11, 25, 10, tzinfo=UTC)  # a Wednesday morning: same-day dispatch holds
CROWD = 1000
PREFERENCES = {"COLLECTOR_URL": "https://events.larkspur-skin.test", "PREFERENCES_KEY": "the key of these emails"}
# Its title names what may not be advertised, or its text does: no article for an email to the public.
BARRED = ("botox", "mesotherapy", "melasma")
TABLES = """
create table lake.marts.contacts (
    contact_id uuid, email varchar, first_name varchar, is_subscribed boolean, basis varchar, is_suppressed boolean,
    is_addressable boolean, is_professional boolean);
create table lake.marts.segment_members (contact_id uuid, segment varchar, reason varchar, entered_at timestamptz);
create table lake.marts.segment_history (contact_id uuid);
create table lake.marts.recommended_articles (contact_id uuid, rank bigint, article_id varchar, reason varchar);
create table lake.marts.orders (contact_id uuid, skus varchar[], is_void boolean);
create table lake.intermediate.int_address_owners (
    address_id uuid, contact_id uuid, owned_from timestamptz, owned_until timestamptz);
create table lake.intermediate.int_consents (contact_id uuid, last_answered_at timestamptz);
create table lake.intermediate.int_signups (email varchar, occurred_at timestamptz, signup_action varchar, event_id varchar);
create table lake.intermediate.int_articles (article_id varchar, url varchar, title varchar, summary varchar);
create table lake.intermediate.int_bought_together (sku varchar, related_sku varchar, score double);
create table lake.staging.stg_products (
    sku varchar, product_name varchar, url varchar, price decimal(18, 2), currency varchar, in_stock boolean);
create table lake.staging.stg_policy_checks (kind varchar, item_id varchar, is_barred boolean);
"""


@dataclass
class Reader:
    """Somebody in a segment. `reading` are (article id, reason) in order of rank; `bought` are SKUs."""

    name: str
    segment: str
    first_name: str | None = None
    reading: list[tuple[str, str]] = field(default_factory=list)
    bought: list[str] = field(default_factory=list)

    @property
    def email(self) -> str:
        return f"{self.name}@mail.test"


@dataclass
class Mailing:
    """What went out. `mails` are by reader's name, as the sandbox shows them; `runs` by campaign."""

    services: Services
    url: str
    readers: dict[str, Reader]
    runs: dict[str, CampaignRun]
    entries: dict[str, dict]

    def mail(self, name: str) -> Mail:
        entry = self.entries[self.readers[name].email]
        return Mail(name, entry["subject"], _get(entry["html_url"]), _get(entry["text_url"]))

    def links_of(self, name: str) -> dict[str, str]:
        """The reader's own links: to leave, the sandbox's page; to the preferences, ours."""
        email = self.readers[name].email
        token = preference_token(email, PREFERENCES["PREFERENCES_KEY"])
        return {
            "unsubscribe": f"{self.entries[email]['html_url']}/unsubscribe",
            "preferences": f"{PREFERENCES['COLLECTOR_URL']}/preferences/{token}",
        }

    def of_the_crowd(self, *, articles_shown: int, has_name: bool) -> Reader:
        """The first of the crowd like that."""
        for reader in self.readers.values():
            fields = self.entries.get(reader.email, {}).get("merge_fields", {})
            shown = sum(field.startswith("ART") for field in fields)
            if shown == articles_shown and bool(reader.first_name) == has_name:
                return reader
        raise LookupError(f"nobody sees {articles_shown} articles")

    def markup(self, campaign_name: str) -> str:
        """The MJML of a campaign's wave."""
        [campaign] = [one for one in all_campaigns() if one.name == campaign_name]
        [wave] = self.runs[campaign_name].waves
        return self.services.renderer.markup(
            campaign,
            wave_id=wave.wave_id,
            content=Content.of(wave.content),
            as_of=wave.as_of,
            send_at=expected_send(campaign, AS_OF),
        )


def _readers(crowd: int) -> list[Reader]:
    """Some in each segment, and a crowd of random ones with reading of their own."""
    shelf = [
        one.article_id
        for one in articles().values()
        if one.status == "publish" and not any(word in one.slug for word in BARRED)
    ]
    draw = random.Random("readers")  # noqa: S311, made-up readers need no secrecy
    reasons = ["read_together", "similar_text", "popular", "new"]

    def taste(many: int) -> list[tuple[str, str]]:
        why = draw.sample(reasons, len(reasons))
        return [(article, why[rank % len(why)]) for rank, article in enumerate(draw.sample(shelf, many))]

    bought, reading = "high_value_free_delivery", "treatment_readers"
    return [
        Reader("new-with-name", "new_subscribers", "Amira"),
        Reader("new-without-name", "new_subscribers"),
        Reader("buyer-three-products", bought, "Amira", bought=["LS-LED-01"]),
        Reader("buyer-no-products", bought, bought=["LS-GIF-01"]),
        *(
            Reader(f"crowd-{number}", reading, "Amira" if number % 2 else None, taste(draw.randint(2, 10)))
            for number in range(crowd)
        ),
    ]


@contextmanager
def mailed(data_dir: Path, crowd: int = CROWD) -> Iterator[Mailing]:
    """Everybody's email is sent, and the sandbox that shows them stands as long as the block lasts."""
    with running(data_dir / "sandbox.sqlite", now=lambda: AS_OF) as url:
        env = {"DATA_DIR": str(data_dir), "SANDBOX_PORT": url.rpartition(":")[2], "AS_OF": AS_OF.isoformat()}
        services = Services(Settings.from_env({**env, **PREFERENCES, "BACKLOG": "send", "QUIET_HOURS": "off"}))
        people = _readers(crowd)
        _write_tables(services, people)
        runs = {one.name: run_campaign(services, one, "send", who="gates") for one in all_campaigns()}
        entries = {entry["to"]: entry for entry in json.loads(_get(f"{url}/outbox.json"))}
        found = Mailing(services, url, {one.name: one for one in people}, runs, entries)
        found.readers["reader-three-articles"] = found.of_the_crowd(articles_shown=3, has_name=True)
        found.readers["reader-two-articles"] = found.of_the_crowd(articles_shown=2, has_name=False)
        yield found


def contact_id(number: int) -> UUID:
    return UUID(int=number + 1)


def _write_tables(services: Services, people: list[Reader]) -> None:
    since = AS_OF - timedelta(days=1)
    together = [
        ("LS-LED-01", sku, score) for sku, score in (("LS-LED-04", 0.9), ("LS-SER-03", 0.5), ("LS-CRE-01", 0.4))
    ]
    known = [(contact_id(number), one) for number, one in enumerate(people)]
    rows = {
        "marts.contacts": [(i, p.email, p.first_name, True, "consent", False, True, False) for i, p in known],
        "marts.segment_members": [(i, p.segment, "for the gates", since) for i, p in known],
        "intermediate.int_consents": [(i, since) for i, _ in known],
        "marts.recommended_articles": [
            (i, rank, article, why) for i, p in known for rank, (article, why) in enumerate(p.reading, 1)
        ],
        "marts.orders": [(i, p.bought, False) for i, p in known if p.bought],
        "intermediate.int_articles": [(a.article_id, a.url, a.title, a.summary) for a in articles().values()],
        "intermediate.int_bought_together": together,
        "staging.stg_products": [
            (p.sku, p.name, p.row()["url"], p.price, "GBP", p.in_stock) for p in products().values()
        ],
        "staging.stg_policy_checks": [("product", sku, False) for sku in products()],
    }
    with services.warehouse.writer() as con:
        con.execute(TABLES)
        con.execute("begin")
        for table, values in rows.items():
            for start in range(0, len(values), 500):
                some = values[start : start + 500]
                marks = ", ".join(["(" + ", ".join("?" * len(some[0])) + ")"] * len(some))
                con.execute(f"insert into lake.{table} values {marks}", [cell for row in some for cell in row])
        con.execute("commit")
        services.warehouse.record_build(con, build_id="b1", build_no=1, as_of=AS_OF)


def _get(url: str) -> str:
    with urllib.request.urlopen(url) as answer:  # noqa: S310, an address of our own
        return answer.read().decode()
