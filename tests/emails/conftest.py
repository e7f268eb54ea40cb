"""One mailing for all gates: to plan, draft and send it costs seconds."""

import pytest
from playwright.sync_api import sync_playwright

from tests.emails.gates import HERE, Mail, launched
from tests.emails.mailing import SHOWN, mailed


@pytest.fixture(scope="session")
def mailing(tmp_path_factory):
    with mailed(tmp_path_factory.mktemp("mailing")) as found:
        yield found


@pytest.fixture(scope="session")
def mails(mailing) -> dict[str, Mail]:
    """What the gates look at: an email for each way in which readers of a campaign differ."""
    return {name: mailing.mail(name) for name in SHOWN}


@pytest.fixture(scope="session")
def bad() -> Mail:
    folder = HERE / "bad"
    return Mail("bad", "FREE cash!!! $$$", (folder / "email.html").read_text(), (folder / "email.txt").read_text())


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        chromium = launched(playwright)
        yield chromium
        chromium.close()
