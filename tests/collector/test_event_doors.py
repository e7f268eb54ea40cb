"""Signups and views over HTTP: who may say what, and what each is answered."""

import pytest

from tests.collector.conftest import BROWSER, SERVER, SHOP

SIGNUP = {"email": " Ivy@Mail.test", "action": "subscribe", "source": "till", "basis": "consent"}
VIEW = {"article_id": "7", "url": f"{SHOP}/blog/peels", "visitor_id": "v-0123456789", "tracking_consent": True}


def test_a_server_signs_somebody_up_and_the_row_is_on_disk_when_it_is_answered(collector):
    assert collector.post("/v1/signups", json=SIGNUP | {"event_id": "till-1"}, headers=SERVER).status_code == 204
    [row] = collector.rows("signups")
    assert (row["event_id"], row["email"], row["interests"]) == ("till-1", "ivy@mail.test", [])


def test_who_gives_no_id_is_told_the_one_it_got(collector):
    answer = collector.post("/v1/signups", json=SIGNUP, headers=SERVER)
    [row] = collector.rows("signups")
    assert (answer.status_code, answer.json()) == (
        200,
        {"items": [{"status": "accepted", "event_id": row["event_id"]}]},
    )


def test_of_many_each_is_answered_for_itself_and_the_good_ones_are_kept(collector):
    events = [SIGNUP, SIGNUP | {"email": "nobody"}, "hello", SIGNUP | {"action": "shout"}, SIGNUP]
    answer = collector.post("/v1/signups", json=events, headers=SERVER)
    assert answer.status_code == 200
    assert [item.get("why", item["status"]) for item in answer.json()["items"]] == [
        "accepted",
        "email: not an address",
        "the event is not a JSON object",
        "action: is none of subscribe, unsubscribe, update_preferences",
        "accepted",
    ]
    assert len(collector.rows("signups")) == 2


def test_a_browser_on_a_page_of_the_shop_may_sign_up_and_tell_what_is_read(collector):
    signup = {"email": "ivy@mail.test", "event_id": "0a1b2c3d-1", "occurred_at": "2099-01-01T00:00:00Z"}
    assert collector.post("/v1/signups", json=signup, headers=BROWSER).status_code == 204
    answer = collector.post("/v1/article-views", json=VIEW, headers=BROWSER)
    assert answer.headers["access-control-allow-origin"] == SHOP
    [row] = collector.rows("signups")
    assert (row["event_id"], row["action"], row["basis"], row["source"]) == (
        "web-0a1b2c3d-1",
        "subscribe",
        "consent",
        "web_form",
    )
    assert row["occurred_at"] < "2099"  # by our clock
    [view] = collector.rows("article_views")
    assert view["event_id"].startswith("web-")
    assert view["email"] is None


@pytest.mark.parametrize(
    ("path", "event", "why"),
    [
        ("/v1/signups", SIGNUP | {"action": "unsubscribe"}, "action: without the key only subscribe"),
        ("/v1/signups", SIGNUP | {"basis": "soft_opt_in"}, "basis: without the key only consent"),
        ("/v1/signups", SIGNUP | {"previous_email": "eve@mail.test"}, "previous_email: only with the key"),
        (
            "/v1/signups",
            SIGNUP | {"first_name": "you won, see www.evil.test"},
            "first_name: is at most 40 characters of a name",
        ),
        ("/v1/signups", SIGNUP | {"is_professional": True}, "is_professional: only with the key"),
        ("/v1/signups", SIGNUP | {"event_id": "../../1"}, "event_id: is not 8 to 64"),
        ("/v1/article-views", VIEW | {"email": "ivy@mail.test"}, "email: only with the key"),
    ],
)
def test_a_browser_does_not_speak_for_others(collector, path, event, why):
    answer = collector.post(path, json=event, headers=BROWSER)
    assert answer.status_code == 400
    [item] = answer.json()["items"]
    assert item["why"].startswith(why)
    assert collector.rows("signups") == collector.rows("article_views") == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://elsewhere.test"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer wrong", "Origin": SHOP},
        {"Authorization": "a-key-of-servers"},
    ],
)
def test_strangers_are_told_what_is_missing_and_nothing_is_kept(collector, headers):
    answer = collector.post("/v1/article-views", json=VIEW, headers=headers)
    assert (answer.status_code, list(answer.json())) == (401, ["error"])
    assert collector.rows("article_views") == []


def test_a_bot_is_answered_and_left_out(collector):
    bot = BROWSER | {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}
    answer = collector.post("/v1/article-views", json=VIEW, headers=bot)
    assert answer.json() == {"items": [{"status": "left_out", "why": "a bot"}]}
    assert collector.rows("article_views") == []


def test_a_phone_whose_maker_sounds_like_one_is_no_bot(collector):
    phone = BROWSER | {"User-Agent": "Mozilla/5.0 (Linux; Android 10; CUBOT NOTE 20) AppleWebKit/537.36 Chrome/120.0"}
    assert collector.post("/v1/article-views", json=VIEW, headers=phone).json()["items"][0]["status"] == "accepted"


def test_what_is_too_much_is_said_so(collector):
    limit = collector.settings.collector_largest_batch
    assert collector.post("/v1/article-views", json=[VIEW] * (limit + 1), headers=SERVER).status_code == 413
    assert collector.post("/v1/article-views", json=[], headers=SERVER).status_code == 400
    large = b" " * (collector.settings.collector_largest_body + 1)
    assert collector.post("/v1/article-views", content=large, headers=SERVER).status_code == 413
    pieces = (b" " * 65536 for _ in range(20))  # no length is said beforehand
    assert collector.post("/v1/article-views", content=pieces, headers=SERVER).status_code == 413
    assert collector.rows("article_views") == []
