"""The gateway against a server that answers in each way Mailchimp's API and its client go wrong."""

import inspect
import json
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest
import uvicorn
from anyio import to_thread
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from orchestration.core.errors import MailchimpRefused, MailchimpUnknown, SettingsError
from orchestration.resources.mailchimp import Gateway
from orchestration.resources.mailchimp_audience import Added, address_hash
from orchestration.resources.mailchimp_calls import MAX_CONNECTIONS, Pauses
from orchestration.settings import Settings

HTML = "<html><body><h1>502 Bad Gateway</h1></body></html>"
COMPLIANCE = {
    "type": "https://mailchimp.com/developer/marketing/docs/errors/",
    "title": "Member In Compliance State",
    "status": 400,
    "detail": "ann@shop.test is in a compliance state due to unsubscribe, bounce, or compliance review "
    "and cannot be subscribed. Please re-subscribe ann@shop.test.",
    "instance": "1",
}
TOO_MANY = {"title": "Too Many Requests", "status": 429, "detail": "You have exceeded the limit of 10 connections."}


async def breaks_off():
    yield b'{"id": '
    raise ConnectionResetError


BAD = {
    "429": lambda: JSONResponse(TOO_MANY, 429, media_type="application/problem+json"),
    "429 without a body": lambda: Response(status_code=429),
    "403 without a body": lambda: Response(status_code=403),
    "403 with {}": lambda: JSONResponse({}, 403),
    "403 with HTML": lambda: Response("<html>Access denied</html>", 403, media_type="text/html"),
    "500 without a body": lambda: Response(status_code=500),
    "500 with {}": lambda: JSONResponse({}, 500),
    "502 with HTML": lambda: Response(HTML, 502, media_type="text/html"),
    "503 with a reason": lambda: JSONResponse(
        {"title": "x", "detail": "y"}, 503, media_type="application/problem+json"
    ),
    "200 with HTML": lambda: Response(HTML, 200, media_type="text/html"),
    "200 without a body": lambda: Response(status_code=200),
    "200 without a content type": lambda: Response(b'{"id": "c1"}', 200),
    "200 with half the JSON": lambda: Response(b'{"id": "c', 200, media_type="application/json"),
    "a connection that breaks": lambda: StreamingResponse(breaks_off(), media_type="application/json"),
    "silence": lambda: time.sleep(0.6) or Response(status_code=204),
}
CERTAINLY_NOT_DONE = ("429", "429 without a body")


class Wrong:
    """A server that gives the bad answers it was told to, one a request, then good ones."""

    def __init__(self):
        self.coming = []
        self.calls = []
        self.good = {}
        self.now, self.most = 0, 0
        self._lock = threading.Lock()

    def answer(self, request, body):
        with self._lock:
            self.calls.append((request.method, request.url.path, body))
            bad = self.coming.pop(0) if self.coming else None
        if bad is not None:
            return BAD[bad]()
        return self.good.get(f"{request.method} {request.url.path}", lambda: JSONResponse({"id": "list1"}))()

    def slow_good(self):
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.02)
        with self._lock:
            self.now -= 1
        return JSONResponse({"status": "subscribed", "merge_fields": {}})


@contextmanager
def serving(wrong):
    async def any_call(request):
        body = await request.body()
        return await to_thread.run_sync(wrong.answer, request, body)

    app = Starlette(routes=[Route("/{path:path}", any_call, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])])
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.005)
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def port_and_server():
    wrong = Wrong()
    with serving(wrong) as port:
        yield port, wrong


@pytest.fixture
def wrong(port_and_server):
    server = port_and_server[1]
    server.coming, server.calls, server.good = [], [], {}
    return server


@pytest.fixture
def settings(tmp_path, port_and_server):
    env = {"DATA_DIR": str(tmp_path), "SANDBOX_PORT": str(port_and_server[0]), "MAILCHIMP_TIMEOUT": "0.3"}
    return Settings.from_env(env)


@pytest.fixture
def gateway(settings):
    return Gateway(settings, Pauses(first=0.001, most=0.01, tries=3))


@pytest.mark.parametrize("bad", BAD)
def test_a_read_is_asked_again_after_any_bad_answer(gateway, wrong, bad):
    wrong.coming = [bad, bad]
    assert gateway.ensure_list() == "list1"
    assert len(wrong.calls) == 3


@pytest.mark.parametrize("bad", BAD)
def test_a_read_that_stays_bad_is_unknown_after_a_few_tries(gateway, wrong, bad):
    wrong.coming = [bad] * 5
    with pytest.raises(MailchimpUnknown, match="tried 3 times"):
        gateway.ensure_list()
    assert len(wrong.calls) == 3


@pytest.mark.parametrize("bad", [bad for bad in BAD if bad not in CERTAINLY_NOT_DONE])
def test_a_send_whose_answer_is_lost_is_neither_success_nor_failure_and_never_repeated(gateway, wrong, bad):
    wrong.coming = [bad]
    with pytest.raises(MailchimpUnknown):
        gateway.send("c1")
    assert [(method, path) for method, path, _ in wrong.calls] == [("POST", "/3.0/campaigns/c1/actions/send")]


@pytest.mark.parametrize("bad", [bad for bad in BAD if bad not in CERTAINLY_NOT_DONE])
def test_a_campaign_whose_creation_is_lost_is_not_created_again_by_the_gateway(gateway, wrong, bad):
    wrong.coming = [bad]
    with pytest.raises(MailchimpUnknown):
        gateway.create_campaign("t", 1, subject="s", preview="p", from_name="f", reply_to="r@shop.test")
    assert len(wrong.calls) == 1


@pytest.mark.parametrize("bad", CERTAINLY_NOT_DONE)
def test_a_send_that_was_one_call_too_many_is_made_again(gateway, wrong, bad):
    wrong.coming = [bad]
    wrong.good["POST /3.0/campaigns/c1/actions/send"] = lambda: Response(status_code=204)
    gateway.send("c1")
    assert [body for _, _, body in wrong.calls] == [b"null", b"null"]


def test_a_refusal_says_what_mailchimp_said_without_the_address(gateway, wrong):
    path = f"PATCH /3.0/lists/sandbox0001/members/{address_hash('ann@shop.test')}"
    for media_type in ("application/problem+json; charset=utf-8", "application/json"):
        wrong.good[path] = lambda kind=media_type: JSONResponse(COMPLIANCE, 400, media_type=kind)
        with pytest.raises(MailchimpRefused, match="Member In Compliance State") as error:
            gateway.set_fields("ann@shop.test", {"FNAME": "Ann"})
        assert (error.value.status, error.value.title) == (400, "Member In Compliance State")
        assert "ann@" not in str(error.value) + error.value.detail
    assert len(wrong.calls) == 2


def test_a_server_that_is_not_there_says_where_to_look(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        env = {"DATA_DIR": str(tmp_path), "SANDBOX_PORT": str(taken.getsockname()[1])}
        gateway = Gateway(Settings.from_env(env), Pauses(0.001, 0.01, 2))
        with pytest.raises(MailchimpUnknown, match="can't be reached .* Is the network, or the sandbox, up"):
            gateway.ping()


def test_members_refused_in_a_200_are_told_apart(gateway, wrong):
    def error(address, text, code="ERROR_GENERIC"):
        return {"email_address": address, "error": text, "error_code": code, "field": "", "field_message": ""}

    wrong.good["POST /3.0/lists/sandbox0001"] = lambda: JSONResponse(
        {
            "new_members": [{"email_address": "ANN@shop.test", "status": "subscribed"}],
            "updated_members": [],
            "errors": [
                error("bob@shop.test", "bob@shop.test is already a list member", "ERROR_CONTACT_EXISTS"),
                error("fake@shop.test", "fake@shop.test looks fake or invalid, please enter a real email address."),
            ],
        }
    )
    people = [(f"{name}@shop.test", {"FNAME": "x"}) for name in ("ann", "bob", "fake", "dan")]
    assert gateway.add_new_members(people) == Added(
        created={address_hash("ann@shop.test")},
        existing={address_hash("bob@shop.test")},
        refused={
            address_hash("fake@shop.test"): "(address) looks fake or invalid, please enter a real email address.",
            address_hash("dan@shop.test"): "not in Mailchimp's answer",
        },
    )
    [(_, _, body)] = wrong.calls
    assert json.loads(body)["update_existing"] is False


def test_no_method_can_set_a_status(gateway, wrong):
    gateway.set_fields("ann@shop.test", {"FNAME": "Ann", "ART1": "aaaaaaaaaa"})
    [(method, _, body)] = wrong.calls
    assert (method, json.loads(body)) == ("PATCH", {"merge_fields": {"FNAME": "Ann", "ART1": "aaaaaaaaaa"}})
    methods = inspect.getmembers(Gateway, inspect.isfunction)
    assert not [name for name, method in methods if "status" in inspect.signature(method).parameters]


def test_never_more_than_eight_calls_are_under_way(gateway, wrong):
    addresses = [f"reader{number}@shop.test" for number in range(40)]
    for address in addresses:
        wrong.good[f"PATCH /3.0/lists/sandbox0001/members/{address_hash(address)}"] = wrong.slow_good
    list(gateway.in_parallel("test", lambda address: gateway.set_fields(address, {}), addresses))
    assert len(wrong.calls) == 40
    assert 2 <= wrong.most <= MAX_CONNECTIONS


def test_listings_are_read_in_pages_and_again_when_they_changed_meanwhile(gateway, wrong):
    def page(start, size):
        rows = [{"email_id": f"{start + number:032x}", "status": "sent"} for number in range(size)]
        return JSONResponse({"sent_to": rows, "total_items": 2000})

    # The second page lacks somebody when it is read for the first time.
    pages = [page(0, 1000), page(1000, 999), page(0, 1000), page(1000, 1000)]
    wrong.good["GET /3.0/reports/c1/sent-to"] = lambda: pages.pop(0)
    assert len(gateway.sent_to("c1")) == 2000
    assert pages == []


def test_an_id_with_server_in_it_stays_as_it_is(gateway, wrong):
    wrong.good["GET /3.0/campaigns/server1"] = lambda: JSONResponse({"id": "server1", "status": "save"})
    assert gateway.status("server1") == "save"


def test_a_real_account_without_an_audience_says_what_to_set(settings):
    with pytest.raises(SettingsError, match="MAILCHIMP_LIST_ID is not set"):
        Gateway(replace(settings, mailchimp_api_key="key-us21"))


def test_an_audience_that_does_not_exist_says_what_to_set(gateway, wrong):
    gone = {"title": "Resource Not Found", "status": 404, "detail": "The requested resource could not be found."}
    wrong.good["GET /3.0/lists/sandbox0001"] = lambda: JSONResponse(gone, 404, media_type="application/problem+json")
    with pytest.raises(SettingsError, match="knows no audience sandbox0001"):
        gateway.ensure_list()
