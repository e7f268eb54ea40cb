"""What the policy check makes of a sentence as a whole: what takes a word back, and what doesn't; and of two pictures."""

from typing import get_args

import pytest

from orchestration.core.policy import check_address, check_data, check_html, check_image, check_text
from orchestration.core.policy_rules import Audience, Place, matchers


def broken(findings):
    return {one.rule for one in findings}


@pytest.mark.parametrize(
    ("barred", "allowed", "rule"),
    [
        ("Tanning injections, posted today", "Why we do not sell tanning injections", "medicine_unlicensed"),
        (
            "Lip filler: only three slots left",
            "We never run limited-time offers on lip filler",
            "pressure_on_procedures",
        ),
        (
            "Lip filler for 16-year-olds",
            "It is against the law to give lip filler to 16-year-olds",
            "procedures_for_the_young",
        ),
        ("Our before and after photos", "We do not publish before and after photos", "before_and_after"),
        ("This balm treats eczema", "No cream treats eczema for good, whatever it says", "medicinal_claim"),
    ],
)
def test_a_sentence_that_says_the_opposite_takes_it_back(barred, allowed, rule):
    assert rule in broken(check_text(barred))
    assert check_text(allowed) == []
    # but only its own
    assert rule in broken(check_text(f"{allowed}. {barred}."))


@pytest.mark.parametrize(
    "text",
    [
        "Acne? No more. It treats rosacea",
        "Not only treats acne",
        "Can't wait to treat eczema",
        "Never suffer from migraine again",
    ],
)
def test_a_no_that_denies_nothing_takes_nothing_back(text):
    assert broken(check_text(text)) == {"medicinal_claim"}


@pytest.mark.parametrize("mark", [": ", ":", " – ", " - ", " — ", "—"])
def test_a_no_reaches_no_further_than_a_colon_or_dash(mark):
    assert broken(check_text(f"Softer frown, no surgery{mark}our jabs start at £145")) == {"medicine_hinted_at"}
    assert check_text("No jabs for a softer frown here") == []


def test_a_warning_to_those_who_take_a_medicine_is_not_an_offer_of_it():
    assert check_text("Not suitable if you use tretinoin or isotretinoin.") == []
    assert check_text("If you are taking isotretinoin, do not wax: ask your doctor first.") == []


@pytest.mark.parametrize(
    "text",
    [
        "If you use tretinoin, order it here and save.",
        "Do not wax. We have tretinoin for people with lines.",
        "Ask your doctor if tretinoin is right for you",
        "If you want smooth skin, tell your doctor you want tretinoin: £20",
        "See your prescriber online, and start clear skin with tretinoin today",
        "Don't have lines: smooth skin with tretinoin",
        "No downtime – tretinoin at £20",
        "No waiting, tretinoin from £20",
        "No fuss, no appointment, just tretinoin to your door",
        "Without a prescription, tretinoin from £20",
    ],
)
def test_what_offers_a_medicine_is_neither_a_warning_nor_says_what_is_not_in_it(text):
    assert "medicine_named" in broken(check_text(text))


def test_an_age_may_stand_anywhere_near_a_procedure():
    assert broken(check_text("Sophie, 17, had filler in the holidays")) == {"procedures_for_the_young"}
    assert check_text("17 questions before you have filler") == []


def test_numbers_may_be_written_together_with_what_they_count():
    assert broken(check_text("This price is gone in 15mins")) == {"false_urgency"}
    assert broken(check_image("day1-vs-day90.jpg", "")) == {"picture_of_before_and_after"}


@pytest.mark.parametrize(
    ("first", "second", "is_pair"),
    [
        ("client-12-before.jpg", "client-12-after.jpg", True),
        ("1.jpg' alt='Skin before", "2.jpg' alt='Skin after 8 weeks", True),
        ("1.jpg' alt='Before: thinning crown", "2.jpg' alt='After: a full head of hair", True),
        ("1.jpg' alt='Before: bare shelf", "2.jpg' alt='After: full shelf", False),
        ("balm-before-bed.jpg", "gel-after-sun.jpg", False),
        ("before-you-buy.png", "after-care.png", False),
        ("jar.jpg", "jar-after.jpg", False),
    ],
)
def test_two_pictures_may_be_a_pair(first, second, is_pair):
    html = f"<p>Look</p><img src='/files/{first}'><p>and</p><img src='/files/{second}'>"
    assert broken(check_html(html)) == ({"picture_of_before_and_after"} if is_pair else set())


def test_names_of_persons_tell_nothing_of_their_health():
    assert check_data("Burns", "member field", "LNAME") == []
    assert broken(check_data("burns", "member field", "NOTES")) == {"health_word_in_data"}
    assert broken(check_data("*|EMAIL|*", "member field", "LNAME")) == {"merge_tag"}


def test_addresses_carry_no_reader():
    assert broken(check_address("https://shop.test/p?e=*|EMAIL|*")) == {"merge_tag"}
    assert broken(check_image("https://shop.test/p.jpg?e=*|UNIQID|*", "")) == {"merge_tag"}
    assert broken(check_image("/p.jpg", "Soap for *|FNAME|*")) == {"merge_tag"}
    assert check_address("*|UNSUB|*") == check_address("https://events.shop.test/preferences/*|PREFS|*") == []


def test_a_merge_tag_may_be_written_as_entities():
    assert broken(check_data("Cream &#42;&#124;LNAME&#124;&#42;")) == {"merge_tag"}


def test_a_name_without_its_last_letter_is_a_slip():
    assert broken(check_text("Finasterid spray")) == {"medicine_named"}


def test_hurrying_twice_in_one_breath_is_urgent_unless_a_date_is_given():
    assert broken(check_text("Almost gone! Act fast")) == {"false_urgency"}
    assert check_text("Act fast: the sale ends on 30 November") == []
    # once is enough beside a procedure
    assert broken(check_text("Lip filler: once it's gone, it's gone")) == {"pressure_on_procedures"}


def test_a_product_may_not_be_named_after_a_disease_but_for_skin_that_is_prone_to_it():
    assert broken(check_text("Haemorrhoid soothing balm")) == {"medicinal_claim"}
    assert check_text("Acne-prone skin cleanser") == []


def test_what_people_read_is_looked_for_by_one_tree():
    trees = {id(matchers(audience, place).worded) for audience in get_args(Audience) for place in get_args(Place)}
    assert len(trees) == 2
    # and each finds only the rules that are its own
    assert broken(check_text("Wrinkle relaxer", audience="professionals")) == set()
