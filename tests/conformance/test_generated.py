"""Calls that schemathesis makes up from the specification, right and wrong ones, to every endpoint the sandbox serves.

Every answer must be one the specification has. A call whose fields or parameters are of the wrong kind must be refused.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from orchestration.sandbox.api import ENDPOINTS
from orchestration.sandbox.server import running
from tests.conformance.specification import Specification, corrected

LIST = "sandbox0001"
HTML = "<p>Hello</p> *|UNSUB|* *|LIST:ADDRESSLINE|*"
SPECIFICATION = Specification()
# Nothing can be wrong with such a call but who makes it.
ALWAYS_RIGHT = {"GET /ping", "GET /lists"}
# What Mailchimp does and the sandbox refuses to (campaigns that are not regular, content of another kind than given), and
# what names something that is not there.
REFUSED = {"rss_opts", "variate_settings", "url", "template", "archive", "variate_contents", "marketing_permissions"}


def _schema() -> schemathesis.BaseSchema:
    document = corrected()
    # The key is not what is tried here.
    del document["security"], document["components"]["securitySchemes"]
    return schemathesis.openapi.from_dict(document)


SCHEMA = _schema()


@dataclass
class World:
    """A sandbox with a bit of everything in it. `known`: parameter of a path → values that lead somewhere."""

    url: str
    session: requests.Session
    known: dict[str, list[str]]
    segment_id: int


@pytest.fixture
def world(tmp_path) -> Iterator[World]:
    with running(tmp_path / "sandbox.sqlite") as url, requests.Session() as session:
        session.auth, session.trust_env = ("any", "key"), False
        yield _furnished(World(f"{url}/3.0", session, {}, 0))


def _furnished(world: World) -> World:
    people = ["ada@x.test", "eve@x.test", "bounce@x.test", "unsubscribe@x.test"]
    members = [{"email_address": one, "status": "subscribed"} for one in people]
    _done(world, "POST", f"/lists/{LIST}", {"members": members})
    world.segment_id = _done(world, "POST", f"/lists/{LIST}/segments", {"name": "w1", "static_segment": people})["id"]
    body = {
        "type": "regular",
        "recipients": {"list_id": LIST, "segment_opts": {"saved_segment_id": world.segment_id}},
        "settings": {"subject_line": "Hello", "from_name": "Larkspur", "reply_to": "hello@larkspur-skin.test"},
    }
    campaigns = [_done(world, "POST", "/campaigns", body)["id"] for _ in range(2)]
    for one in campaigns:
        _done(world, "PUT", f"/campaigns/{one}/content", {"html": HTML, "plain_text": "*|UNSUB|*"})
    _done(world, "POST", f"/campaigns/{campaigns[1]}/actions/send")
    give_up = time.monotonic() + 10
    while _done(world, "GET", f"/campaigns/{campaigns[1]}")["status"] != "sent":
        assert time.monotonic() < give_up, "the campaign was not sent within 10 s"
    world.known = {
        "list_id": [LIST],
        "subscriber_hash": people[:2],
        "segment_id": [str(world.segment_id)],
        "campaign_id": campaigns,
    }
    return world


def _done(world: World, method: str, path: str, body: dict | None = None) -> dict:
    response = world.session.request(method, world.url + path, json=body)
    assert response.ok, response.text
    return response.json() if response.content else {}


def _aimed(case: schemathesis.Case, world: World, data: st.DataObject) -> schemathesis.Case:
    """Mostly at what is there: a made-up id only ever gets 404."""
    for name in case.path_parameters or {}:
        if data.draw(st.integers(0, 5)):
            case.path_parameters[name] = data.draw(st.sampled_from(world.known[name]))
    return case


def _sensible(body: object, world: World, data: st.DataObject) -> None:
    """Addresses, lists and segments that are there in place of made-up text; now and then, nothing that is refused."""
    if not isinstance(body, dict):
        return
    for entry in [body, *(one for one in body.get("members", []) if isinstance(one, dict))]:
        if "email_address" in entry:
            entry["email_address"] = f"reader{data.draw(st.integers(0, 99))}@x.test"
    recipients = body.get("recipients")
    if isinstance(recipients, dict) and data.draw(st.booleans()):
        body["recipients"] = {"list_id": LIST, "segment_opts": {"saved_segment_id": world.segment_id}}
        body["type"] = "regular"
    if data.draw(st.booleans()):
        for name in REFUSED & body.keys():
            del body[name]
    if "static_segment" not in body and "name" in body:
        body["static_segment"] = world.known["subscriber_hash"][:1]
    if "plain_text" in body and "html" not in body:
        body["html"] = HTML


def _call(case: schemathesis.Case, endpoint: str, world: World) -> tuple[int, list[str]]:
    """The status of the answer, and what is wrong with the call by the specification. Asserts that the answer is right."""
    response = case.call(base_url=world.url, session=world.session)
    method, path = endpoint.split(" ")
    kind = response.headers.get("content-type", [""])[0].partition(";")[0]
    assert response.status_code < 500, response.text
    sent = response.request
    query = parse_qs(urlsplit(sent.url).query, keep_blank_values=True)
    partial = not {"fields", "exclude_fields"}.isdisjoint(query)
    assert SPECIFICATION.answer(method, path, response.status_code, kind, response.text, partial=partial) == []
    return response.status_code, SPECIFICATION.kinds(endpoint, query, sent.body or b"")


def _tries(count: int) -> settings:
    return settings(
        max_examples=count, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )


def test_the_specification_has_every_endpoint_the_sandbox_serves():
    assert [one for one in ENDPOINTS if SPECIFICATION.endpoint(*one.split(" ")) != one] == []


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_right_calls_get_answers_of_the_specification(world, endpoint):
    method, path = endpoint.split(" ")
    statuses = set()

    @_tries(25)
    @given(SCHEMA[path][method].as_strategy(generation_mode=GenerationMode.POSITIVE), st.data())
    def try_one(case: schemathesis.Case, data: st.DataObject) -> None:
        _sensible(case.body, world, data)
        status, wrong = _call(_aimed(case, world, data), endpoint, world)
        assert wrong == []
        statuses.add(status)

    try_one()
    assert statuses & {200, 204}, f"only ever refused: {statuses}"
    assert endpoint in ALWAYS_RIGHT or any(status >= 400 for status in statuses), "never refused"


def _can_be_wrong(endpoint: str) -> bool:
    method, path = endpoint.split(" ")
    operation = SCHEMA[path][method].definition.raw
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    return "type" in body or any(one["in"] == "query" for one in operation.get("parameters", []))


@pytest.mark.parametrize("endpoint", [one for one in ENDPOINTS if _can_be_wrong(one)])
def test_wrong_calls_get_problems_of_the_specification(world, endpoint):
    method, path = endpoint.split(" ")
    refused = []

    @_tries(25)
    @given(SCHEMA[path][method].as_strategy(generation_mode=GenerationMode.NEGATIVE), st.data())
    def try_one(case: schemathesis.Case, data: st.DataObject) -> None:
        status, wrong = _call(_aimed(case, world, data), endpoint, world)
        if wrong:
            assert status >= 400, f"taken although {wrong[0]}"
            refused.append(status)

    try_one()
    assert refused or method == "GET", "never wrong"


def test_a_call_without_a_key_is_refused_as_the_specification_says(world):
    for endpoint in ENDPOINTS:
        method, path = endpoint.split(" ")
        response = requests.request(method, world.url + path, timeout=10)
        assert response.status_code == 401, endpoint
        kind = response.headers["content-type"].partition(";")[0]
        assert SPECIFICATION.answer(method, path, 401, kind, response.text) == []
        assert response.json()["title"] == "API Key Invalid"
