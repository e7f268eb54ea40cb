"""The calls to Mailchimp of a whole test run and of one wave, and the sandbox's answers to them.

`make test` records all of its own (TRAFFIC). Where no run has passed yet, the delivery's tests are run and recorded here.
"""

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import httpx
import pytest
from mailchimp_marketing import Client

from orchestration.sandbox.app import LIST_ID
from orchestration.sandbox.server import running
from tests.conformance.specification import PROJECT, Specification
from tests.conformance.traffic import OURS, read, wrong_calls

WHOLE_RUN = Path(os.environ.get("TRAFFIC") or PROJECT / "test-results/traffic.jsonl")
INSTEAD = ("tests/components/test_delivery.py", "tests/components/test_feedback.py")
PEOPLE = ["ada", "eve", "bounce.bob", "softbounce.sam", "complaint.cy", "unsubscribe.una", "fake.fay", "compliance.kim"]
A_WAVE = {
    "POST /lists/{list_id}",
    "POST /lists/{list_id}/segments",
    "POST /lists/{list_id}/segments/{segment_id}",
    "GET /lists/{list_id}/segments/{segment_id}/members",
    "GET /campaigns",
    "POST /campaigns",
    "PUT /campaigns/{campaign_id}/content",
    "GET /campaigns/{campaign_id}/send-checklist",
    "POST /campaigns/{campaign_id}/actions/send",
    "GET /campaigns/{campaign_id}",
    "GET /reports/{campaign_id}/sent-to",
    "GET /reports/{campaign_id}/unsubscribed",
}


@pytest.fixture
def test_run(tmp_path):
    """A recording, and what it is of."""
    if WHOLE_RUN.exists():
        made = datetime.fromtimestamp(WHOLE_RUN.stat().st_mtime).astimezone()
        return WHOLE_RUN, f"`make test` of {made:%Y-%m-%d %H:%M}"
    recording = tmp_path / "delivery.jsonl"
    env = {**os.environ, "SANDBOX_RECORDING": str(recording)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *INSTEAD], cwd=PROJECT, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    return recording, "the delivery's tests only; run `make test` first, and all of its calls are checked"


def test_the_calls_of_a_test_run_and_their_answers_are_of_the_specification(test_run, record_property):
    recording, what = test_run
    specification, traffic = Specification(), read(recording)
    by_endpoint = traffic.by_endpoint(specification)
    assert by_endpoint, f"No call is recorded in {recording}: delete it and run `make test` first."
    assert wrong_calls(traffic, specification) == []
    assert by_endpoint.keys() >= A_WAVE
    calls, shapes = traffic.times.total(), len(traffic.calls)
    figures = [f"{calls} calls of {shapes} shapes at {len(by_endpoint)} endpoints are right, from {what}:"]
    figures += [f"{calls:7} of {shapes:3} {name}" for name, (calls, shapes) in by_endpoint.items()]
    record_property("figure", "\n".join(figures))


def test_a_wave_from_its_plan_to_its_settlement_makes_only_calls_of_the_specification(recording, open_shop):
    shop = open_shop()
    rules = [
        {"endpoint": "POST /campaigns", "fault": "502", "when": "after"},
        {"endpoint": "POST /campaigns/{id}/actions/send", "fault": "close", "when": "after"},
        {"endpoint": "POST /lists/{id}/segments/{id}", "fault": "500"},
        {"endpoint": "GET /reports/*", "fault": "429"},
    ]
    assert httpx.post(f"{shop.url}/sandbox/faults", json=rules).status_code == 201
    wave_id = shop.plan(*(f"{name}@x.test" for name in PEOPLE))
    assert shop.resume(wave_id).state == "settled"
    assert len(shop.mailed(wave_id)) == 6
    told = httpx.get(f"{shop.url}/sandbox/faults").json()["faults"]
    assert [one["fired"] for one in told] == [1] * len(rules)

    specification, traffic = Specification(), read(recording)
    assert wrong_calls(traffic, specification) == []
    assert sorted(call["status"] or 0 for call in traffic.calls.values() if call["is_faulty"]) == [0, 500, 502]
    assert traffic.by_endpoint(specification).keys() >= A_WAVE


def test_one_wrong_call_among_many_right_ones_is_found(recording, tmp_path):
    client = Client({"api_key": "any", "server": ""})
    with running(tmp_path / "sandbox.sqlite") as url:
        client.api_client.host = f"{url}/3.0"
        tag = client.lists.create_segment(LIST_ID, {"name": "wave", "static_segment": []})["id"]
        for number in range(20):
            client.lists.batch_segment_members({"members_to_add": [f"{number}@x.test"]}, LIST_ID, tag)
        client.lists.batch_segment_members({"members_to_ad": ["20@x.test"]}, LIST_ID, tag)
    specification, traffic = Specification(), read(recording)
    [wrong] = wrong_calls(traffic, specification)
    endpoint = "POST /lists/{list_id}/segments/{segment_id}"
    assert wrong.startswith(f"{endpoint}: the body: Additional properties are not allowed ('members_to_ad'")
    assert traffic.by_endpoint(specification)[endpoint][0] == 21


NOT_FOUND = json.dumps({"type": "t", "title": "Resource Not Found", "status": 404, "detail": "d", "instance": "i"})


def line(**changes: object) -> str:
    """A call that is right, as it is recorded, with these changes."""
    call = {
        "agent": OURS,
        "method": "POST",
        "path": "/lists/x/segments/7",
        "query": {},
        "request": '{"members_to_add": []}',
        "status": 200,
        "kind": "application/json",
        "response": '{"total_added": 0}',
        "is_faulty": False,
    } | changes
    return json.dumps({"shape": str(call), **call}) + "\n"


def test_what_is_wrong_with_a_call_is_named(tmp_path):
    recording = tmp_path / "calls.jsonl"
    recording.write_text(
        line()
        + line(path="/lists/x/segments/7/other", status=404, kind="application/problem+json", response=NOT_FOUND)
        + line(request='{"members_to_ad": []}')
        + line(query={"skip": ["true"]})
        + line(response='{"total_added": "none"}')
        + line(response='{"total_aded": 0}')
        + line(status=400)
        + line(status=204, response="")
        + line(status=None, kind="", response="")
        + line(status=502, kind="text/html", response="<html>", is_faulty=True)
        + line(agent="one that a test makes up", request="{}", query={"skip": ["true"]})
        + line()[:100]  # its process was killed
    )
    endpoint = "POST /lists/{list_id}/segments/{segment_id}"
    found = wrong_calls(read(recording), Specification())
    assert len(found) == 8
    assert found[0] == "POST /lists/x/segments/7/other: the sandbox serves no such endpoint"
    assert found[1].startswith(f"{endpoint}: the body: Additional properties are not allowed ('members_to_ad'")
    assert found[2] == f"{endpoint}: no parameter skip"
    assert found[3].startswith(f'{endpoint}: 200: total_added: "none" is not of type')
    assert "total_aded" in found[4]
    assert found[5] == f"{endpoint}: 400 as application/json, not application/problem+json"
    assert found[6] == f"{endpoint}: 204 is no answer of this endpoint"
    assert found[7] == f"{endpoint}: no answer"
