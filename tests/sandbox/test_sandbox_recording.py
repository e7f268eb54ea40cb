"""What the sandbox records of the calls to it."""

import json
import time
from collections import Counter

import httpx
import pytest

from orchestration.sandbox.server import running
from tests.sandbox.conftest import LIST, connect


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """A sandbox that records, and what it has recorded: the calls kept in full, and how many each of them stands for."""
    recording = tmp_path / "calls.jsonl"
    monkeypatch.setenv("SANDBOX_RECORDING", str(recording))

    def told():
        lines = [json.loads(line) for line in recording.read_text().splitlines() if line]
        times = Counter(line["shape"] for line in lines)
        return [(line, times[line["shape"]]) for line in lines if "path" in line]

    with running(tmp_path / "sandbox.sqlite") as url:
        yield connect(url), told


def test_of_calls_that_are_alike_the_first_is_kept_and_all_are_counted(recorded):
    sandbox, told = recorded
    for number in range(5):
        sandbox.add(*(f"{number}.{n}@x.test" for n in range(number + 1)))
    [(call, times)] = told()
    assert (call["method"], call["path"], call["status"], times) == ("POST", f"/lists/{LIST}", 200, 5)
    assert json.loads(call["request"])["members"][0]["email_address"] == "0.0@x.test"
    assert json.loads(call["response"])["total_created"] == 1


def test_what_may_be_right_or_wrong_by_itself_is_kept_each(recorded):
    sandbox, told = recorded
    sandbox.add("ada@x.test")
    sandbox.add("eve@x.test", status="unsubscribed")  # another word
    sandbox.add("cat@x.test", FNAME="Cat")  # another field
    sandbox.client.lists.get_list(LIST)  # another endpoint
    sandbox.client.lists.get_list(LIST, include_total_contacts=True)  # another parameter
    sandbox.http.get(f"/lists/{LIST}")  # another caller
    sandbox.problem("GET", "/lists/nowhere")  # another answer
    assert [times for _, times in told()] == [1] * 7


def test_an_answer_that_it_was_told_to_spoil_is_marked(recorded):
    sandbox, told = recorded
    rules = [{"endpoint": "GET /ping", "fault": fault} for fault in ("502", "429", "slow", "close")]
    httpx.post(f"{sandbox.url}/sandbox/faults", json=rules[:2] + [rules[2] | {"seconds": 0.01}] + rules[3:])
    for _ in range(3):
        sandbox.http.get("/ping")
    with pytest.raises(httpx.TransportError):
        sandbox.http.get("/ping")
    until = time.monotonic() + 5
    while len(told()) < 4 and time.monotonic() < until:
        time.sleep(0.01)  # the last one is written when its connection is closed already
    assert [(call["status"], call["is_faulty"]) for call, _ in told()] == [
        (502, True),
        (429, False),
        (200, False),
        (None, True),
    ]
