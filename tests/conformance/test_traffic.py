"""Our own calls, and the sandbox's answers to them, over the life of a wave."""

import json

import httpx

from tests.conformance.specification import Specification
from tests.conformance.traffic import lines, wrong_calls

PEOPLE = ["ada", "eve", "bounce.bob", "softbounce.sam", "complaint.cy", "unsubscribe.una", "fake.fay", "compliance.kim"]


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

    assert wrong_calls(recording) == []
    specification = Specification()
    made = {specification.endpoint(line["method"], line["path"]) for line in lines(recording)}
    assert made >= {
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


NOT_FOUND = json.dumps({"type": "t", "title": "Resource Not Found", "status": 404, "detail": "d", "instance": "i"})


def line(**changes: object) -> str:
    """A call that is right, as it is recorded, with these changes."""
    call = {
        "method": "POST",
        "path": "/lists/x/segments/7",
        "query": {},
        "request": '{"members_to_add": []}',
        "status": 200,
        "kind": "application/json",
        "response": '{"total_added": 0}',
    }
    return json.dumps(call | changes) + "\n"


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
    )
    endpoint = "POST /lists/{list_id}/segments/{segment_id}"
    found = wrong_calls(recording)
    assert len(found) == 7
    assert found[0] == "POST /lists/x/segments/7/other: the sandbox serves no such endpoint"
    assert found[1].startswith(f"{endpoint}: the body: Additional properties are not allowed ('members_to_ad'")
    assert found[2] == f"{endpoint}: no parameter skip"
    assert found[3].startswith(f'{endpoint}: 200: total_added: "none" is not of type')
    assert "total_aded" in found[4]
    assert found[5] == f"{endpoint}: 400 as application/json, not application/problem+json"
    assert found[6] == f"{endpoint}: 204 is no answer of this endpoint"
