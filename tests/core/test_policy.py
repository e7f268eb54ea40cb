"""What the policy check sees through, what it leaves alone, and what it says of a draft."""

import string
import unicodedata
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.policy import (
    Draft,
    Identity,
    check_address,
    check_catalogue,
    check_data,
    check_draft,
    check_html,
    check_image,
    check_text,
)
from orchestration.core.policy_parts import html_parts
from orchestration.core.policy_rules import rules
from orchestration.core.policy_text import readable

NAMES = [name for rule in ("medicine_named", "medicine_unlicensed") for name in rules()[rule].spelt if "(" not in name]
INNOCENT = [
    "Detox mask for dull skin",
    "Anti-wrinkle cream with peptides",
    "Botanical face oil",
    "Hyaluronic acid serum 30 ml",
    "Retinol and the retina have little in common",
    "Topical minoxidil 5 % foam, PL 12345/0001",
    "Our specialist may differ in taste",
    "Boot ox-blood polish for a robot",
    "Free delivery and same-day dispatch",
    "Eh to X, and on to Y",
    "Stop losing hair ties",
    "Calms flushed cheeks",
    "Helps protect against sunburn",
    "Reduces the appearance of thread veins",
    "Our newsletter lands on the same day each month",
]
# made here and not taken from the check's own table
LOOK_ALIKES = {
    "a": "аɑ", "b": "Ьᖯ", "c": "сϲ", "d": "ԁ", "e": "еҽ", "g": "ɡ", "h": "һ", "i": "іι", "j": "ј", "k": "κ",
    "l": "ⅼǀ", "m": "ⅿ", "n": "ո",
    "o": "оοօ", "p": "рρ", "q": "ԛ", "r": "г", "s": "ѕ", "t": "т", "u": "սυ", "v": "ѵν", "w": "ԝ", "x": "хⅹ", "y": "уγ", "z": "ᴢ",
}  # fmt: skip
LEET = {"o": "0", "i": "1", "e": "3", "a": "4@", "s": "5$", "t": "7", "b": "8", "l": "1|"}
HIDDEN = "\u00ad\u200b\u200c\u200d\u2060\ufeff\u034f\u180e\ufe0f\u202a"
STYLES = (
    "MATHEMATICAL BOLD",
    "MATHEMATICAL DOUBLE-STRUCK",
    "FULLWIDTH LATIN",
    "CIRCLED LATIN",
    "NEGATIVE SQUARED LATIN",
)


def broken(text, **more):
    return {one.rule for one in check_text(text, **more)}


def _styled(name, style):
    letters = []
    for char in name:
        case = "CAPITAL" if "SQUARED" in style else "SMALL"
        tail = f"{case} {char.upper()}" if style.startswith("MATH") else f"{case} LETTER {char.upper()}"
        try:
            letters.append(unicodedata.lookup(f"{style} {tail}"))
        except KeyError:
            letters.append(char)
    return "".join(letters)


def _every_letter(table, share=0.5):
    def write(name, rng):
        return "".join(rng.choice(table[c]) if c in table and rng.random() < share else c for c in name)

    return write


def _cut(pieces, between):
    """Cut a word in up to so many pieces, and put something between them."""

    def write(name, rng):
        at = sorted(rng.sample(range(1, len(name)), min(pieces - 1, len(name) - 1)))
        parts = [name[i:j] for i, j in zip([0, *at], [*at, None], strict=True)]
        return between(rng).join(parts)

    return write


def _in_digits(name, rng):
    """Fewer digits than letters: 8070x is an article's number."""
    at = [place for place, letter in enumerate(name) if letter in LEET]
    chosen = rng.sample(at, min(len(at), (len(name) - 1) // 2))
    return "".join(rng.choice(LEET[c]) if place in chosen else c for place, c in enumerate(name))


WAYS = {
    "case": lambda name, rng: "".join(rng.choice([c.upper(), c]) for c in name),
    "look-alikes": _every_letter(LOOK_ALIKES),
    "digits": _in_digits,
    "hidden characters": lambda name, rng: "".join(c + rng.choice(HIDDEN) for c in name),
    "accents": lambda name, rng: "".join(c + rng.choice(["", "\u0301", "\u0336", "\u0323"]) for c in name),
    "style": lambda name, rng: _styled(name, rng.choice(STYLES)),
    "doubled letters": lambda name, rng: "".join(c * rng.choice([1, 1, 2, 3]) for c in name),
    "letter by letter": lambda name, rng: rng.choice([" ", ".", "-", "_", "*", " . ", "/", "·"]).join(name),
    "in two": _cut(2, lambda rng: rng.choice([" ", "-", ".", "_", "/", "\n", " - "])),
    "in tags": _cut(3, lambda rng: rng.choice(["<b></b>", "</i><i>", "<!-- x -->", "<span style='a'></span>", "<wbr>"])),
    "in blocks": _cut(2, lambda rng: rng.choice(["<br>", "</td><td>", "</p>\n<p>"])),
    "entities": lambda name, rng: "".join(rng.choice([c, f"&#{ord(c)};", f"&#x{ord(c):x};"]) for c in name),
    "escaped twice": lambda name, rng: "".join(rng.choice([c, f"&amp;#{ord(c)};"]) for c in name),
    "in a word": lambda name, rng: f"{rng.choice(['the', 'my', 'super'])}{name}{rng.choice(['party', 'clinic', 'uk'])}",
    "in a slug": lambda name, rng: f"why-{name}-works_2026.html",
    "merge tag": _cut(2, lambda rng: "*|FNAME|*"),
}  # fmt: skip


@settings(deadline=None)
@given(
    st.sampled_from([name for name in NAMES if " " not in name]),
    st.sampled_from(sorted(WAYS)),
    st.randoms(use_true_random=False),
)
def test_no_spelling_of_a_name_slips_through(name, way, rng):
    written = WAYS[way](name, rng)
    text = f"<p>Ask us about {written} today.</p>"
    assert {one.rule for one in check_html(text)} & {"medicine_named", "medicine_unlicensed"}, written


@settings(deadline=None)
@given(st.sampled_from([name for name in NAMES if " " not in name]), st.randoms(use_true_random=False))
def test_no_address_hides_a_name(name, rng):
    escaped = "".join(rng.choice([c, f"%{ord(c):02x}", f"%25{ord(c):02X}"]) for c in name)
    inside = f"https://shop.test/r?to={quote(f'https://shop.test/{name}/', safe='')}"
    for address in (
        f"https://shop.test/p/{escaped}",
        inside,
        f"https://{name}.test/",
        f"HTTPS://SHOP.TEST/{name.upper()}",
    ):
        assert check_address(address), address
    look_alike = name.replace("o", "о").replace("e", "е").encode("idna").decode()
    assert check_address(f"https://{look_alike}.test/"), look_alike


@settings(deadline=None)
@given(
    st.sampled_from(INNOCENT),
    st.sampled_from(["case", "look-alikes", "hidden characters", "accents", "entities"]),
    st.randoms(use_true_random=False),
)
def test_innocent_text_stays_so_however_it_is_written(text, way, rng):
    written = WAYS[way](text, rng)
    assert check_html(f"<p>{written}</p>") == [], written


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from(string.printable + "é<![CDATA[" + "\u202e💉")))
def test_any_text_can_be_checked(text):
    check_catalogue({"title": text, "body": f"<p>{text}", "url": text})
    html_parts(text)
    readable(text)


@pytest.mark.parametrize("masked", ["b*tox", "B**ox", "fin*steride", "o•empic", "w*g*vy"])
def test_a_masked_name_is_a_name(masked):
    assert "medicine_named" in broken(f"Ask about {masked} now")


@settings(deadline=None)
@given(
    st.sampled_from([name for name in NAMES if name.isalpha() and len(set(name)) >= 9]),
    st.randoms(use_true_random=False),
)
def test_a_slip_in_a_long_name_hides_nothing(name, rng):
    at = rng.randrange(1, len(name) - 1)
    for slip in (
        name[:at] + name[at + 1 :],
        name[:at] + name[at + 1] + name[at] + name[at + 2 :],
        f"{name[:at]}x{name[at:]}",
    ):
        assert broken(f"Ask about {slip} now") & {"medicine_named", "medicine_unlicensed"}, slip


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("#lipfillerdeal ends Friday", "pressure_on_procedures"),
        ("S a m e - d a y delivery", "same_day_delivery"),
        ("Delivery: samed\u200bay", "same_day_delivery"),
        ("Relieved my psoriasis", "medicinal_claim"),
        ("\u049aеn\u0430log, \u0456n sto\u0441\u049b", "medicine_named"),
    ],
)
def test_words_are_read_however_they_are_joined_parted_and_inflected(text, rule):
    assert broken(text) == {rule}


def test_capitals_part_the_words_of_a_name_that_has_no_spaces():
    assert {one.rule for one in check_data("EczemaClub", "tag")} == {"health_word_in_data"}
    assert {one.rule for one in check_address("https://shop.test/p/MyHairLossPills")} == {"medicine_hinted_at"}


@pytest.mark.parametrize("text", INNOCENT)
def test_what_is_allowed_is_left_alone(text):
    assert check_text(text) == []


def test_a_finding_says_where_what_why_and_what_to_do():
    [found] = check_text("Read about b\u200bоt0x here", "subject")
    assert (found.rule, found.place, found.found) == ("medicine_named", "subject", "botox")
    assert "reg. 284" in str(found)
    assert str(found).startswith("subject names a prescription-only medicine (botox): “Read about bot0x here”")
    assert found.mend in str(found)


def test_images_are_read_by_their_names_and_their_texts():
    assert {one.rule for one in check_image("/img/before-after_2.jpg", "")} == {"picture_of_before_and_after"}
    assert [one.place for one in check_image("/a.jpg", "Botox vial")] == ["image, alternative text"]
    assert {one.rule for one in check_html('<td background="/botox.png">Hello</td>')} == {"medicine_named"}


def test_data_may_hold_opaque_codes_only():
    for value in ("c0123abcde", "pennypost w06h04h7800mjflh2", "treatment_reading", "welcome"):
        assert check_data(value) == []
    for value in ("hair-loss readers", "ACNE", "rosacea_2026", "weight loss"):
        assert {one.rule for one in check_data(value)} == {"health_word_in_data"}, value
    assert {one.rule for one in check_data("yes", name="ACNE")} == {"health_word_in_data"}


def test_every_rule_has_a_source_and_says_what_to_do():
    for rule in rules().values():
        assert rule.source and rule.mend and rule.what


FOOT = "Shop Ltd, company number 123. Registered office: 1 Row, Town."
FINE = Draft(
    subject="Hello",
    preheader="What is inside",
    html=f'<p>Hello *|FNAME|*</p><p>{FOOT}</p><a href="*|UNSUB|*">Unsubscribe</a>',
    text=f"Hello *|FNAME|*\n\n{FOOT}\nUnsubscribe: *|UNSUB|*",
    identity=Identity("Shop Ltd", "123", "1 Row, Town"),
)
TERMS = (
    "10% off: enter the code at the checkout within 30 days. "
    "Not valid on cosmetic procedures or injectables. Promoter: Shop Ltd."
)


def findings(**changes):
    return {(one.rule, one.place) for one in check_draft(replace(FINE, **changes))}


def test_a_fine_draft_has_no_findings():
    assert findings() == set()
    assert findings(html=FINE.html + TERMS, text=FINE.text + TERMS) == set()


def test_what_must_be_there_is_missed_in_each_part():
    assert findings(html="<p>Hello</p>") == {("unsubscribe_missing", "HTML part"), ("identity_missing", "HTML part")}
    assert findings(text="Hello") == {("unsubscribe_missing", "text part"), ("identity_missing", "text part")}
    assert findings(identity=Identity("Another Ltd", "123", "1 Row, Town")) == {
        ("identity_missing", "HTML part"),
        ("identity_missing", "text part"),
    }


@pytest.mark.parametrize("left_out", ["enter the code at the checkout", "within 30 days", "Not valid on", "Promoter"])
def test_an_offer_has_all_of_its_terms_beside_it(left_out):
    assert findings(text=FINE.text + TERMS.replace(left_out, "")) >= {("terms_missing", "text part")}


def test_what_a_subject_hurries_to_may_stand_in_the_body():
    assert findings(subject="Ends tonight!", html="<p>Lip filler at our clinic.</p>" + FINE.html) == {
        ("pressure_on_procedures", "subject with HTML part")
    }


def test_the_pages_it_links_to_count():
    linked = {"article a1": {"title": "Hair", "body": "Finasteride is one option."}}
    assert findings(linked=linked) == {("medicine_named", "linked article a1, body")}


def test_names_that_mailchimp_keeps_count():
    assert findings(data={"campaign name": "rosacea_readers"}) == {("health_word_in_data", "campaign name")}


def test_professionals_may_be_told_of_medicines_with_what_the_law_wants_beside_them():
    named = {"html": f"<p>Botox training day</p>{FINE.html}", "audience": "professionals"}
    assert findings(**named) == {("prescribing_information_missing", "HTML part")}
    told = "<p>Prescribing information: see the SmPC. POM. Adverse events: yellowcard.mhra.gov.uk</p>"
    assert findings(html=named["html"] + told, audience="professionals") == set()
    assert ("medicine_named", "HTML part") in findings(html=named["html"] + told)
