"""What Mailchimp tells after the fact, through real builds: suppressed contacts, deliveries told anew, and the comparison."""

import json
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from orchestration.components.campaign_run import run_campaign
from orchestration.components.catalogue import all_campaigns
from orchestration.components.feedback import Feedback
from orchestration.components.reconciliation import Reconciliation
from orchestration.components.services import Services
from orchestration.resources import models
from orchestration.resources.deliveries import land_deliveries
from orchestration.resources.landing import ingest
from orchestration.resources.mailchimp_audience import address_hash
from orchestration.sandbox.server import running
from orchestration.settings import Settings

AS_OF = datetime(2026, 11, 22, 8, tzinfo=UTC)
PEOPLE = ("ann", "bob", "cy", "dee", "eve")
[WELCOME] = [campaign for campaign in all_campaigns() if campaign.name == "welcome"]


def signup(name: str) -> str:
    said = {
        "event_id": f"s-{name}",
        "occurred_at": (AS_OF - timedelta(days=1)).isoformat(),
        "email": f"{name}@mail.test",
        "action": "subscribe",
        "source": "form",
        "basis": "consent",
        "wording_version": "1",
        "interests": [],
    }
    return json.dumps(said) + "\n"


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> Iterator[SimpleNamespace]:
    """Five are welcomed. Then, in Mailchimp, ann uses her link, bob is cleaned, cy unsubscribed and dee deleted by hand."""
    folder = tmp_path_factory.mktemp("feedback")
    with running(folder / "sandbox.sqlite") as url:
        env = {"DATA_DIR": str(folder / "data"), "SANDBOX_PORT": url.rpartition(":")[2], "AS_OF": AS_OF.isoformat()}
        services = Services(Settings.from_env({**env, "BACKLOG": "send", "QUIET_HOURS": "off"}))
        settings, ledger, warehouse = services.settings, services.ledger, services.warehouse
        outside = (settings, ledger, services.gateway, services.feedback_gateway, warehouse)
        (settings.landing_dir / "signups").mkdir(parents=True)
        (settings.landing_dir / "signups" / "a.jsonl").write_text("".join(map(signup, PEOPLE)))
        ingest(settings, warehouse)
        models.build(settings, warehouse, AS_OF)
        [wave] = run_campaign(services, WELCOME, "send", who="test").sent
        assert wave.state == "settled"

        lists, gateway = services.gateway._lists, services.gateway
        for name, status in (("bob", "cleaned"), ("cy", "unsubscribed")):
            lists.update_list_member(gateway.list_id, address_hash(f"{name}@mail.test"), {"status": status})
        lists.delete_list_member_permanent(gateway.list_id, address_hash("dee@mail.test"))
        with urllib.request.urlopen(f"{url}/outbox.json") as answer:  # noqa: S310, an address of our own
            [link] = [one["text_url"].removesuffix(".txt") for one in json.load(answer) if one["to"].startswith("ann@")]
        urllib.request.urlopen(urllib.request.Request(f"{link}/unsubscribe", method="POST")).close()  # noqa: S310
        Feedback(*outside, "test").poll()
        Reconciliation(*outside, "test").compare()
        land_deliveries(warehouse, ledger)
        models.build(settings, warehouse, AS_OF)
        with warehouse.reader() as con:
            contacts = con.execute(
                "select split_part(email, '@', 1), is_subscribed, is_addressable, suppression_reason from lake.marts.contacts"
            ).fetchall()
            deliveries = con.execute(
                "select split_part(email, '@', 1), delivery "
                "from lake.marts.campaign_deliveries join lake.marts.contacts using (contact_id)"
            ).fetchall()
            differences = con.execute(
                "select split_part(email, '@', 1), difference, here, there, first_found_at "
                "from lake.marts.reconciliation left join lake.marts.contacts using (contact_id)"
            ).fetchall()
        again = Reconciliation(*outside, "test").compare()
        yield SimpleNamespace(
            contacts={name: rest for name, *rest in contacts},
            deliveries=dict(deliveries),
            differences=differences,
            the_day_after=again.differences,
        )


def test_who_said_no_in_mailchimp_is_not_addressable_after_the_next_build(found):
    assert found.contacts == {
        "ann": [False, False, None],
        "bob": [True, False, "hard_bounce"],
        "cy": [False, False, None],
        "dee": [True, True, None],
        "eve": [True, True, None],
    }


def test_an_unsubscribe_after_the_wave_was_settled_is_in_its_deliveries(found):
    assert found.deliveries == {"ann": "unsubscribed", **dict.fromkeys(("bob", "cy", "dee", "eve"), "sent")}


def test_what_differs_is_in_the_mart_person_by_person(found):
    assert {row[:4] for row in found.differences} == {
        ("ann", "no_there", "may be written to", "unsubscribed"),
        ("bob", "no_there", "may be written to", "cleaned"),
        ("cy", "no_there", "may be written to", "unsubscribed"),
    }
    assert {row[4] for row in found.differences} == {AS_OF}


def test_the_next_comparison_knows_who_was_written_to_and_that_the_noes_are_taken_over(found):
    assert found.the_day_after == {"gone_there": 1}  # dee
