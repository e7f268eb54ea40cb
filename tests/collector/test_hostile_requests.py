"""Each door under fire: no 5xx, no inside told, nothing accepted that shouldn't be."""

import json
import random
import socket
from urllib.parse import urlencode

import httpx
import pytest

from orchestration.collector.server import running
from tests.collector.conftest import BROWSER, SERVER, settings
from tests.collector.test_webhook_doors import FIRED, MEMBER, mailchimp_signed, signed
from tests.core.test_woocommerce import ORDER

ORDER_BODY = json.dumps(ORDER).encode()
FORM_BODY = urlencode({"type": "unsubscribe", "fired_at": FIRED, **MEMBER}).encode()
VIEW_BODY = json.dumps({"article_id": "7", "url": "u", "visitor_id": "v", "tracking_consent": True}).encode()
DOORS = {
    "/webhooks/woocommerce": (ORDER_BODY, signed, "orders"),
    "/webhooks/mailchimp": (FORM_BODY, mailchimp_signed, "signups"),
    "/v1/signups": (
        json.dumps({"email": "a@mail.test", "action": "subscribe", "source": "x"}).encode(),
        None,
        "signups",
    ),
    "/v1/article-views": (VIEW_BODY, None, "article_views"),
}
# Signed and all, they are no event.
NONSENSE = {
    "nothing": b"",
    "bad UTF-8": b'{"id": "\xff\xfe"}',
    "half a character": b'{"email": "\\ud800@mail.test", "id": 1}',
    "deep": b"[" * 200_000,
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "a number without end": b'{"id": ' + b"9" * 100_000 + b"}",
    "NaN": b'{"id": NaN}',
    "a list of lists": b"[[[]]]",
    "a text": b'"id"',
    "null": b"null",
    "a form": b"id=1&status=processing",
    "many fields": b"&".join(b"a%d=1" % number for number in range(5000)),
    "bad percents": b"type=%ff%fe&fired_at=%zz&data[id]=%00",
}


def _headers(sign, body: bytes) -> dict:
    return sign(body) if sign else SERVER


def _check(answer) -> None:
    assert answer.status_code < 500, answer.text
    assert "Traceback" not in answer.text
    assert "orchestration" not in answer.text
    assert len(answer.content) < 2000


@pytest.mark.parametrize("path", DOORS)
def test_nonsense_is_refused_at_every_door(collector, path):
    _, sign, source = DOORS[path]
    for name, body in NONSENSE.items():
        answer = collector.post(path, content=body, headers=_headers(sign, body))
        _check(answer)
        assert answer.status_code in (400, 413), name
        assert collector.rows(source) == [], name


@pytest.mark.parametrize("path", DOORS)
def test_a_body_cut_short_or_turned_around_is_refused_or_one_row(collector, path):
    """Signed as it is, so that only its content is wrong; at most a row a request comes of it, and never a broken line."""
    good, sign, source = DOORS[path]
    draw = random.Random(path)  # noqa: S311
    sent = 0
    for _ in range(150):
        body = bytearray(good[: draw.randrange(1, len(good) + 1)])
        for _ in range(draw.randrange(4)):
            body[draw.randrange(len(body))] = draw.randrange(256)
        answer = collector.post(path, content=bytes(body), headers=_headers(sign, bytes(body)))
        _check(answer)
        sent += answer.status_code in (200, 204)
    assert len(collector.rows(source)) <= sent


@pytest.mark.parametrize("path", ["/webhooks/woocommerce", "/webhooks/mailchimp"])
def test_what_was_signed_is_not_good_for_anything_else(collector, path):
    good, sign, source = DOORS[path]
    headers = _headers(sign, good)
    for body in (good[:-1], good + b" ", good.replace(b"1", b"2"), b"", b"{}"):
        answer = collector.post(path, content=body, headers=headers)
        _check(answer)
        assert answer.status_code == 401
    assert collector.rows(source) == []


@pytest.mark.parametrize("path", DOORS)
def test_50_mb_are_refused_before_they_are_read(collector, path):
    host, port = collector.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as line:
        line.sendall(f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {50 << 20}\r\n".encode())
        line.sendall(f"Authorization: {SERVER['Authorization']}\r\n\r\n".encode())
        assert line.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_who_calls_too_often_is_told_to_wait(tmp_path):
    of = settings(tmp_path, COLLECTOR_RATE="5")
    with running(of) as url, httpx.Client(base_url=url, trust_env=False) as http:
        answers = [http.post("/v1/article-views", content=VIEW_BODY, headers=BROWSER) for _ in range(12)]
        assert {answer.status_code for answer in answers} == {200, 429}
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
        assert http.post("/v1/article-views", content=VIEW_BODY, headers=SERVER).status_code == 200
        on_disk = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert b"127.0.0.1" not in on_disk
