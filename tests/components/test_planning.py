"""Who of a segment gets an email, and who does not and why, from models' tables that the test writes itself."""

import json
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from orchestration.components.planning import plan
from orchestration.core.campaign import Articles, Campaign, Offer, Products, Reentry, Trigger
from orchestration.core.errors import CampaignError, NoBuildYet
from orchestration.resources import ledger_file
from orchestration.resources.ledger import Ledger
from orchestration.resources.ledger_planning import tally_of
from orchestration.resources.models_version import note_segments
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings

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
            con.execute("begin")
            con.execute(TABLES)
            for table, values in rows.items():
                con.execute(f"delete from lake.{table}")
                if values:
                    marks = ", ".join(["(" + ", ".join("?" * len(values[0])) + ")"] * len(values))
                    con.execute(f"insert into lake.{table} values {marks}", [cell for row in values for cell in row])
            con.execute("commit")
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


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path)


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


def test_each_no_has_its_reason_and_the_counts_add_up(shop):
    expected = {
        shop.person(): ("recipient", None),
        shop.person(is_suppressed=True, is_subscribed=False): ("excluded", "suppressed"),
        shop.person(email=None, is_subscribed=False): ("excluded", "no_address"),
        shop.person(is_subscribed=False): ("excluded", "no_consent"),
        shop.person(basis=None): ("excluded", "no_consent"),
    }
    shop.build()
    planned = shop.plan(campaign())
    assert shop.decided(planned) == expected
    assert planned.counts == {
        "segment_size": 5,
        "recipient": 1,
        "holdout": 0,
        "excluded": {"no_address": 1, "no_consent": 2, "suppressed": 1},
        "deferred": {},
    }


def test_only_recipients_leave_their_address_in_the_ledger(shop):
    shop.person()
    shop.person(is_subscribed=False)
    shop.build()
    planned = shop.plan(campaign())
    rows = [row for batch in shop.ledger.recipients(planned.wave_id) for row in batch]
    assert [(row.outcome, row.email) for row in rows] == [("recipient", "p1@mail.test"), ("excluded", None)]
    assert [row.evidence for row in rows] == ["because of e1", "because of e2"]


def test_a_first_import_mails_nobody_unless_the_backlog_is_to_be_sent(shop):
    contact = shop.person(entered_at=NOW)
    shop.build()
    planned = shop.plan(campaign(), backlog="record")
    assert shop.decided(planned) == {contact: ("excluded", "entered_before_start")}


def test_who_enters_after_the_start_gets_it(shop):
    early = shop.person(entered_at=NOW)
    shop.build()
    shop.plan(campaign(), backlog="record")
    late = shop.person(entered_at=NOW + timedelta(hours=1))
    shop.build(number=2)
    planned = shop.plan(campaign(), backlog="record", fixed_as_of=NOW + timedelta(hours=2))
    assert shop.decided(planned) == {early: ("excluded", "entered_before_start"), late: ("recipient", None)}


def test_once_is_once(shop):
    contact = shop.person()
    shop.build()
    shop.send(shop.plan(campaign()))
    planned = shop.plan(campaign(), fixed_as_of=NOW + timedelta(days=400))
    assert shop.decided(planned) == {contact: ("excluded", "already_sent")}


@pytest.mark.parametrize(("days", "outcome"), [(13, ("excluded", "already_sent")), (14, ("recipient", None))])
def test_a_campaign_with_re_entry_comes_again_after_its_days_and_no_sooner(shop, days, outcome):
    contact = shop.person()
    shop.build()
    again = campaign(reentry=Reentry(after_days=14))
    shop.send(shop.plan(again))
    planned = shop.plan(again, fixed_as_of=NOW + timedelta(days=days))
    assert shop.decided(planned) == {contact: outcome}


def test_a_wave_under_way_holds_its_people(shop):
    contact = shop.person()
    shop.build()
    shop.plan(campaign())
    assert shop.decided(shop.plan(campaign())) == {contact: ("excluded", "already_sent")}
    other = campaign(name="thanks")
    assert shop.decided(shop.plan(other)) == {contact: ("deferred", "capped")}


def test_whom_mailchimp_refused_is_not_tried_again_until_they_say_something_newer(shop):
    refused = shop.person(answered_at=NOW - timedelta(days=1))
    other = shop.person()
    shop.build()
    first = shop.plan(campaign())
    shop.ledger.drop_recipients(first.wave_id, [(refused, "mailchimp_refused")])
    shop.send(first)
    hours = {"fixed_as_of": NOW + timedelta(hours=17), "quiet_hours": None}
    again = shop.decided(shop.plan(campaign(name="thanks"), **hours))
    assert again == {refused: ("excluded", "mailchimp_refused"), other: ("recipient", None)}
    shop.people[0][-1]["answered_at"] = NOW + timedelta(hours=1)
    shop.build(number=2)
    anew = shop.decided(shop.plan(campaign(), **hours))
    assert anew == {refused: ("recipient", None), other: ("excluded", "already_sent")}


@pytest.mark.parametrize(("hours", "outcome"), [(23, ("excluded", "mailchimp_pending")), (25, ("recipient", None))])
def test_whom_mailchimp_asks_to_confirm_is_looked_at_again_once_a_day(shop, hours, outcome):
    pending = shop.person(answered_at=NOW - timedelta(days=1))
    shop.build()
    first = shop.plan(campaign())
    shop.ledger.drop_recipients(first.wave_id, [(pending, "mailchimp_pending")])
    shop.ledger.move(first.wave_id, "cancelled", who="test", why="nobody is left", at=NOW)
    again = shop.plan(campaign(), fixed_as_of=NOW + timedelta(hours=hours), quiet_hours=None)
    assert shop.decided(again) == {pending: outcome}


def test_a_plan_that_waited_for_another_goes_by_what_is_known_when_its_turn_comes(shop, monkeypatch, caplog):
    monkeypatch.setattr(ledger_file, "PROGRESS_EVERY", 0.05)
    caplog.set_level("INFO")
    early = shop.person()
    shop.build()
    with ThreadPoolExecutor(1) as pool:
        with shop.ledger.planning("thanks"):
            waiting = pool.submit(shop.plan, campaign())
            while "Waiting for the ledger" not in caplog.text:
                assert not waiting.done()
            late = shop.person()
            shop.build(number=2)
        planned = waiting.result(timeout=30)
    assert shop.decided(planned) == {early: ("recipient", None), late: ("recipient", None)}


def test_with_a_clock_set_back_a_no_of_mailchimps_is_still_newer_than_the_signup_before_it(shop):
    refused = shop.person(answered_at=NOW - timedelta(minutes=5))
    shop.build()
    back = {"fixed_as_of": NOW - timedelta(hours=1), "quiet_hours": None}
    first = shop.plan(campaign(), **back)
    assert shop.ledger.wave(first.wave_id).as_of == NOW
    shop.ledger.drop_recipients(first.wave_id, [(refused, "mailchimp_unsubscribed")])
    shop.send(first)
    assert shop.decided(shop.plan(campaign(), **back)) == {refused: ("excluded", "mailchimp_unsubscribed")}


def test_a_cancelled_wave_frees_its_people(shop):
    contact = shop.person()
    shop.build()
    planned = shop.plan(campaign())
    shop.ledger.move(planned.wave_id, "cancelled", who="test", why="", at=NOW)
    assert shop.decided(shop.plan(campaign())) == {contact: ("recipient", None)}


@pytest.mark.parametrize(("hours", "outcome"), [(16, ("recipient", None)), (15.9, ("deferred", "capped"))])
def test_sixteen_hours_lie_between_two_emails(shop, hours, outcome):
    contact = shop.person()
    shop.build()
    shop.send(shop.plan(campaign()))
    planned = shop.plan(campaign(name="thanks"), fixed_as_of=NOW + timedelta(hours=hours), quiet_hours=None)
    assert shop.decided(planned) == {contact: outcome}


def test_three_emails_in_seven_days_are_enough(shop):
    contact = shop.person()
    shop.build()
    for number in range(3):
        at = NOW + timedelta(days=number)
        shop.send(shop.plan(campaign(name=f"c{number}"), fixed_as_of=at), at)
    fourth = campaign(name="c3")
    for days, outcome in ((3, ("deferred", "capped")), (7, ("recipient", None))):
        planned = shop.plan(fourth, fixed_as_of=NOW + timedelta(days=days))
        assert shop.decided(planned) == {contact: outcome}


@pytest.mark.parametrize(
    ("moment", "outcome"),
    [
        ("2026-11-22T20:59:00Z", ("recipient", None)),
        ("2026-11-22T21:00:00Z", ("deferred", "quiet_hours")),
        ("2026-11-23T06:59:00Z", ("deferred", "quiet_hours")),
        ("2026-11-23T07:00:00Z", ("recipient", None)),
        ("2027-07-01T20:30:00Z", ("deferred", "quiet_hours")),  # 21:30 in a British summer
    ],
)
def test_nobody_is_written_to_at_night_in_london(shop, moment, outcome):
    contact = shop.person()
    shop.build()
    planned = shop.plan(campaign(), fixed_as_of=datetime.fromisoformat(moment))
    assert shop.decided(planned) == {contact: outcome}


def test_a_holdout_is_the_share_it_says_and_the_same_people_every_time(shop):
    for _ in range(200):
        shop.person()
    shop.build()
    some = campaign(holdout=0.2)
    first = shop.plan(some)
    held = {contact for contact, (outcome, _) in shop.decided(first).items() if outcome == "holdout"}
    assert 20 <= len(held) <= 60
    shop.ledger.move(first.wave_id, "cancelled", who="test", why="", at=NOW)
    second = shop.decided(shop.plan(some))
    assert {contact for contact, (outcome, _) in second.items() if outcome == "holdout"} == held


def test_nobody_due_is_written_down_once_and_not_at_every_run(shop):
    shop.person(is_subscribed=False)
    shop.build()
    assert shop.plan(campaign()).wave_id is not None
    assert shop.plan(campaign()).wave_id is None


def test_a_no_that_was_told_before_is_counted_and_not_written_again_until_it_changes(shop):
    first = shop.person()
    silent = shop.person(is_subscribed=False)
    shop.build()
    shop.send(shop.plan(campaign()))
    waves = []
    for number in range(2, 5):
        shop.person()
        shop.build(number)
        waves.append(shop.plan(campaign()))
        shop.send(waves[-1])
    written = [[row for batch in shop.ledger.recipients(wave.wave_id) for row in batch] for wave in waves]
    assert [[row.outcome for row in rows] for rows in written] == [["recipient"]] * 3
    assert waves[-1].counts["excluded"] == {"already_sent": 3, "no_consent": 1}
    assert waves[-1].counts["segment_size"] == 5
    shop.people[1][-1].update(is_suppressed=True)
    shop.build(number=5)
    changed = shop.plan(campaign())
    assert shop.decided(changed)[silent] == ("excluded", "suppressed")
    assert len(shop.ledger.decisions_of(first)) == 1
    assert shop.plan(campaign()).wave_id is None


def test_who_enters_an_empty_segment_after_its_campaign_was_started_gets_it(shop):
    shop.build()
    assert shop.plan(campaign(), backlog="record").wave_id is None
    contact = shop.person(entered_at=NOW + timedelta(hours=1))
    shop.build(number=2)
    planned = shop.plan(campaign(), backlog="record", fixed_as_of=NOW + timedelta(hours=1))
    assert shop.decided(planned) == {contact: ("recipient", None)}


def test_a_rehearsal_leaves_nothing_behind(shop):
    shop.person()
    shop.build()
    rehearsed = plan(shop.settings, shop.ledger, shop.warehouse, campaign(), who="t", why="t", rehearse=True)
    assert rehearsed.counts["recipient"] == 1
    assert rehearsed.wave_id is None
    assert shop.ledger.waves() == []


READING = {"name": "reading", "segment": "treatment_readers", "template": "treatment_reading", "articles": Articles()}


def test_each_reader_gets_their_own_articles_and_who_has_too_few_gets_none(shop):
    tastes = {
        shop.person(segment="treatment_readers", articles=["a", "b", "c"]): {"a", "b", "c"},
        shop.person(segment="treatment_readers", articles=["d", "e", "f"]): {"d", "e", "f"},
        shop.person(segment="treatment_readers", articles=["g"]): set(),
    }
    shop.build()
    planned = shop.plan(campaign(**READING))
    titles = {card.code: card.article_id for slot in planned.content.articles for card in slot}
    rows = [row for batch in shop.ledger.recipients(planned.wave_id) for row in batch]
    for row in rows:
        given = {titles[code] for field, code in row.slots.items() if field.startswith("ART")}
        assert given <= tastes[row.contact_id]
        assert len(given) >= 2 or (row.outcome, row.reason) == ("excluded", "no_content")
    assert [row.outcome for row in rows] == ["recipient", "recipient", "excluded"]


def test_a_wave_holds_at_most_ten_cards_a_slot_and_serves_as_many_readers_as_it_can(shop):
    for number in range(60):
        own = [f"own-{number}-{index}" for index in range(3)]
        shop.person(segment="treatment_readers", articles=[*own, "popular-1", "popular-2"])
    shop.build()
    planned = shop.plan(campaign(**READING))
    assert max(len(slot) for slot in planned.content.articles) <= 10
    assert planned.counts["recipient"] == 60


def test_codes_tell_nothing_of_the_article(shop):
    shop.person(segment="treatment_readers", articles=["hair-loss-1", "hair-loss-2"])
    shop.build()
    planned = shop.plan(campaign(**READING))
    (row,) = next(shop.ledger.recipients(planned.wave_id))
    assert {field for field, code in row.slots.items() if len(code) == 10} == {"ART1", "ART2"}
    assert "hair" not in json.dumps(row.slots)


def test_why_an_article_is_there_is_each_readers_own_and_stands_in_the_same_slot(shop):
    reasons = {"read_together": "together", "similar_text": "similar", "unheard of": "related"}
    people = {
        shop.person(segment="treatment_readers", articles=[("a", reason), ("b", "popular")]): word
        for reason, word in reasons.items()
    }
    shop.build()
    planned = shop.plan(campaign(**READING))
    articles = {card.code: card.article_id for slot in planned.content.articles for card in slot}
    for row in next(shop.ledger.recipients(planned.wave_id)):
        whys = {articles[row.slots[f"ART{n}"]]: row.slots[f"WHY{n}"] for n in (1, 2)}
        assert whys == {"a": people[row.contact_id], "b": "popular"}


THANKS = {"name": "thanks", "segment": "high_value_free_delivery", "products": Products()}


def test_products_go_with_what_was_bought_are_in_stock_allowed_in_emails_and_new_to_the_buyer(shop):
    shop.together = [("mask", "gel", 0.9), ("mask", "balm", 0.8), ("mask", "gone", 0.95), ("serum", "mask", 0.5)]
    shop.together.append(("mask", "named like a medicine", 0.97))
    shop.out_of_stock, shop.barred = {"gone"}, {"named like a medicine"}
    first = shop.person(segment="high_value_free_delivery", bought=["mask", "gel"])
    second = shop.person(segment="high_value_free_delivery", bought=["serum"])
    nothing = shop.person(segment="high_value_free_delivery", bought=["unheard-of"])
    shop.build()
    planned = shop.plan(campaign(**THANKS))
    cards = {card.code: card for slot in planned.content.products for card in slot}
    given = {
        row.contact_id: sorted(cards[code].sku for code in row.slots.values())
        for row in next(shop.ledger.recipients(planned.wave_id))
    }
    assert given == {first: ["balm"], second: ["mask"], nothing: []}
    assert {card.price for card in cards.values()} == {"£28.00"}
    assert planned.readers == dict.fromkeys(cards, 1)


WELCOME = {"offer": Offer(percent=10, valid_days=30, terms="t")}


def codes_of(shop, planned):
    return {row.contact_id: row.slots["OFFER"] for batch in shop.ledger.recipients(planned.wave_id) for row in batch}


def test_each_person_has_a_code_of_their_own_that_nobody_can_guess_or_misread(shop):
    for _ in range(300):
        shop.person()
    shop.build()
    planned = shop.plan(campaign(**WELCOME))
    codes = codes_of(shop, planned)
    assert len(set(codes.values())) == 300
    assert all(re.fullmatch("[34679CDFGHJKMNPQRTVWXY]{12}", code) for code in codes.values())
    assert len(set("".join(codes.values()))) == 22
    assert planned.content.offer.closes_on.isoformat() == "2026-12-22"
    assert planned.readers == {}

    shop.ledger.move(planned.wave_id, "cancelled", who="test", why="", at=NOW)
    assert codes_of(shop, shop.plan(campaign(**WELCOME))) == codes  # who is due again has the same again
    # without the key the same people have others
    (shop.settings.keys_dir / "offer_code.key").unlink()
    shop.ledger.move(shop.ledger.waves()[1].wave_id, "cancelled", who="test", why="", at=NOW)
    assert not set(codes.values()) & set(codes_of(shop, shop.plan(campaign(**WELCOME))).values())


def test_a_segment_that_is_no_model_is_told_with_those_that_are(shop):
    shop.person()
    shop.build()
    with pytest.raises(CampaignError, match="no segment 'nobody'.*new_subscribers"):
        shop.plan(campaign(segment="nobody"))


def test_a_campaign_does_not_start_before_a_build_has_its_segment(
    shop,
):
    def build(as_of, *segments):
        with shop.warehouse.writer() as con:
            note_segments(con, list(segments))
            shop.warehouse.record_build(con, build_id=f"b{as_of}", build_no=as_of.hour, as_of=as_of)

    shop.person(segment="treatment_readers")
    shop.build()
    later = NOW + timedelta(hours=1)
    build(NOW, "treatment_readers")
    with pytest.raises(CampaignError, match="no build has its segment 'new_subscribers' yet. Run the job models"):
        shop.plan(campaign(), backlog="record")
    contact = shop.person(entered_at=later)
    shop.build(2)
    build(later, "treatment_readers", "new_subscribers")
    planned = shop.plan(campaign(), backlog="record", fixed_as_of=later)
    assert shop.decided(planned) == {contact: ("excluded", "entered_before_start")}


def test_before_the_first_build_there_is_nothing_to_plan_from(shop):
    with pytest.raises(NoBuildYet, match="make once"):
        shop.plan(campaign())


def test_a_member_whom_the_contacts_lost_is_still_counted_and_told(shop):
    contact = shop.person()
    shop.build()
    with shop.warehouse.writer() as con:
        con.execute("delete from lake.marts.contacts")
        shop.warehouse.record_build(con, build_id="b2", build_no=2, as_of=NOW)
    assert shop.decided(shop.plan(campaign())) == {contact: ("excluded", "no_address")}
