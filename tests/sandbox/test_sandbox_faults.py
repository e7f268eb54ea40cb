"""Faults the sandbox is told over HTTP, as another process would tell it, and what the caller then sees."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from orchestration.sandbox.faults import ANY, DRAWN

LIST = "sandbox0001"
MEMBER = {"email_address": "ada@x.test", "status": "subscribed"}
ADD = f"/lists/{LIST}/members"


@pytest.fixture
def tell(sandbox):
    """`tell(endpoint, fault, …)`: tell the sandbox one rule; gives it back as the sandbox holds it."""

    def tell(endpoint: str, fault: str, **more) -> dict:
        response = httpx.post(f"{sandbox.url}/sandbox/faults", json={"endpoint": endpoint, "fault": fault, **more})
        assert response.status_code == 201, response.text
        return response.json()["faults"][0]

    return tell


def calls(sandbox) -> list[dict]:
    return httpx.get(f"{sandbox.url}/sandbox/calls").json()["calls"]


def was_added(sandbox) -> bool:
    return sandbox.http.get(f"{ADD}/ada@x.test").status_code == 200


def add(sandbox, **more) -> httpx.Response:
    return sandbox.http.post(ADD, json=MEMBER, **more)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("fault", "kind"), [("403", None), ("500", None), ("502", "text/html; charset=utf-8")])
def test_an_answer_is_replaced_before_or_after_the_work(sandbox, tell, fault, kind, when):
    tell("POST /lists/{list_id}/members", fault, when=when)
    response = add(sandbox)
    assert response.status_code == int(fault)
    assert response.headers.get("content-type") == kind
    assert ("502 Bad Gateway" in response.text) if kind else response.content == b""
    assert was_added(sandbox) == (when == "after")


def test_too_many_requests_is_a_problem_and_nothing_is_done(sandbox, tell):
    tell("POST /lists/{list_id}/members", "429")
    problem = sandbox.problem("POST", ADD, json=MEMBER)
    assert problem["status"] == 429
    assert problem["detail"] == "You have exceeded the limit of 10 simultaneous connections."
    assert not was_added(sandbox)


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_connection_is_closed_before_or_after_the_work(sandbox, tell, when):
    tell("POST /lists/{list_id}/members", "close", when=when)
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        add(sandbox)
    assert was_added(sandbox) == (when == "after")


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_caller_runs_out_of_time_before_or_after_the_work(sandbox, tell, when):
    tell("POST /lists/{list_id}/members", "timeout", when=when)
    with pytest.raises(httpx.ReadTimeout):
        add(sandbox, timeout=0.05)
    assert was_added(sandbox) == (when == "after")


def test_a_held_connection_is_closed_at_last(sandbox, tell):
    tell("GET /ping", "timeout", seconds=0.05)
    with pytest.raises(httpx.RemoteProtocolError):
        sandbox.http.get("/ping")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_slow_answer_is_right_and_late(sandbox, tell, when):
    tell("POST /lists/{list_id}/members", "slow", when=when, seconds=0.2)
    start = time.monotonic()
    assert add(sandbox).json()["status"] == "subscribed"
    assert time.monotonic() - start >= 0.2
    assert add(sandbox).json()["title"] == "Member Exists"


def test_the_work_of_a_slow_call_is_done_though_its_caller_gave_up(sandbox, tell):
    tell("POST /lists/{list_id}/members", "slow", seconds=0.2)
    with pytest.raises(httpx.ReadTimeout):
        add(sandbox, timeout=0.05)
    assert not was_added(sandbox)
    give_up = time.monotonic() + 5
    while not was_added(sandbox):
        assert time.monotonic() < give_up, "the member was never added"
        time.sleep(0.02)


def test_the_third_send_does_its_work_and_then_closes_the_connection(sandbox, tell):
    sandbox.add("ada@x.test")
    drafts = [sandbox.draft(title=f"w{number}") for number in range(4)]
    tell("POST /campaigns/{id}/actions/send", "close", when="after", nth=3)
    for number, draft in enumerate(drafts):
        if number == 2:
            with pytest.raises(httpx.RemoteProtocolError):
                sandbox.http.post(f"/campaigns/{draft}/actions/send")
        else:
            assert sandbox.http.post(f"/campaigns/{draft}/actions/send").status_code == 204
        sandbox.wait_until_sent(draft)
    mailbox = httpx.get(f"{sandbox.url}/sandbox/mailbox").json()
    assert [(one["title"], one["to"], one["count"]) for one in mailbox["emails"]] == [
        (f"w{number}", "ada@x.test", 1) for number in range(4)
    ]
    assert mailbox["total"] == 4
    only = httpx.get(f"{sandbox.url}/sandbox/mailbox", params={"campaign_id": drafts[1]}).json()
    assert [one["title"] for one in only["emails"]] == ["w1"]


def test_a_lost_answer_may_have_been_a_refusal(sandbox, tell):
    tell("POST /lists/{list_id}/members", "close", when="after", nth=2)
    assert add(sandbox).status_code == 200
    with pytest.raises(httpx.RemoteProtocolError):
        add(sandbox)


def test_more_than_ten_calls_at_once_are_one_too_many(sandbox, tell):
    tell("*", "connections")
    tell("GET /ping", "slow", seconds=0.5, times=10)
    with ThreadPoolExecutor(14) as callers:
        answers = list(callers.map(lambda _: sandbox.http.get("/ping").status_code, range(14)))
    assert sorted(answers) == [200] * 10 + [429] * 4
    assert sandbox.http.get("/ping").status_code == 200


def test_some_members_of_a_batch_fail_in_a_200(sandbox, tell):
    tell("POST /lists/{list_id}", "refuse_members", members=2)
    answer = sandbox.add("ada@x.test", "bob@x.test", "eve@x.test")
    assert (answer["total_created"], answer["error_count"]) == (1, 2)
    assert [(one["email_address"], one["error_code"]) for one in answer["errors"]] == [
        ("ada@x.test", "ERROR_GENERIC"),
        ("bob@x.test", "ERROR_GENERIC"),
    ]
    assert "not allowing more signups for now" in answer["errors"][0]["error"]
    assert sandbox.add("ada@x.test", "bob@x.test")["total_created"] == 2


def test_some_members_of_a_segment_batch_fail_in_a_200(sandbox, tell):
    sandbox.add("ada@x.test", "bob@x.test")
    segment = sandbox.client.lists.create_segment(LIST, {"name": "w1", "static_segment": []})["id"]
    tell("POST /lists/{list_id}/segments/{segment_id}", "refuse_members")
    body = {"members_to_add": ["ada@x.test", "bob@x.test"]}
    answer = sandbox.client.lists.batch_segment_members(body, LIST, segment)
    assert [one["email_address"] for one in answer["members_added"]] == ["bob@x.test"]
    assert answer["errors"][0]["email_addresses"] == ["ada@x.test"]
    assert (answer["total_added"], answer["error_count"]) == (1, 1)


def some_calls(sandbox, count: int = 60) -> list[int]:
    return [sandbox.http.get(path).status_code for _ in range(count) for path in ("/ping", "/lists")]


def test_the_same_seed_gives_the_same_faults_to_the_same_calls(sandbox, tell):
    runs = []
    for seed in (7, 7, 8):
        httpx.delete(f"{sandbox.url}/sandbox/faults")
        tell("*", "500", chance=0.2, seed=seed)
        runs.append(some_calls(sandbox))
    assert runs[0] == runs[1] != runs[2]
    assert 10 <= runs[0].count(500) <= 40
    assert set(runs[0]) == {200, 500}


def test_any_fault_is_one_of_all_there_are(sandbox, tell):
    tell("GET /ping", ANY, chance=0.999, seconds=0)
    for _ in range(120):
        try:
            sandbox.http.get("/ping")
        except httpx.RemoteProtocolError:
            continue
    assert {(one["fault"], one["when"]) for one in calls(sandbox) if one["fault"]} == set(DRAWN)


def test_calls_are_counted_by_endpoint_answer_and_fault(sandbox, tell):
    sandbox.add("ada@x.test")
    add(sandbox)
    tell("GET /lists/{list_id}/members/*", "close")
    with pytest.raises(httpx.RemoteProtocolError):
        was_added(sandbox)
    assert was_added(sandbox)
    sandbox.http.get("/nowhere/ada@x.test")
    member = "/lists/{list_id}/members/{subscriber_hash}"
    none = {"fault": None, "when": None, "count": 1}
    assert calls(sandbox) == [
        {"method": "POST", "path": "/lists/{list_id}", "status": 200} | none,
        {"method": "POST", "path": "/lists/{list_id}/members", "status": 400} | none,
        {"method": "GET", "path": member, "status": None} | none | {"fault": "close", "when": "before"},
        {"method": "GET", "path": member, "status": 200} | none,
        {"method": "GET", "path": "/{path}", "status": 404} | none,
    ]
    assert httpx.delete(f"{sandbox.url}/sandbox/calls").status_code == 204
    assert calls(sandbox) == []


def test_rules_are_listed_with_what_became_of_them_and_can_be_forgotten(sandbox, tell):
    first = tell("GET /ping", "500", nth=2, times=2)
    second = tell("GET /ping", "403", times=None)
    assert [sandbox.http.get("/ping").status_code for _ in range(4)] == [403, 500, 500, 403]
    told = httpx.get(f"{sandbox.url}/sandbox/faults").json()["faults"]
    assert [(one["id"], one["seen"], one["fired"]) for one in told] == [(first["id"], 4, 2), (second["id"], 4, 2)]
    assert httpx.delete(f"{sandbox.url}/sandbox/faults/{second['id']}").status_code == 204
    assert sandbox.http.get("/ping").status_code == 200
    assert len(httpx.get(f"{sandbox.url}/sandbox/faults").json()["faults"]) == 1


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        ({"fault": "500"}, "an endpoint and a fault"),
        ({"endpoint": "GET /ping", "fault": "418"}, "fault is one of"),
        ({"endpoint": "GET /pings", "fault": "500"}, "No endpoint here is 'GET /pings'"),
        ({"endpoint": "GET /ping", "fault": "refuse_members"}, "can have the fault refuse_members"),
        ({"endpoint": "GET /ping", "fault": "429", "when": "after"}, "429 is always before"),
        ({"endpoint": "GET /ping", "fault": "500", "nth": 0}, "nth is a whole number, 1 or more"),
        ({"endpoint": "GET /ping", "fault": "500", "chance": 2}, "chance is a number from 0 to 1"),
        ({"endpoint": "GET /ping", "fault": "500", "often": 1}, "A rule has no often"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_with_the_reason(sandbox, rule, error):
    good = {"endpoint": "GET /ping", "fault": "500"}
    response = httpx.post(f"{sandbox.url}/sandbox/faults", json=[good, rule])
    assert response.status_code == 400
    assert error in response.json()["error"]
    assert sandbox.http.get("/ping").status_code == 200


def test_a_body_that_is_no_json_is_refused(sandbox):
    response = httpx.post(f"{sandbox.url}/sandbox/faults", content="every call")
    assert (response.status_code, response.json()["error"]) == (400, "The body is a rule, or a list of rules, as JSON.")
