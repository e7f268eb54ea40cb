"""A marketer launches a campaign in Dagster and looks at what went out."""

import re
import time
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from orchestration.demo.catalogue import articles
from orchestration.demo.crowd import liked
from orchestration.demo.events import signup_row, view_row
from orchestration.resources.warehouse import Warehouse

pytestmark = pytest.mark.browser
JOB = "locations/pennypost/jobs/treatment_reading"
READERS = {"lena.reader@mail.test": "lips", "ludo.reader@mail.test": "light"}
NEWCOMER = "nell.newcomer@mail.test"


@pytest.fixture(scope="module")
def readers(pennypost):
    """Two people who subscribed long ago and read about different things lately: due for reading, and for nothing else.

    With them a newcomer lands, so that one run of the landing sensor serves all.
    """
    now = datetime.now(UTC)
    signups, views = [], []
    for number, (address, taste) in enumerate(READERS.items()):
        visitor = f"v-reader-{number}"
        said = {"profiling_consent": True, "tracking_consent": True, "first_name": address.split(".")[0].title()}
        signups.append(signup_row(f"n-reader-{number}", now - timedelta(days=40), address, **said))
        for count, article in enumerate(liked(taste)[:2]):
            at = now - timedelta(days=2, hours=count)
            views.append(view_row(f"v-reader-{number}-{count}", at, article.article_id, visitor, email=address))
    signups.append(signup_row("n-newcomer", now, NEWCOMER, first_name="Nell"))
    pennypost.drop("signups", *signups)
    pennypost.drop("article_views", *views)
    _wait_until_in_segment(pennypost)
    return READERS


def _wait_until_in_segment(pennypost) -> None:
    """The landing sensor's run has to be over: a build of the models that knows of them, complete and tested."""
    until = time.monotonic() + 240
    while True:
        with Warehouse(pennypost.settings).reader() as con:
            (found,) = con.execute(
                "select count(*) from marts.segment_members join marts.contacts using (contact_id) "
                "where segment = 'treatment_readers' and email in (select unnest(?))",
                [list(READERS)],
            ).fetchone()
        if found == len(READERS):
            return
        assert time.monotonic() < until, f"{found} of the dropped readers are in the segment"
        time.sleep(1)


def _launch(page: Page, pennypost, action: str) -> None:
    """Through the Launchpad, and wait for the run to succeed."""
    page.goto(f"{pennypost.ui}/{JOB}")
    page.get_by_role("button", name="Materialize all").locator("xpath=following::button[1]").click()
    page.get_by_role("menuitem", name="Open launchpad").click()
    editor = page.locator(".CodeMirror").filter(has_text="launch_treatment_reading")
    expect(editor).to_contain_text("action: rehearse")  # whoever changes nothing sends nothing
    editor.evaluate(
        "(shown, [old, wanted]) => shown.CodeMirror.setValue(shown.CodeMirror.getValue().replace(old, wanted))",
        ["action: rehearse", f"action: {action}"],
    )
    expect(editor).to_contain_text(f"action: {action}")
    page.locator("button", has_text=re.compile("Materialize$")).last.click()
    run = page.get_by_text(re.compile("Success|Failure")).first
    page.wait_for_url("**/runs/**")
    expect(run).to_have_text("Success", timeout=120_000)


def test_a_rehearsal_says_who_would_get_it_and_sends_nothing(page, pennypost, readers):
    _launch(page, pennypost, "rehearse")
    page.goto(f"{pennypost.ui}/assets/campaigns/treatment_reading_audience")
    # the two who were dropped, and perhaps somebody of the demo shop
    expect(page.get_by_role("row", name=re.compile(r"^recipient +([2-9]|\d\d)"))).to_be_visible()
    expect(
        page.get_by_role("row", name=re.compile(r"^excluded \d+ already_sent: has had this campaign"))
    ).to_be_visible()
    expect(page.get_by_text("none: nothing was written")).to_be_visible()
    expect(page.get_by_text("Worth reading next").first).to_be_visible()
    assert [pennypost.emails_to(address) for address in readers] == [[], []]


def test_launched_to_send_each_reader_finds_their_own_articles_in_their_inbox(page, pennypost, readers):
    _launch(page, pennypost, "send")
    shown = {}
    for address in readers:
        [email] = pennypost.wait_for_emails_to(address, 1)
        page.goto(email["html_url"])
        expect(page.get_by_text(f"Hello {address.split('.')[0].title()}")).to_be_visible()
        in_html = {title for title in _titles() if page.get_by_text(title, exact=True).count()}
        page.goto(email["text_url"])
        text = page.locator("body").inner_text()
        assert in_html == {title for title in _titles() if title in text}
        assert in_html <= _recommended(pennypost, address)
        assert 2 <= len(in_html) <= 3
        shown[address] = in_html
    assert len({frozenset(titles) for titles in shown.values()}) == len(readers)


def test_the_outbox_lists_the_campaign_and_shows_the_email_as_its_reader_sees_it(page, pennypost, readers):
    [email] = pennypost.wait_for_emails_to("lena.reader@mail.test", 1, seconds=5)
    page.goto(pennypost.outbox)
    page.get_by_role("link", name=email["subject"]).first.click()
    page.get_by_text("lena.reader@mail.test").first.click()
    frame = page.frame_locator("iframe").first
    expect(frame.get_by_text("Hello Lena")).to_be_visible()


def test_a_signup_that_lands_becomes_a_welcome_by_itself(page, pennypost, readers):
    [email] = pennypost.wait_for_emails_to(NEWCOMER, 1)
    page.goto(email["html_url"])
    expect(page.get_by_text(email["merge_fields"]["OFFER"], exact=True)).to_be_visible()
    expect(page.get_by_text("Hello Nell").first).to_be_visible()


def _titles() -> list[str]:
    return [article.title for article in articles().values()]


def _recommended(pennypost, address: str) -> set[str]:
    with Warehouse(pennypost.settings).reader() as con:
        rows = con.execute(
            "select distinct title from marts.recommended_articles join marts.contacts using (contact_id) "
            "join raw.articles using (article_id) where email = ?",
            [address],
        ).fetchall()
    return {title for (title,) in rows}
