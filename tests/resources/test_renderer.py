"""What a subscriber reads, what Mailchimp is given, and what is refused before it gets there."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.core.errors import RenderError
from orchestration.resources.renderer import Renderer, tracked
from orchestration.sandbox import merge_tags
from orchestration.settings import Settings
from tests.resources.rendering import OFFER, Page, make_campaign, make_card, make_product, render

SETTINGS = Settings.from_env({})
UTM = "utm_source=email&utm_medium=email&utm_campaign=treatment_reading&utm_content=w1"


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(SETTINGS)


def as_read(text: str, fields: Mapping[str, str]) -> str:
    """`text` as the sandbox shows it to a reader with these merge fields."""
    return merge_tags.render(text, fields, escape=False)


TEMPLATES = ["welcome", "free_delivery_thanks", "treatment_reading"]


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_email_says_who_sends_it_why_and_how_to_stop_it(renderer, template):
    email = render(renderer, make_campaign(template))

    assert email.subject == "Hello from Larkspur Skin"
    for part in (email.html, email.text):
        assert part.count("*|UNSUB|*") == 1
        assert part.count("*|UPDATE_PROFILE|*") == 1
        assert "*|LIST:ADDRESSLINE|*" in part
        assert "You get this email because" in part
        assert "Larkspur Skin Ltd" in part
        assert "company number" in part
        assert "Registered office" in part


@pytest.mark.parametrize("template", TEMPLATES)
def test_where_there_is_a_preference_page_of_ours_the_footer_links_each_readers_own(template):
    env = {"PREFERENCES_KEY": "k", "COLLECTOR_URL": "https://events.shop.test"}
    email = render(Renderer(Settings.from_env(env)), make_campaign(template))
    ours, mailchimps = "https://events.shop.test/preferences/their-token", "https://mailchimp.test/profile"
    for token, link, other in (("their-token", ours, mailchimps), ("", mailchimps, ours)):
        fields = {"PREFS": token, "UPDATE_PROFILE": mailchimps, "UNSUB": "https://mailchimp.test/unsub"}
        html, text = as_read(email.html, fields), as_read(email.text, fields)
        assert Page(html).links.count(link) == 1
        assert other not in html
        assert f"\nChange what we send you: {link}\nUnsubscribe: https://mailchimp.test/unsub\n" in text


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_email_is_a_page_that_reads_well_without_anything_from_outside(renderer, template):
    email = render(renderer, make_campaign(template))
    page = Page(email.html)

    assert '<html lang="en-GB" dir="ltr"' in email.html
    assert page.words["title"] == ["Hello from Larkspur Skin"]
    assert ">What is inside&#847;" in email.html
    assert len(page.words["h1"]) == 1
    assert 'name="color-scheme" content="light dark"' in email.html
    assert "prefers-color-scheme: dark" in email.html
    assert not re.search(r"<img|<link|\bsrc=|url\(|@import", email.html)


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_text_part_has_every_link_of_the_html_part(renderer, template):
    email = render(renderer, make_campaign(template))
    links = Page(email.html).links

    assert len(links) >= 4
    of_header = tracked(SETTINGS.shop_url, campaign=template, wave_id="w1")
    assert [link for link in links if link not in email.text and link != of_header] == []


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_reader_is_greeted_by_name_or_without_one(renderer, template):
    email = render(renderer, make_campaign(template))

    for part in (email.html, email.text):
        assert "Hello Amira," in as_read(part, {"FNAME": "Amira"})
        assert "Hello," in as_read(part, {"FNAME": ""})


def test_no_email_promises_same_day_delivery_or_hurries_anybody(renderer):
    for template in TEMPLATES:
        email = render(renderer, make_campaign(template))
        for part in (email.html, email.text):
            assert not re.search(r"same[- ]day delivery|hurry|last chance|only \d+ left|ends (soon|today)", part, re.I)


def test_welcome_has_its_code_before_all_else_and_the_terms_beside_it(renderer):
    email = render(renderer, make_campaign("welcome"))

    for part in (email.html, email.text):
        order = ["10% off", "*|OFFER|*", "Closes on 31 December 2026.", "at the checkout", "procedures, injectables"]
        order += ["promoter: larkspur skin ltd", "what to expect from us"]
        places = [part.lower().rindex(words.lower()) for words in order]
        assert places == sorted(places)


def test_thanks_say_over_100_pounds_after_discounts(renderer):
    email = render(renderer, make_campaign("free_delivery_thanks"))

    for part in (email.html, email.text):
        assert "over £100 after discounts" in part
        assert "Highlands and Islands" in part
        assert "free 24-hour tracked UK delivery" in part


def test_each_reader_sees_only_the_articles_whose_codes_are_in_their_fields(renderer):
    slots = [[make_card(1), make_card(2)], [make_card(3), make_card(1)], [make_card(4)]]
    email = render(renderer, make_campaign("treatment_reading"), slots)
    readers = {
        ("c000000002", "c000000001", "c000000004"): {2, 1, 4},
        ("c000000001", "c000000003", ""): {1, 3},
        ("", "", ""): set(),
    }

    for codes, articles in readers.items():
        fields = dict(zip(("ART1", "ART2", "ART3"), codes, strict=True))
        html, text = as_read(email.html, fields), as_read(email.text, fields)
        seen = {f"Article number {number}" for number in articles}
        assert set(Page(html).words.get("h2", [])) == seen
        assert set(re.findall(r"^(Article number \d+)$", text, re.M)) == seen
        assert "ART" not in html + text
        assert not articles or "\n\n\n\n" not in text


def test_each_article_stands_under_why_this_reader_has_it(renderer):
    slots = [[make_card(1)], [make_card(2)], [make_card(3)]]
    email = render(renderer, make_campaign("treatment_reading"), slots)
    fields = {f"ART{number}": f"c{number:09d}" for number in (1, 2, 3)}
    whys = {
        "similar": "Close to one you have read",
        "together": "Often read with one you opened",
        "new": "New on our blog",
    }

    for part in (email.html, email.text):
        for word, words in whys.items():
            assert as_read(part, {**fields, "WHY2": word}).count(words) == 1
        # one that nobody has words for yet says something that is always true
        assert as_read(part, {**fields, "WHY2": "unheard-of"}).count("Goes with what you read") == 3


def test_a_reader_sees_the_products_of_their_own_and_a_heading_only_above_some(renderer):
    products = [[make_product(1), make_product(2)], [make_product(3)], [make_product(4)]]
    email = render(renderer, make_campaign("free_delivery_thanks"), products=products)

    for part in (email.html, email.text):
        for codes in ({"PROD1": 2, "PROD2": 3}, {"PROD3": 4}, {}):
            seen = as_read(part, {field: f"p{number:09d}" for field, number in codes.items()})
            assert set(re.findall(r"Product number (\d)", seen)) == {str(number) for number in codes.values()}
            assert seen.lower().count("often bought with what you chose") == bool(codes)
            assert seen.count("£28.00") == len(codes)
    assert "bought with" not in render(renderer, make_campaign("free_delivery_thanks")).html


@pytest.mark.parametrize(
    ("send_at", "line"),
    [
        (
            datetime(2026, 11, 25, 10, tzinfo=UTC),
            "Orders placed by 3pm on Wednesday 25 November are dispatched that day.",
        ),
        (datetime(2026, 11, 25, 15, tzinfo=UTC), None),
        (None, None),  # a draft that waits for a person: nobody knows when it goes out
    ],
)
def test_same_day_dispatch_is_named_with_its_day_and_only_where_it_is_true_at_the_send(renderer, send_at, line):
    email = render(renderer, make_campaign("free_delivery_thanks"), send_at=send_at)

    for part in (email.html, email.text):
        assert (line in part) if line else ("dispatched that day" not in part)


def test_thirty_long_cards_stay_far_below_what_a_mail_reader_clips(renderer):
    slots = [
        [make_card(10 * slot + i, title="A title " * 12, summary="What it is about " * 40) for i in range(10)]
        for slot in range(3)
    ]
    email = render(renderer, make_campaign("treatment_reading"), slots)
    fields = {"ART1": "c000000003", "ART2": "c000000013", "ART3": "c000000023", "FNAME": "Amira"}

    assert len(email.html.encode()) < 60_000
    assert len(as_read(email.html, fields).encode()) < 20_000


def test_shop_text_is_shown_as_it_is_written_and_never_as_markup(renderer):
    title, summary = 'Acids & "peels": <b>5%</b> < 10%?', "It's <script>alert(1)</script> & more"
    slots = [[make_card(1, title=title, summary=summary)], [make_card(2)]]
    email = render(renderer, make_campaign("treatment_reading"), slots)

    assert Page(email.html).words["h2"][0] == title
    assert "<script" not in email.html
    assert title in email.text
    assert summary in email.text


@settings(deadline=None)
@given(title=st.text(min_size=1, max_size=80), summary=st.text(max_size=300))
def test_any_text_a_shop_may_hold_is_rendered_or_refused(renderer, title, summary):
    slots = [[make_card(1, title=title, summary=summary)], [make_card(2)]]
    try:
        email = render(renderer, make_campaign("treatment_reading"), slots)
    except RenderError as error:
        assert "article-1" in str(error)
        return
    shown = Page(email.html).words["h2"][0]
    assert " ".join(shown.split()) == " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", title).split())


@pytest.mark.parametrize("field", ["title", "summary", "url", "code"])
@pytest.mark.parametrize("text", ["x*|UNSUB|*", "x*|", "x|*", "x*%7CUNSUB%7C*"])
def test_a_merge_tag_in_shop_data_is_refused_by_article_and_field(renderer, field, text):
    slots = [[make_card(1), make_card(7, **{field: text})], [make_card(2)]]

    with pytest.raises(RenderError, match=rf"Article article-7: its {field} contains"):
        render(renderer, make_campaign("treatment_reading"), slots)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "/blog/x",
        "//larkspur-skin.test/x",
        "https://",
        "http://[",
        "https://a b",
    ],
)
def test_only_web_addresses_are_linked_to(renderer, url):
    with pytest.raises(RenderError, match=r"Article article-7, url: .* is not a web address"):
        render(renderer, make_campaign("treatment_reading"), [[make_card(7, url=url)], [make_card(2)]])


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.test/x", f"https://a.test/x?{UTM}"),
        ("https://a.test", f"https://a.test/?{UTM}"),
        ("https://a.test/x?a=1&b=%20c#part", f"https://a.test/x?a=1&b=%20c&{UTM}#part"),
        ("https://a.test/x?utm_source=feed&a=&utm_term=t", f"https://a.test/x?a=&utm_term=t&{UTM}"),
    ],
)
def test_links_carry_the_campaign_and_keep_their_own_query_and_fragment(renderer, url, expected):
    slots = [[make_card(1, url=url)], [make_card(2)]]
    email = render(renderer, make_campaign("treatment_reading"), slots)

    assert expected in Page(email.html).links
    assert f"\n{expected}\n" in email.text


def test_the_campaign_files_own_strings_are_templates_too(renderer):
    campaign = make_campaign(
        "welcome",
        subject="*|IF:FNAME|**|FNAME|*, *|END:IF|*{{ offer.percent }}% off & more",
        preheader="The code\n  of {{ brand.name }}",
        offer={**OFFER, "terms": "{{ offer.percent }}% off once."},
    )
    email = render(renderer, campaign)

    assert as_read(email.subject, {"FNAME": "Amira"}) == "Amira, 10% off & more"
    assert email.preheader == "The code of Larkspur Skin"
    assert "10% off once." in email.text
    assert as_read(Page(email.html).words["title"][0], {}) == "10% off & more"


@pytest.mark.parametrize("field", ["subject", "preheader"])
def test_an_unknown_variable_is_named_with_the_place_and_those_that_exist(renderer, field):
    with pytest.raises(RenderError, match=rf"Campaign welcome, `{field}`: 'discount' is undefined.*offer") as caught:
        render(renderer, make_campaign("welcome", **{field: "{{ discount }} off"}))
    assert "README.md" in str(caught.value)


def test_a_template_that_needs_an_offer_says_so_when_the_campaign_has_none(renderer):
    with pytest.raises(RenderError, match=r"welcome/body.mjml.j2 \(.*, line \d+\): 'offer' is undefined"):
        render(renderer, make_campaign("welcome", offer=None))


def test_an_empty_subject_is_refused(renderer):
    with pytest.raises(RenderError, match="Campaign welcome: `subject` is empty"):
        render(renderer, make_campaign("welcome", subject="{{ '' }} "))


@pytest.mark.parametrize("template", ["wellcome", "../welcome", "partials"])
def test_an_unknown_template_is_answered_with_those_that_exist(renderer, template):
    campaign = make_campaign("welcome").model_copy(update={"template": template})

    with pytest.raises(RenderError, match=r"there is no template .* free_delivery_thanks, treatment_reading, welcome"):
        render(renderer, campaign)


@pytest.mark.parametrize(
    ("articles", "message"),
    [
        ([[make_card(1)], [], []], "at least 2 slots, but only 1"),
        ([[make_card(1)], [make_card(2)], [make_card(3)], [make_card(4)]], "has 3 article slots, but cards came for 4"),
        (
            [[make_card(1)], [make_card(2, code="c000000001")]],
            "article article-1 and article article-2 share the card code",
        ),
        ([[make_card(1, code="a|b")], [make_card(2)]], "the card code 'a|b'"),
    ],
)
def test_slots_that_would_show_a_reader_the_wrong_thing_are_refused(renderer, articles, message):
    with pytest.raises(RenderError, match=re.escape(message)):
        render(renderer, make_campaign("treatment_reading"), articles)


def test_products_are_held_to_the_same_rules_as_articles(renderer):
    campaign = make_campaign("free_delivery_thanks")
    with pytest.raises(RenderError, match="has 3 product slots, but cards came for 4"):
        render(renderer, campaign, products=[[make_product(number)] for number in range(4)])
    with pytest.raises(RenderError, match=r"Product LS-1: its name contains \*\|"):
        render(renderer, campaign, products=[[make_product(1, name="Cream *|UNSUB|*")]])
    with pytest.raises(RenderError, match="Product LS-1, url: 'javascript:x' is not a web address"):
        render(renderer, campaign, products=[[make_product(1, url="javascript:x")]])
