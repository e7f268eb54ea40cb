"""A visitor of the demo shop reads, and signs up: with consent what they read before is theirs, without it nothing is known."""

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, expect

from orchestration.demo.crowd import liked
from orchestration.resources.warehouse import Warehouse

pytestmark = pytest.mark.browser
# Chromium without a window says that it is headless, and the collector leaves out what says so.
USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
ARTICLES = liked("lips")[:2]


@pytest.fixture
def visitor(browser) -> Iterator[BrowserContext]:
    context = browser.new_context(user_agent=USER_AGENT)
    yield context
    context.close()


def _reads_and_signs_up(visitor: BrowserContext, shop: str, address: str, *, consent: str) -> list[str]:
    """Returns the paths on the collector that their browser posted to."""
    posted: list[str] = []
    visitor.on("request", lambda request: request.method == "POST" and posted.append(request.url.split("/v1/")[-1]))
    page = visitor.new_page()
    page.goto(f"{shop}/blog/{ARTICLES[0].slug}")
    page.get_by_role("button", name=consent).click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.goto(f"{shop}/blog/{ARTICLES[1].slug}")
    expect(page.get_by_role("dialog")).to_be_hidden()  # asked once
    page.get_by_label("Email").fill(address)
    page.get_by_label("First name").fill("Vera")
    page.get_by_label("Choose articles for me").check()
    page.get_by_label("I am 18 or older").check()
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("status")).to_have_text("Thank you. A welcome is on its way.")
    return posted


def _reads(pennypost, address: str) -> list[str]:
    """The articles that are known to be read by the contact with this address, as of the last build."""
    with Warehouse(pennypost.settings).reader() as con:
        rows = con.execute(
            "select article_id from intermediate.int_recent_reads join marts.contacts using (contact_id) "
            "where email = ? order by 1",
            [address],
        ).fetchall()
    return [article_id for (article_id,) in rows]


def test_with_consent_what_was_read_before_signing_up_is_the_contacts(pennypost, visitor):
    address = "vera.yes@mail.test"
    posted = _reads_and_signs_up(visitor, pennypost.shop, address, consent="Yes, remember")
    assert posted == ["article-views", "article-views", "signups"]
    pennypost.wait_for_emails_to(address, 1)
    wanted, until = sorted(article.article_id for article in ARTICLES), time.monotonic() + 120
    while _reads(pennypost, address) != wanted:
        assert time.monotonic() < until, _reads(pennypost, address)
        time.sleep(1)


def test_without_consent_nothing_that_is_read_leaves_the_browser(pennypost, visitor):
    address = "vera.no@mail.test"
    posted = _reads_and_signs_up(visitor, pennypost.shop, address, consent="No")
    assert posted == ["signups"]
    pennypost.wait_for_emails_to(address, 1)
    assert _reads(pennypost, address) == []
    with Warehouse(pennypost.settings).reader() as con:
        said = con.execute("select visitor_id, tracking_consent from raw.signups where email = ?", [address]).fetchall()
    assert said == [(None, False)]
    storage = visitor.storage_state()["origins"]
    kept = {item["name"]: item["value"] for origin in storage for item in origin["localStorage"]}
    assert kept == {"pennypost-consent": "no"}
