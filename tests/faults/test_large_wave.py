"""A wave to 20,000 people through a Mailchimp that fails at one call in twenty: everybody once; the calls it took are printed."""

import json
import urllib.request
from collections import Counter
from uuid import UUID

import pyarrow as pa
import pytest

from orchestration.components.catalogue import all_campaigns
from orchestration.components.delivery import resume
from orchestration.components.delivery_audience import Waits
from orchestration.core.errors import MailchimpUnknown, NotReadyToSend
from orchestration.core.wave import WaveDraft, new_wave_id
from orchestration.resources.ledger import Ledger
from orchestration.resources.mailchimp import Gateway
from orchestration.resources.mailchimp_calls import Pauses
from orchestration.resources.renderer import Renderer
from orchestration.sandbox.server import running
from orchestration.settings import Settings

pytestmark = pytest.mark.thorough

PEOPLE = 20_000
CHANCE = 0.05
MOST_LAUNCHES = 10
WAITS = Waits(poll=0.05, create_limit=0.5, send_limit=0.5, send_tries=3, sent_limit=120, report_limit=30, lock=5)


def test_everybody_of_a_large_wave_gets_one_email_though_one_call_in_twenty_fails(
    tmp_path, share, as_of, record_property
):
    people = max(200, round(PEOPLE * share))
    with running(tmp_path / "sandbox.sqlite", now=lambda: as_of) as url:
        env = {"DATA_DIR": str(tmp_path), "SANDBOX_PORT": url.rpartition(":")[2], "AS_OF": as_of.isoformat()}
        settings = Settings.from_env({**env, "MAILCHIMP_TIMEOUT": "5"})
        ledger, gateway = Ledger(settings), Gateway(settings, Pauses(0.02, 0.5, 8))
        [campaign] = [one for one in all_campaigns() if one.name == "treatment_reading"]
        wave_id = _plan(ledger, campaign.name, people, as_of)
        _ask(url, "/sandbox/faults", {"endpoint": "*", "fault": "any", "chance": CHANCE, "seconds": 0.2})
        state, said, launches = "planned", "", 0
        while state != "settled" and launches < MOST_LAUNCHES:
            launches += 1
            try:
                state = resume(
                    settings,
                    ledger,
                    gateway,
                    Renderer(settings),
                    campaign,
                    wave_id,
                    "test",
                    still_addressable=lambda asked: asked,
                    signed_up=lambda asked: {},
                    waits=WAITS,
                ).state
            except (MailchimpUnknown, NotReadyToSend) as error:
                said = str(error)
        assert state == "settled", said
        calls = _ask(url, "/sandbox/calls")
        emails = _ask(url, "/sandbox/mailbox")["emails"]
    assert Counter(email["to"] for email in emails) == {_address(number): 1 for number in range(people)}
    assert {email["count"] for email in emails} == {1}
    assert ledger.outcomes(wave_id) == {("recipient", None, "sent"): people}
    failed = sum(call["count"] for call in calls["calls"] if call["fault"])
    assert failed > calls["total"] * CHANCE / 3
    record_property(
        "figure",
        f"{people:,} recipients, {calls['total']:,} calls, {failed:,} of them with a fault; {launches} launches",
    )


def _plan(ledger, campaign, people, as_of) -> str:
    card = {"article_id": "a", "url": "https://larkspur-skin.test/blog/a", "summary": "About it."}
    slots = [
        [{**card, "code": f"{slot}{which * 9}", "title": f"Article {slot}{which}"} for which in "ab"] for slot in "123"
    ]
    wave = WaveDraft(
        wave_id=new_wave_id(as_of),
        campaign=campaign,
        as_of=as_of,
        build_id="b1",
        snapshot_id=1,
        created_at=as_of,
        who="test",
        why="a large wave",
        content={"articles": slots},
    )
    chosen = [json.dumps({f"ART{slot}": f"{slot}{which * 9}" for slot in "123"}) for which in "ab"]
    audience = pa.table(
        {
            "contact_id": [str(UUID(int=number)) for number in range(people)],
            "entry": pa.array([1] * people, pa.int64()),
            "outcome": ["recipient"] * people,
            "reason": pa.nulls(people, pa.string()),
            "evidence": ["read two articles"] * people,
            "email": [_address(number) for number in range(people)],
            "first_name": ["Ann"] * people,
            "slots": [chosen[number % 2] for number in range(people)],
        }
    )
    with ledger.planning(campaign) as planning:
        planning.write(wave, audience.to_batches())
    return wave.wave_id


def _address(number: int) -> str:
    return f"reader{number}@mail.test"


def _ask(url: str, path: str, body: dict | None = None) -> dict:
    asked = urllib.request.Request(f"{url}{path}", json.dumps(body).encode() if body else None)  # noqa: S310
    with urllib.request.urlopen(asked) as answer:  # noqa: S310, an address of our own
        return json.load(answer)
