"""For a thousand random readers: each sees articles that are recommended to them, with the reason, and nobody else's."""

import html
import re

import pytest

from orchestration.demo.catalogue import articles
from orchestration.resources.renderer import Renderer
from orchestration.settings import Settings
from tests.emails.mailing import CROWD

CARD = re.compile(r'<p class="why">([^<]*)</p>\s*<h2><a href="([^"?]*)\?[^"]*">([^<]*)</a></h2>')


@pytest.fixture(scope="module")
def whys() -> dict[str, str]:
    """What brand.yaml says for each reason of the models."""
    words = Renderer(Settings.from_env({})).brand["reading"]["whys"]
    reasons = {"read_together": "together", "similar_text": "similar", "popular": "popular", "new": "new"}
    return {reason: words[word] for reason, word in reasons.items()}


def test_each_reader_sees_their_own_articles_each_under_its_reason_and_no_others(mailing, whys):
    [wave] = mailing.runs["treatment_reading"].waves
    in_slots = [{card["article_id"] for card in slot} for slot in wave.content["articles"]]
    urls = {one.url: one for one in articles().values()}
    looked_at = 0
    for name, reader in mailing.readers.items():
        if not name.startswith("crowd-") or reader.email not in mailing.entries:
            continue
        mail = mailing.mail(name)
        seen = [
            (urls[url].article_id, html.unescape(why), html.unescape(title))
            for why, url, title in CARD.findall(mail.html)
        ]
        shown = [article for article, _, _ in seen]
        recommended = dict(reader.reading)

        # exactly what is recommended to them most in each slot of the wave's email, and why
        best = [next((article for article, _ in reader.reading if article in slot), None) for slot in in_slots]
        assert shown == [article for article in best if article], name
        assert 2 <= len(shown) <= 3, name
        assert [why for _, why, _ in seen] == [whys[recommended[article]] for article in shown], name
        # no trace of an article that is another's, in either part
        for url, article in urls.items():
            is_theirs = article.article_id in shown
            assert (url + "?" in mail.html) == is_theirs, name
            assert (url + "?" in mail.text) == is_theirs, name
        looked_at += 1
    # the rest had too few articles among the thirty that a wave can hold
    assert looked_at == mailing.runs["treatment_reading"].plan.counts["recipient"] > 0.9 * CROWD
