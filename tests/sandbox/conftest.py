"""A sandbox over real HTTP, with the real client in front of it."""

import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import mailchimp_marketing
import pytest

from orchestration.sandbox.server import running

LIST = "sandbox0001"
HTML = '<p>Hello *|FNAME|*</p><a href="*|UNSUB|*">Unsubscribe</a> *|LIST:ADDRESSLINE|*'
# Unused over plain HTTP; to load the machine's certificates instead costs 30 ms a client.
NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
TEXT = "Hello *|FNAME|*\n\nUnsubscribe: *|UNSUB|*\n*|LIST:ADDRESSLINE|*"


@dataclass
class Sandbox:
    """A running sandbox and the usual things one does to it. `client` is the mailchimp-marketing client."""

    url: str
    client: mailchimp_marketing.Client
    http: httpx.Client

    def add(self, *addresses: str, status: str = "subscribed", **merge_fields: Any) -> dict:
        members = [{"email_address": a, "status": status, "merge_fields": merge_fields} for a in addresses]
        return self.client.lists.batch_list_members(LIST, {"members": members})

    def draft(self, *, html: str = HTML, text: str = TEXT, segment: int | None = None, **settings: Any) -> str:
        recipients = {"list_id": LIST} | ({"segment_opts": {"saved_segment_id": segment}} if segment else {})
        given = {"subject_line": "Hello", "from_name": "Larkspur", "reply_to": "hello@larkspur-skin.test"} | settings
        body = {"type": "regular", "recipients": recipients, "settings": given}
        campaign_id = self.client.campaigns.create(body)["id"]
        self.client.campaigns.set_content(campaign_id, {"html": html, "plain_text": text})
        return campaign_id

    def send(self, campaign_id: str | None = None, **draft: Any) -> str:
        campaign_id = campaign_id or self.draft(**draft)
        self.client.campaigns.send(campaign_id)
        self.wait_until_sent(campaign_id)
        return campaign_id

    def wait_until_sent(self, campaign_id: str) -> None:
        give_up = time.monotonic() + 10
        while self.client.campaigns.get(campaign_id)["status"] != "sent":
            assert time.monotonic() < give_up, "the campaign was not sent within 10 s"
            time.sleep(0.005)

    def outbox(self, **filters: str) -> list[dict]:
        return self.http.get(f"{self.url}/outbox.json", params=filters).json()

    def status(self, address: str) -> str:
        return self.client.lists.get_list_member(LIST, address)["status"]

    def problem(self, method: str, path: str, **request: Any) -> dict:
        """The problem document of a call that must fail."""
        response = self.http.request(method, path, **request)
        assert response.status_code >= 400
        assert response.headers["content-type"] == "application/problem+json; charset=utf-8"
        document = response.json()
        assert document["status"] == response.status_code
        assert set(document) - {"errors"} == {"type", "title", "status", "detail", "instance"}
        return document


def connect(url: str) -> Sandbox:
    client = mailchimp_marketing.Client()
    client.set_config({"api_key": "anything-us1"})
    client.api_client.host = f"{url}/3.0"
    return Sandbox(
        url, client, httpx.Client(base_url=f"{url}/3.0", auth=("anybody", "anything"), verify=NO_CERTIFICATES)
    )


@pytest.fixture
def state_file(tmp_path: Path) -> Path:
    return tmp_path / "sandbox.sqlite"


@pytest.fixture(scope="session")
def closing() -> Iterator[ThreadPoolExecutor]:
    """Stops servers while the next test runs: a server takes 0.2 s to stop, most of it asleep."""
    with ThreadPoolExecutor() as pool:
        yield pool


@pytest.fixture
def sandbox(state_file: Path, closing: ThreadPoolExecutor) -> Iterator[Sandbox]:
    stack = ExitStack()
    connected = connect(stack.enter_context(running(state_file)))
    stack.callback(connected.http.close)
    yield connected
    closing.submit(stack.close)


@pytest.fixture
def connected():
    """`connected(url)`: a Sandbox for a server the test runs by itself."""
    return connect
