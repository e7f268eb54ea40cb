"""The collector against its own description: calls that schemathesis makes up from it, right and wrong ones."""

import base64
import hashlib
import hmac
from collections.abc import Iterator

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from orchestration.collector.openapi import described
from orchestration.collector.server import running
from orchestration.settings import Settings
from tests.collector.conftest import SECRETS, SERVER
from tests.collector.conftest import settings as collector_settings

DOCUMENT = described(Settings.from_env({}))
OPERATIONS = [(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods]
WITH_A_BODY = [(path, method) for path, method in OPERATIONS if method == "post"]
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)


def _schema() -> schemathesis.BaseSchema:
    document = described(Settings.from_env({}))
    # Who may call is tried elsewhere; here everybody who does may.
    for path, method in OPERATIONS:
        document["paths"][path][method].pop("security", None)
    return schemathesis.openapi.from_dict(document)


SCHEMA = _schema()


class AsIfByTheSender(requests.auth.AuthBase):
    """The key, and WooCommerce's signature of whatever is sent."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(SERVER)
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        secret = SECRETS["WOOCOMMERCE_WEBHOOK_SECRET"].encode()
        signature = base64.b64encode(hmac.new(secret, body, hashlib.sha256).digest()).decode()
        request.headers["X-WC-Webhook-Signature"] = signature
        return request


@pytest.fixture(scope="module")
def url(tmp_path_factory) -> Iterator[str]:
    with running(collector_settings(tmp_path_factory.mktemp("collector"))) as url:
        yield url


def _try(url: str, path: str, method: str, mode: GenerationMode) -> set[int]:
    statuses = set()

    @settings(max_examples=12, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(
        SCHEMA[path][method].as_strategy(generation_mode=mode), st.sampled_from(["order.updated", "product.created"])
    )
    def try_one(case: schemathesis.Case, topic: str) -> None:
        if path == "/webhooks/woocommerce" and mode is GenerationMode.POSITIVE:
            case.headers["X-WC-Webhook-Topic"] = topic
        with requests.Session() as session:
            session.trust_env = False
            key = {"key": SECRETS["MAILCHIMP_WEBHOOK_KEY"]}
            response = case.call(base_url=url, session=session, auth=AsIfByTheSender(), params=key)
        case.validate_response(response, checks=list(CHECKS))
        statuses.add(response.status_code)

    try_one()
    return statuses


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_right_calls_are_answered_as_described(url, path, method):
    statuses = _try(url, path, method, GenerationMode.POSITIVE)
    assert statuses & {200, 204} or path.startswith("/webhooks/"), f"only ever refused: {statuses}"


@pytest.mark.parametrize(("path", "method"), WITH_A_BODY)
def test_wrong_calls_are_refused_as_described(url, path, method):
    assert 400 in _try(url, path, method, GenerationMode.NEGATIVE)


def test_it_describes_itself(collector):
    assert collector.http.get("/openapi.json").json()["paths"].keys() == DOCUMENT["paths"].keys()
