"""What each recipient of a wave is shown: articles, products and codes of their own."""

import json
import re

import pytest

from orchestration.core.campaign import Articles, Offer, Products
from tests.components.planned_shop import NOW, Shop, campaign


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path)


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
