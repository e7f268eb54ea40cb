"""What emails are held against, each as the sandbox shows it to its reader; and each gate is shown to close."""

import pytest

from tests.emails import gates
from tests.emails.mailing import AS_OF, SHOWN

CAMPAIGNS = ["welcome", "free_delivery_thanks", "treatment_reading"]
# One of each campaign: what differs between its readers is nothing to a spam filter, which takes seconds over each.
FULLEST = ["new-with-name", "buyer-three-products", "reader-three-articles"]
SHOP = "https://larkspur-skin.test"


@pytest.fixture(scope="module")
def said(mails, bad, tmp_path_factory):
    """What npm's tools say of all emails: they start once."""
    return gates.npm_tools([*mails.values(), bad], tmp_path_factory.mktemp("html"))


def test_npms_own_mjml_knows_every_element_and_attribute(mailing, tmp_path):
    assert gates.mjml({name: mailing.markup(name) for name in CAMPAIGNS}, tmp_path) == []


@pytest.mark.parametrize("tool", ["html-validate", "caniemail"])
@pytest.mark.parametrize("name", SHOWN)
def test_the_html_is_right_and_mail_readers_know_it(said, name, tool):
    assert said[name][tool] == []


@pytest.mark.parametrize("name", SHOWN)
def test_nothing_serious_stands_in_the_way_of_any_reader_in_light_and_dark(mails, browser, name):
    assert gates.axe(browser, mails[name]) == []


@pytest.mark.parametrize("name", FULLEST)
def test_a_spam_filter_lets_it_through(mails, name):
    assert gates.spam(mails[name], AS_OF) == []


@pytest.mark.parametrize("name", SHOWN)
def test_it_is_small_its_links_are_known_and_one_of_them_unsubscribes(mailing, mails, name):
    assert gates.size(mails[name]) == []
    assert gates.links(mails[name], shop=SHOP, **mailing.links_of(name)) == []
    assert gates.left_over(mails[name]) == []


# ---------------------------------------------------------------- each gate closes on what is bad


def test_an_attribute_that_mjml_does_not_have_is_found(tmp_path):
    found = gates.mjml({"bad": (gates.HERE / "bad" / "email.mjml").read_text()}, tmp_path)
    assert any("Attribute colour is illegal" in line for line in found)


def test_bad_html_is_found(said):
    rules = " ".join(said["bad"]["html-validate"])
    assert all(rule in rules for rule in ("wcag/h37", "close-order", "wcag/h30", "empty-title"))


def test_a_feature_that_mail_readers_lack_is_found(said):
    assert any(line.startswith("display:grid: not in") and "outlook" in line for line in said["bad"]["caniemail"])


def test_text_that_is_hard_to_read_and_a_page_wider_than_a_phone_are_found(browser, bad):
    found = " ".join(gates.axe(browser, bad))
    assert "color-contrast" in found
    assert "html-has-lang" in found
    assert "wide on a screen of 320" in found


def test_spam_is_found(bad):
    [found] = gates.spam(bad, AS_OF)
    assert "at most 2.0 is allowed" in found


def test_an_email_that_would_be_clipped_is_found(bad):
    large = gates.Mail("large", "s", bad.html + "x" * gates.LARGEST, bad.text)
    assert gates.size(large) == [f"{len(large.html.encode()):,} bytes, at most 85,000 are allowed"]


def test_links_that_are_wrong_and_an_unsubscribe_that_is_missing_are_found(bad):
    found = " ".join(gates.links(bad, shop=SHOP, unsubscribe="https://u.test", preferences="https://p.test"))
    assert "'http://larkspur-skin.test/blog?utm_campaign=w' is not absolute and https" in found
    assert "'/blog' is not absolute and https" in found
    assert "'https://elsewhere.test/?utm_campaign=w' leads to nobody we know" in found
    assert "the HTML part has 0 links to unsubscribe" in found
    assert "the text part has 0 links to unsubscribe" in found
    assert "'/blog' is not in the text part" in found


def test_a_link_to_the_preferences_of_another_reader_is_found(mailing, mails):
    theirs = {**mailing.links_of("new-with-name"), "preferences": mailing.links_of("new-without-name")["preferences"]}
    found = " ".join(gates.links(mails["new-with-name"], shop=SHOP, **theirs))
    assert f"{mailing.links_of('new-with-name')['preferences']!r} leads to nobody we know" in found
    assert "the HTML part has 0 links to the reader's preferences" in found


def test_a_merge_tag_that_nobody_carries_out_is_found(bad):
    assert gates.left_over(bad) == ["*|NOBODY|* was not carried out"]
