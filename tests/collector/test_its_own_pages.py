"""How the collector is doing, and the script it hands to the shop's pages."""


def test_it_says_that_it_is_up_and_what_came_in(collector):
    assert collector.http.get("/healthz").json() == {"status": "up"}
    collector.post("/v1/signups", content=b"{}")
    metrics = collector.http.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'collector_requests_refused_total{status="401"} 1' in metrics.text
    assert "collector_waiting 0" in metrics.text


def test_the_beacon_is_small_and_asks_nobody_else(collector):
    answer = collector.http.get("/beacon.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert len(answer.content) < 2048
    assert "sendBeacon" in answer.text
    assert "http://" not in answer.text
    assert answer.text.count("https://") == 1  # the example of how to put it into a page
    for word in ("email", "cookie", "userAgent", "screen", "language"):
        assert word not in answer.text


def test_a_page_of_the_shop_may_call_and_another_may_not(collector):
    ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    ours = collector.http.options("/v1/signups", headers={"Origin": "https://shop.test", **ask})
    assert (ours.status_code, ours.headers["access-control-allow-origin"]) == (200, "https://shop.test")
    other = collector.http.options("/v1/signups", headers={"Origin": "https://elsewhere.test", **ask})
    assert "access-control-allow-origin" not in other.headers
