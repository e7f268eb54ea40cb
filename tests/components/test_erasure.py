"""A person is erased from a small shop in which every kind of file has said their addresses.

The world is built once: a shop of forty people, ingested, modelled, written to; then Zoe is erased by the Dagster job, with her
address as launch setting; then her old files come again, with a late event; then she signs up anew.
"""

import gzip
import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.commands.erase import shown
from orchestration.components.campaign_run import run_campaign
from orchestration.components.catalogue import all_campaigns
from orchestration.components.erasure import erase
from orchestration.components.services import Services
from orchestration.components.why import explain
from orchestration.core.identity import address_id
from orchestration.core.preference_link import preference_token
from orchestration.defs.housekeeping.erase import erase_job
from orchestration.resources import models
from orchestration.resources.deliveries import land_deliveries
from orchestration.resources.keys import contact_key
from orchestration.resources.landing import ingest
from orchestration.resources.landing_look import look
from orchestration.resources.rejects import Rejects
from orchestration.sandbox.server import running
from orchestration.settings import Settings

AS_OF = datetime(2026, 11, 20, 9, tzinfo=UTC)
ZOE, ZOE_NEW = "zoe.quill@mail.test", "z.quill@new-home.test"
ADDRESSES = (ZOE, ZOE_NEW)
KEY = "a key of links"
TOKENS = tuple(preference_token(address, KEY).lower() for address in ADDRESSES)
SUMS = "select count(*), sum(total), sum(subtotal), sum(goods_paid), sum(tax) from marts.orders"
PUBLIC = ("contacts", "orders", "segment_members", "segment_history", "recommended_articles", "campaign_deliveries")


def at(days: float) -> str:
    return (AS_OF - timedelta(days=days)).isoformat()


def signup(number, days, email, **said):
    row = {"event_id": f"s-{number}", "occurred_at": at(days), "email": email, "action": "subscribe", "source": "form"}
    consents = {"profiling_consent": True, "tracking_consent": True, "first_name": "Ann"}
    return row | {"basis": "consent", "interests": []} | consents | said


def order(number, days, email, subtotal, **said):
    row = {"event_id": f"o-{number}", "occurred_at": at(days), "order_id": f"n-{number}", "status": "completed"}
    money = {"subtotal": subtotal, "discount": 0, "shipping": 0, "tax": "3.10", "total": subtotal, "refunded": 0}
    lines = [{"line_id": "1", "sku": "S1", "name": "Serum", "quantity": 1, "unit_price": subtotal}]
    who = {
        "placed_at": at(days),
        "email": email,
        "customer_id": f"account-{number}",
        "currency": "GBP",
        "country": "GB",
    }
    return row | who | money | {"coupon_codes": [], "lines": lines} | said


def view(number, days, article, device, email=None):
    row = {
        "event_id": f"v-{number}",
        "occurred_at": at(days),
        "article_id": article,
        "url": f"https://x.test/{article}",
    }
    return row | {"visitor_id": device, "email": email, "tracking_consent": True}


def article(name):
    row = {"article_id": name, "url": f"https://x.test/{name}", "title": name, "summary": "s", "body": "b"}
    return row | {"treatments": ["peel"], "published_at": at(300), "status": "publish"}


def put(path: Path, content: bytes | list[dict]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, list):
        content = "".join(json.dumps(row) + "\n" for row in content).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def put_csv(path: Path, rows: list[dict]) -> None:
    told = [",".join(f'"{_csv(value)}"' for value in row.values()) for row in rows]
    put(path, "\n".join([",".join(rows[0]), *told, ""]).encode())


def _csv(value) -> str:
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value)
    return text.replace('"', '""')


def everybody(landing: Path) -> None:
    """Forty people and Zoe, who changed her address, shares a device with p1, and told one thing that can't be read."""
    people = [f"p{number}@mail.test" for number in range(40)]
    put(landing / "articles/a.jsonl", [article(name) for name in ("peel-1", "peel-2", "peel-3", "peel-4")])
    put(
        landing / "signups/a.jsonl",
        [
            *(signup(number, 20, email) for number, email in enumerate(people)),
            signup("z1", 19, "  Zoe.Quill@Mail.TEST ", first_name="Zoe", visitor_id="device-z", phone="07700 900123"),
            signup("z-bad", 19, ZOE, occurred_at="last Tuesday"),
        ],
    )
    moved = signup("z2", 9, ZOE_NEW, action="update_preferences", previous_email=ZOE, basis=None)
    put(landing / "signups/b.jsonl.gz", [signup("late", 9, "p40@mail.test"), moved])
    put_csv(
        landing / "orders/a.csv",
        [
            *(order(number, 15, email, "120.00") for number, email in enumerate(people[:20])),
            order("z1", 14, ZOE, "150.00"),
            order("z1", 13, None, "150.00", event_id="o-z1b", refunded="20.00", customer_id="account-z1"),
        ],
    )
    orders = [order(f"q{number}", 8, email, "35.50") for number, email in enumerate(people[20:])]
    table = pa.Table.from_pylist([*orders, order("z2", 7, ZOE_NEW.upper(), "210.00") | {"phone": "07700 900123"}])
    pq.write_table(table, landing / "orders/b.parquet")
    put(
        landing / "article_views/a.jsonl.gz",
        [
            *(
                view(f"{number}-{n}", 5, f"peel-{n}", f"device-{number}", people[number])
                for number in range(12)
                for n in (1, 2)
            ),
            *(view(f"z{n}", 4, f"peel-{n}", "device-z", ZOE_NEW if n == 1 else None) for n in (1, 2, 3)),
            view("shared-z", 3, "peel-1", "device-1", ZOE_NEW),
            view("shared", 3, "peel-4", "device-1"),
            view("link", 3, "peel-4", "device-2", "p2@mail.test") | {"referrer": f"https://x.test/?to={ZOE}"},
        ],
    )


def holding(data_dir: Path, words: tuple[str, ...]) -> set[str]:
    """The files under a folder that say one of the words, in any case; gzip and Parquet decoded, all others as bytes."""
    found = set()
    for path in (path for path in data_dir.rglob("*") if path.is_file()):
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        elif path.suffix == ".parquet":
            content += str(pq.read_table(path).to_pylist()).encode()
        if any(word.encode() in content.lower() for word in words):
            found.add(path.relative_to(data_dir).as_posix())
    return found


@dataclass
class World:
    services: Services
    before: set[str] = field(default_factory=set)
    after: set[str] = field(default_factory=set)
    told: dict = field(default_factory=dict)

    @property
    def data_dir(self) -> Path:
        return self.services.settings.data_dir

    @property
    def landing(self) -> Path:
        return self.services.settings.landing_dir

    def id(self, address: str) -> str:
        return address_id(address, contact_key(self.services.settings))

    def ingest(self):
        return ingest(self.services.settings, self.services.warehouse)

    def build(self, days: float = 0):
        models.build(self.services.settings, self.services.warehouse, AS_OF + timedelta(days=days))

    def rows(self, query: str, *values) -> list[tuple]:
        with self.services.warehouse.reader() as con:
            return con.execute(query, list(values)).fetchall()

    def marts(self) -> dict[str, set]:
        """Every row of the public tables but Zoe's, and what is hers of the orders."""
        zoe = self.id(ZOE)
        return {
            table: {str(row) for row in self.rows(f"from marts.{table} where contact_id is distinct from ?::uuid", zoe)}
            for table in PUBLIC
        }

    def known(self) -> bool:
        return self.rows("select count(*) from marts.contacts where contact_id = ?::uuid", self.id(ZOE)) != [(0,)]


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    data_dir = tmp_path_factory.mktemp("erasure")
    with running(data_dir / "sandbox.sqlite") as url, pytest.MonkeyPatch.context() as patch:
        env = {"DATA_DIR": str(data_dir), "SANDBOX_PORT": url.rpartition(":")[2], "AS_OF": AS_OF.isoformat()}
        env |= {"BACKLOG": "send", "QUIET_HOURS": "off", "PREFERENCES_KEY": KEY}
        for name, value in env.items():
            patch.setenv(name, value)
        world = World(Services(Settings.from_env(env)))
        everybody(world.landing)
        world.ingest()
        world.build()
        _write_to_everybody(world)
        _say_it_elsewhere(world)
        Rejects(world.services.settings, world.services.warehouse).hand_out("signups", "")
        world.before = holding(data_dir, ADDRESSES)
        world.told["links before"] = holding(data_dir, TOKENS)
        world.told["sums before"], world.told["marts before"] = world.rows(SUMS), world.marts()
        world.told["zoe before"] = world.rows(
            "select (select count(*) from marts.segment_members where contact_id = $1::uuid), "
            "(select count(*) from marts.segment_history where contact_id = $1::uuid), "
            "(select count(*) from marts.orders where contact_id = $1::uuid)",
            world.id(ZOE),
        )
        with dg.DagsterInstance.from_config(str(world.services.settings.dagster_home)) as instance:
            settings = {"ops": {"erase_contact": {"config": {"contact": " Zoe.QUILL@mail.test"}}}}
            assert erase_job.execute_in_process(instance=instance, run_config=settings).success
        world.after = holding(data_dir, (*ADDRESSES, *TOKENS))
        world.told["sums after"], world.told["marts after"] = world.rows(SUMS), world.marts()
        yield world


def _write_to_everybody(world: World) -> None:
    for campaign in all_campaigns():
        run_campaign(world.services, campaign, "send", who="test")
    land_deliveries(world.services.warehouse, world.services.ledger)


def _say_it_elsewhere(world: World) -> None:
    """In Dagster's storage, as somebody's launch setting, and in logs."""

    @dg.op(config_schema={"whom": str})
    def look():
        pass

    @dg.job
    def looking():
        look()

    home = world.services.settings.dagster_home
    home.mkdir()
    with dg.DagsterInstance.from_config(str(home)) as instance:
        looking.execute_in_process(instance=instance, run_config={"ops": {"look": {"config": {"whom": ZOE}}}})
    put(world.data_dir / "logs/dagster.log", f"a line\n12:00 {ZOE_NEW.title()} asked\n".encode())
    put(world.data_dir / "dbt/logs/dbt.log", f"select '{ZOE}'\n".encode())


KINDS = {
    "a landing file": "landing/signups/a.jsonl",
    "a packed landing file": "landing/signups/b.jsonl.gz",
    "a CSV landing file": "landing/orders/a.csv",
    "a Parquet landing file": "landing/orders/b.parquet",
    "the lake": "lake/",
    "the catalogue": "catalog.sqlite",
    "the ledger": "ledger.sqlite",
    "the sandbox": "sandbox.sqlite",
    "Dagster's runs": "dagster/history/runs.db",
    "a file of rejects to be mended": "mending/",
    "a log": "logs/dagster.log",
    "dbt's log": "dbt/logs/dbt.log",
}


def test_a_reject_of_theirs_is_no_longer_handed_out_to_be_mended(world):
    [handed_out] = (world.data_dir / "mending").glob("*.jsonl")
    assert "z-bad" not in handed_out.read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_before_the_erasure_each_kind_of_file_says_the_address(world, kind):
    assert [path for path in world.before if path.startswith(KINDS[kind])]


def test_her_link_to_the_preference_page_was_in_mailchimp_only(world):
    assert {path.removesuffix("-wal") for path in world.told["links before"]} == {"sandbox.sqlite"}


def test_after_it_no_file_says_her_address_or_has_her_link(world):
    assert world.after == set()


def test_the_orders_stay_and_their_sums_with_them_but_without_her(world):
    assert world.told["zoe before"][0][2] == 2
    assert world.told["sums before"] == world.told["sums after"]
    assert world.rows("select contact_id from marts.orders where order_id in ('n-z1', 'n-z2')") == [(None,), (None,)]


def test_of_everybody_else_not_a_row_changed(world):
    before, after = world.told["marts before"], world.told["marts after"]
    orders = {row for row in after["orders"] if "'n-z" in row}
    assert len(orders) == 2
    assert before == after | {"orders": after["orders"] - orders}


def test_she_was_in_the_models_before_and_nowhere_after(world):
    assert world.told["zoe before"][0][:2] >= (1, 1)
    assert not world.known()
    for table in ("segment_members", "segment_history", "recommended_articles"):
        assert world.rows(f"select * from marts.{table} where contact_id = ?::uuid", world.id(ZOE)) == []


def test_her_name_her_phone_and_what_she_ordered_with_are_gone_as_well(world):
    assert holding(world.data_dir / "landing", ("07700 900123", "zoe", "account-z1")) == set()
    assert world.rows("select count(*) from raw.orders where customer_id = 'account-z1'") == [(0,)]
    assert world.rows("select count(*) from raw.article_views where visitor_id = 'device-z'") == [(0,)]


def test_what_nobody_put_a_name_to_on_a_shared_device_is_not_the_others_now(world):
    assert world.rows("select count(*) from raw.article_views where event_id = 'v-shared'") == [(0,)]
    assert world.rows("select count(*) from raw.article_views where visitor_id = 'device-1'") == [(2,)]


def test_the_reject_stays_for_the_sums_with_its_reason_and_without_its_bytes(world):
    rejects = world.rows("select reason, original from raw.rejects")
    assert [(reason.split(":")[0], original) for reason, original in rejects] == [("occurred_at", None)]


def test_the_ledger_keeps_its_counts_and_says_erased(world):
    (wave, row), *_ = world.services.ledger.decisions_of(world.id(ZOE))
    assert (row.outcome, row.email, row.first_name, row.evidence, row.delivery) == (
        "recipient",
        None,
        None,
        "erased",
        "sent",
    )
    everyone = [one for batch in world.services.ledger.recipients(wave.wave_id) for one in batch]
    assert len(everyone) == wave.counts["segment_size"]
    assert sum(one.email is None for one in everyone if one.outcome == "recipient") == 1


def test_mailchimp_deleted_her_for_good(world):
    members = world.services.gateway.members_of(list(ADDRESSES))
    assert members == {}
    added = world.services.gateway.add_new_members([(ZOE_NEW, {})])
    assert added.created == set()
    assert len(added.refused) == 1


def test_the_receipt_says_what_was_removed_where_and_names_nobody(world):
    (path,) = (world.data_dir / "erasures").glob("*.json")
    receipt = json.loads(path.read_text())
    assert receipt["contact_ids"][0] == world.id(ZOE)
    removed = {(where, what): count for where, what, count in receipt["removed"]}
    assert removed["warehouse", "raw.signups"] == 2
    assert removed["warehouse", "raw.orders"] == 3
    assert removed["warehouse", "raw.rejects"] == 1
    assert removed["landing files", "files rewritten"] == 5
    assert removed["Mailchimp", "members deleted for good"] == 1
    assert removed["lake", "snapshots"] > 5
    assert "quill" not in path.read_text().lower()
    assert receipt["notes"] == []


def test_asked_about_her_the_answer_is_that_she_was_erased(world):
    answer = explain(world.services, ZOE, all_campaigns())
    assert "not known: erased; what they did before 2026-11-2" in answer
    assert "quill" not in answer
    assert "no event with this address" in explain(world.services, "nobody.ever@mail.test", all_campaigns())


def test_the_rewritten_files_are_not_taken_for_new_ones(world):
    assert look(world.services.settings, world.services.warehouse).new == []


def test_the_run_that_erased_keeps_its_settings_without_the_address(world):
    with closing(sqlite3.connect(world.services.settings.dagster_home / "history/runs.db")) as con:
        bodies = [body for (body,) in con.execute("select run_body from runs")]
    assert sum("(erased)" in body for body in bodies) == 2


@pytest.fixture(scope="module")
def again(world):
    """Her old files come once more under other names, with late events dated before the erasure, and models are built."""
    sums = world.rows(SUMS)
    everybody(world.data_dir / "as-it-was")
    for path in sorted((world.data_dir / "as-it-was").rglob("*")):
        if path.is_file():
            target = world.landing / path.relative_to(world.data_dir / "as-it-was")
            path.rename(target.with_name(f"again-{target.name}"))
    put(world.landing / "signups/late.jsonl", [signup("z-late", 3, ZOE), signup("z-late-2", 2, ZOE_NEW)])
    put(
        world.landing / "orders/late.jsonl",
        [order("z1", 1, ZOE, "150.00", event_id="o-z1c", placed_at=at(14), refunded=20)],
    )
    put(world.landing / "article_views/late.jsonl", [view("z-late", 1, "peel-4", "device-z")])
    world.told["again"] = world.ingest()
    world.build(1)
    world.told["sums again"] = sums
    return world


def test_her_old_files_and_late_events_do_not_bring_her_back(again):
    assert not again.known()
    assert again.rows("select count(*) from marts.contacts where email in (?, ?)", *ADDRESSES) == [(0,)]
    assert again.rows("select count(*) from raw.signups where email in (?, ?)", *ADDRESSES) == [(0,)]
    assert again.rows("select count(*) from raw.orders where email in (?, ?)", *ADDRESSES) == [(0,)]


def test_what_was_not_taken_in_is_counted(again):
    assert len(again.told["again"].duplicates) == 4  # the packed ones were packed anew, so they are read
    late = again.rows("select source, count(*) from raw.rejects where reason like '%erased%' group by all order by all")
    assert late == [("article_views", 6), ("signups", 3)]
    assert again.told["again"].per_source["orders"].unknown_fields == {"(of a person who was erased)": 1}


def test_sums_of_orders_are_as_before_also_after_models_were_built_again(again):
    assert again.rows(SUMS) == again.told["sums again"]


def test_erased_once_more_the_files_that_came_again_are_clean_too(again):
    assert holding(again.data_dir, ADDRESSES) != set()
    (receipt,) = erase(again.services, ZOE, who="test")
    assert holding(again.data_dir, ADDRESSES) == set()
    removed = {(where, what): count for where, what, count in receipt.removed}
    assert removed["landing files", "files rewritten"] == 9
    assert not any(what.startswith("marts.") or what == "raw.signups" for _, what in removed)
    assert look(again.services.settings, again.services.warehouse).new == []


def test_a_warehouse_made_anew_from_the_landing_files_forgets_her_too(again, tmp_path):
    shutil.copytree(again.landing, tmp_path / "landing")
    everybody(tmp_path / "landing")
    shutil.copytree(again.services.settings.keys_dir, tmp_path / "keys")
    settings = Settings.from_env({"DATA_DIR": str(tmp_path), "AS_OF": AS_OF.isoformat()})
    other = World(Services(settings))
    other.ingest()
    other.build(1)
    assert not other.known()
    assert other.rows(SUMS) == again.told["sums again"]
    seen = "select contact_id, order_count, is_addressable from marts.contacts order by 1"
    assert other.rows(seen) == again.rows(seen)


def test_an_address_that_nobody_has_is_told_from_somebody_who_was_erased(again):
    (receipt,) = erase(again.services, "zoe.qiull@mail.test", who="test")
    assert "look at its spelling" in receipt.notes[-1]
    assert "look at its spelling" in shown(receipt)


def test_her_own_signup_after_the_erasure_brings_her_back(again):
    put(again.landing / "signups/new.jsonl", [signup("z-new", -1.5, ZOE, first_name="Zoë")])
    again.ingest()
    again.build(2)
    (contact,) = again.rows(
        "select email, is_addressable, order_count, first_seen_at from marts.contacts where contact_id = ?::uuid",
        again.id(ZOE),
    )
    assert contact == (ZOE, True, 0, AS_OF + timedelta(days=1.5))
