"""The specification and the sandbox against what Mailchimp itself answered."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from orchestration.sandbox.server import running
from tests.conformance.recordings import Recorded, recordings
from tests.conformance.specification import CORRECTIONS, Specification, corrected

LIST = "a36b032126"
RECORDED = recordings()
SINCE_THE_FIRST = ("FNAME", "LNAME", "ADDRESS", "PHONE")
OF_A_FIELD = ("tag", "name", "type", "required", "public", "default_value", "options", "help_text")

# Fields that need not be the same, and why.
DIFFERENT = {
    "contact": "a list's postal address was taken out of the recordings",
    "_links": "the sandbox links to what it serves, without the addresses of Mailchimp's schema files",
}


def wrong(specification: Specification, call: Recorded) -> list[str]:
    query = {name: [value] for name, value in call.query.items()}
    body = json.dumps(call.request) if call.request else ""
    answer = "" if call.response is None else json.dumps(call.response)
    return [
        *specification.request(call.method, call.path, query, body),
        *specification.answer(call.method, call.path, call.status, call.kind, answer),
    ]


def all_wrong(specification: Specification) -> list[str]:
    return [one for calls in RECORDED.values() for call in calls for one in wrong(specification, call)]


def test_there_are_recordings_and_they_hold_against_the_corrected_specification():
    assert sum(len(calls) for calls in RECORDED.values()) == 37
    assert all_wrong(Specification()) == []


@pytest.mark.parametrize("left_out", [one for one in CORRECTIONS if one.is_recorded], ids=lambda one: one.what)
def test_each_correction_is_needed_for_the_recordings(left_out):
    others = [one for one in CORRECTIONS if one is not left_out]
    assert all_wrong(Specification(corrected(others))) != []


class Clock:
    """The sandbox's time, set to when each recorded thing happened."""

    now = datetime(2022, 2, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Replay:
    """A sandbox brought to the state in which Mailchimp was when a recording began."""

    def __init__(self, http: httpx.Client, clock: Clock) -> None:
        self.http = http
        self._clock = clock

    def prepare(self, calls: list[Recorded]) -> None:
        if any("marketing_permissions" in member for call in calls for member in call.members()):
            self._done("POST", f"/sandbox/lists/{LIST}/marketing-permissions")
        for field in self._merge_fields(calls):
            if field["tag"] not in SINCE_THE_FIRST:
                self._done("POST", f"/3.0/lists/{LIST}/merge-fields", {name: field[name] for name in OF_A_FIELD})
        first_seen: dict[str, dict] = {}
        for call in calls:
            for member in call.members():
                first_seen.setdefault(member["id"], member)
        for member in first_seen.values():
            self._clock.now = datetime.fromisoformat(member["last_changed"])
            self._add(member)
        self._clock.now = datetime(2022, 2, 23, 20, tzinfo=UTC)

    def _merge_fields(self, calls: list[Recorded]) -> list[dict]:
        shown = [call.response["merge_fields"] for call in calls if call.path.endswith("/merge-fields")]
        return shown[0] if shown else []

    def _add(self, member: dict) -> None:
        archived = member["status"] == "archived"
        body = {
            "email_address": member["email_address"],
            "status": "subscribed" if archived else member["status"],
            "merge_fields": member["merge_fields"],
            "tags": [tag["name"] for tag in member["tags"]],
        }
        self._done("POST", f"/3.0/lists/{LIST}/members", body)
        if archived:
            self._done("DELETE", f"/3.0/lists/{LIST}/members/{member['id']}")

    def _done(self, method: str, path: str, body: Any = None) -> None:
        response = self.http.request(method, path, json=body)
        assert response.is_success, f"{method} {path}: {response.text}"


@pytest.fixture
def replay(tmp_path) -> Iterator[Replay]:
    clock = Clock()
    with (
        running(tmp_path / "sandbox.sqlite", list_id=LIST, now=clock) as url,
        httpx.Client(base_url=url, auth=("any", "key")) as http,
    ):
        yield Replay(http, clock)


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_requests_get_the_same_status_and_the_same_fields_from_the_sandbox(replay, name):
    replay.prepare(RECORDED[name])
    for call in RECORDED[name]:
        body = call.request if call.method in ("POST", "PUT", "PATCH") else None
        response = replay.http.request(call.method, f"/3.0{call.path}", params=call.query, json=body)
        assert response.status_code == call.status, f"{call.method} {call.path}: {response.text}"
        if call.response is None:
            assert response.content == b""
            continue
        assert response.headers["content-type"].partition(";")[0] == call.kind
        assert fields(response.json()) == fields(call.response), f"{call.method} {call.path} {call.query}"
        if "members" in call.response:
            assert len(response.json()["members"]) == len(call.response["members"])
            assert response.json()["total_items"] == call.response["total_items"]
        if call.status >= 400:
            assert response.json()["detail"] == call.response["detail"]


def fields(document: Any, at: str = "") -> set[str]:
    """Every field there is, as a path, but those that may be different."""
    if isinstance(document, list):
        return set().union(*(fields(one, f"{at}[]") for one in document))
    if not isinstance(document, dict):
        return set()
    inner = {name: value for name, value in document.items() if name not in DIFFERENT}
    return {f"{at}.{name}" for name in inner}.union(*(fields(value, f"{at}.{name}") for name, value in inner.items()))
