"""What reads like a phrase that was judged before: how well the model tells texts it has not seen, and what becomes of it."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from orchestration.core import policy_precedents
from orchestration.core.errors import PolicyError
from orchestration.core.policy import (
    Draft,
    Identity,
    check_address,
    check_catalogue,
    check_draft,
    check_html,
    check_image,
    check_text,
)
from orchestration.core.policy_precedents import FOLDER, SURE, WEIGHTS, Precedent, features, likeness, precedents
from orchestration.core.policy_text import readable, words
from orchestration.core.policy_training import fingerprint, fitted

PARTS = 4
# no wording of policy.yaml is in it
UNFORESEEN = "The cream that rosacea tells its mother about"


def test_the_model_is_fitted_to_the_precedents_there_are():
    with np.load(WEIGHTS) as kept:
        assert str(kept["fitted_to"]) == fingerprint(list(precedents())), "run `make precedents`"


def test_texts_the_model_was_not_fitted_to_are_told_apart(record_property):
    """A fourth of the files left out in turn: most of what is barred there is found, nearly nothing innocent is taken for it."""
    of_file = [list(precedents([path])) for path in sorted(FOLDER.glob("*.yaml"))]
    found, barred, taken, innocent = 0, 0, 0, 0
    for part in range(PARTS):
        known = [one for at, of_one in enumerate(of_file) if at % PARTS != part for one in of_one]
        model = fitted(known)
        for one in itertools.chain.from_iterable(of_file[part::PARTS]):
            is_like = likeness(features(one.said), model) > SURE
            barred, innocent = barred + (one.rule is not None), innocent + (one.rule is None)
            found, taken = found + (is_like and one.rule is not None), taken + (is_like and one.rule is None)
    told = f"{found} of {barred} barred texts found ({found / barred:.1%}), {taken} of {innocent} innocent ones taken for it"
    record_property("figure", told)
    print(f"\n  {told} ({taken / innocent:.2%})")
    assert found > 0.65 * barred
    assert taken < 0.015 * innocent


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            "- {id: a1, place: text, text: A, expected: bared}",
            "a1 in set.yaml is expected to be 'bared'; write allowed or barred",
        ),
        (
            "- {id: a1, place: text, text: A, expected: barred}",
            "a1 in set.yaml is barred, and its kind is None; write one of",
        ),
        ("- {id: a1, place: text, expected: allowed}", "a1 in set.yaml has no text"),
        ("- {id: a1, place: text, text: A: B, expected: allowed}", "set.yaml is no YAML"),
        ("- &one {id: a1, place: text, text: A, expected: allowed}\n- *one", "a1 in set.yaml is there twice"),
    ],
)
def test_a_phrase_that_is_not_as_it_should_be_is_named_with_what_is_wrong(tmp_path, lines, message):
    (tmp_path / "set.yaml").write_text(f"phrases:\n{lines}\n")
    with pytest.raises(PolicyError, match=message):
        list(precedents([tmp_path / "set.yaml"]))


@pytest.fixture
def small(monkeypatch):
    """A model of a few precedents, so that what it says of a text is plain."""

    def precedent(text: str, rule: str | None) -> Precedent:
        return Precedent(text, "p1 in small.yaml", tuple(words(readable(text))), rule)

    known = [
        precedent("A cream that rosacea tells its mother about", "medicinal_claim"),
        precedent("The cream that rosacea tells about, and its mother", "medicinal_claim"),
        precedent("The cream that our readers told us about", None),
        precedent("News from the shop: our spring catalogue is out", None),
    ]
    model = fitted(known)
    barred = [(one, features(one.said)) for one in known if one.rule]
    monkeypatch.setattr(policy_precedents, "_model", lambda: replace(model, weights=20 * model.weights))
    monkeypatch.setattr(policy_precedents, "_barred", lambda: barred)


def test_a_text_without_a_listed_wording_is_found_by_what_it_reads_like(small):
    (finding,) = check_text(UNFORESEEN, "subject")
    assert finding.rule == "medicinal_claim"
    assert finding.found == "it reads like “A cream that rosacea tells its mother about”, p1 in small.yaml"
    assert finding.excerpt == UNFORESEEN
    assert "MHRA Guidance Note 8" in str(finding)


@pytest.mark.parametrize(
    "text",
    ["", "rosacea tells its", "The cream that our readers told each other about", f"{UNFORESEEN} {'and so on ' * 20}"],
)
def test_what_is_innocent_or_short_or_long_reads_like_nothing(small, text):
    assert check_text(text) == []


def test_what_a_rule_speaks_of_is_judged_by_the_rule(small):
    assert check_text(f"No cream treats rosacea. {UNFORESEEN}") == []


def test_what_is_a_precedent_is_judged_as_it_was(small):
    assert len(check_text("a cream that rosacea tells its mother about!")) == 1
    assert check_text("The cream that our readers told us about") == []


def test_professionals_may_read_what_the_public_may_not(small):
    assert check_text(UNFORESEEN, audience="professionals") == []


def test_of_an_email_each_paragraph_is_read_by_itself_and_of_an_article_none(small):
    markup = f"<h1>News</h1><p>{UNFORESEEN}</p><p>{'Our spring catalogue is out. ' * 20}</p>"
    (finding,) = check_html(markup)
    assert finding.excerpt == UNFORESEEN
    assert check_catalogue({"body": markup}) == check_catalogue({"body": UNFORESEEN}) == []
    assert len(check_catalogue({"title": UNFORESEEN, "summary": UNFORESEEN})) == 2


def test_a_draft_that_reads_like_it_is_blocked_where_it_does(small):
    identity = Identity("Larkspur Skin Ltd", "01234567", "1 High Street, Leeds")
    footer = "Larkspur Skin Ltd, 01234567, 1 High Street, Leeds"
    html = f"<p>Hello</p><p>{UNFORESEEN}</p><p>{footer}</p><a href='*|UNSUB|*'>Unsubscribe</a>"
    draft = Draft("Hello", "From us", html, f"Hello\n{UNFORESEEN}\n{footer}\n*|UNSUB|*", identity)
    found = {(one.rule, one.place) for one in check_draft(draft)}
    assert found == {("medicinal_claim", "HTML part"), ("medicinal_claim", "text part")}


def test_of_an_address_its_host_and_campaign_say_nothing(small):
    slug = UNFORESEEN.lower().replace(" ", "-")
    tracked = f"https://shop.test/{slug}?utm_source=email&utm_medium=email&utm_campaign=spring"
    assert {one.found for one in check_address(tracked)} == {
        one.found for one in check_address(f"https://shop.test/{slug}")
    }
    assert {one.rule for one in check_address(tracked)} == {"medicinal_claim"}
    assert {one.rule for one in check_image(f"/files/{slug}.jpg", "A jar")} == {"medicinal_claim"}
    assert check_address(f"https://{slug}.test/our-spring-catalogue-is-out") == []


@pytest.mark.parametrize(
    "address", ["https://shop.test", "https://shop.test/", "https://shop.test/blog", "https://shop.test/a?b=1"]
)
def test_the_links_that_every_shop_has_are_judged_innocent_with_a_campaign_and_without(address):
    tracked = (
        f"{address}{'&' if '?' in address else '?'}utm_source=email&utm_medium=email&utm_campaign=c&utm_content=w06h04"
    )
    assert check_address(address) == check_address(tracked) == []
