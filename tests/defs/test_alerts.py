"""The alerts sensor with a real instance, a real cursor and a real webhook: each occurrence is told once."""

import json
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import dagster as dg
import pytest

from orchestration.components.services import Services
from orchestration.defs.housekeeping.alerts import alerts
from orchestration.resources.landing import ingest
from orchestration.settings import Settings


class Door(BaseHTTPRequestHandler):
    def do_POST(self):
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.answer == 200:
            self.server.told.append(content["text"])
        self.send_response(self.server.answer)
        self.end_headers()

    def log_message(self, *_):
        pass


class Watch:
    """Ticks as the daemon does, each going on from the cursor of the one before."""

    def __init__(self, instance, door):
        self.instance = instance
        self.door = door
        self.cursor = None

    def tick(self) -> list[str]:
        """What this tick told, by the subjects."""
        before = len(self.door.told)
        context = dg.build_sensor_context(instance=self.instance, sensor_name="alerts", cursor=self.cursor)
        alerts(context)
        self.cursor = context.cursor
        return [text.splitlines()[0].strip("*") for text in self.door.told[before:]]

    def run(self, *, is_good: bool, name: str = "main"):
        @dg.op
        def work():
            if not is_good:
                raise ValueError("somebody@mail.test is in this message")

        @dg.job(name=name)
        def job():
            work()

        job.execute_in_process(instance=self.instance, raise_on_error=False)


@pytest.fixture
def watch(tmp_path, monkeypatch):
    door = HTTPServer(("127.0.0.1", 0), Door)
    door.told, door.answer = [], 200
    thread = threading.Thread(target=door.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ALERT_URL", f"http://127.0.0.1:{door.server_port}/")
    monkeypatch.delenv("LANDING", raising=False)
    try:
        with dg.DagsterInstance.ephemeral() as instance:
            yield Watch(instance, door)
    finally:
        door.shutdown()
        thread.join()
        door.server_close()


def test_a_failed_run_is_told_once_and_again_only_after_a_good_one(watch):
    watch.run(is_good=False)
    assert watch.tick() == []  # it failed before anybody was to be told
    watch.run(is_good=False)
    assert watch.tick() == ["Job main failed"]
    watch.run(is_good=False)
    assert watch.tick() == watch.tick() == []
    watch.run(is_good=True)
    assert watch.tick() == []
    watch.run(is_good=False)
    watch.run(is_good=False, name="models")
    assert watch.tick() == ["Job main failed", "Job models failed"]
    assert not any("@" in text for text in watch.door.told)


def test_a_failed_run_is_told_though_the_next_was_good_before_anybody_looked(watch):
    watch.tick()
    watch.run(is_good=False)
    watch.run(is_good=True)
    assert watch.tick() == ["Job main failed"]
    assert watch.tick() == []


def test_what_could_not_be_told_is_told_later(watch):
    watch.tick()
    watch.run(is_good=False)
    watch.run(is_good=True)
    watch.door.answer = 503
    assert watch.tick() == watch.tick() == []
    watch.door.answer = 200
    assert watch.tick() == ["Job main failed"]
    assert watch.tick() == []


def test_a_tripped_breaker_is_told_and_a_pause_of_ones_own_is_not(watch):
    services = Services.from_env()
    now = services.settings.now()
    services.ledger.stop("paused", "stock-taking", who="Ann", at=now)
    services.ledger.stop("complaints", "3 complaints among 1000 emails", who="breaker", at=now)
    assert watch.tick() == ["All sends are stopped"]
    assert watch.tick() == []
    services.ledger.release(["complaints"], who="Ann", why="a test", at=now)
    assert watch.tick() == []
    services.ledger.stop("complaints", "4 complaints among 1000 emails", who="breaker", at=now)
    assert watch.tick() == ["All sends are stopped"]


def test_a_pause_that_was_forgotten_is_told_once_after_three_days(watch):
    ledger = Services.from_env().ledger
    now = Services.from_env().settings.now()
    ledger.stop("paused", "stock-taking", who="Ann", at=now - timedelta(days=2, hours=23))
    assert watch.tick() == []
    ledger.release(["paused"], who="Ann", why="a test", at=now)
    ledger.stop("paused", "Bea is away", who="Ann", at=now - timedelta(days=4))
    assert watch.tick() == ["All sends have been paused for 4 days"]
    assert watch.tick() == []
    assert not any("Ann" in text or "Bea" in text for text in watch.door.told)


def test_rejects_above_a_share_and_a_silent_source_are_told(watch):
    services = Services.from_env()
    folder = services.settings.landing_dir / "orders"
    folder.mkdir(parents=True)
    (folder / "a.jsonl").write_text("not json\n" * 12)
    ingest(services.settings, services.warehouse)
    assert watch.tick() == ["100% of orders could not be read"]
    with services.warehouse.writer() as con:
        con.execute(
            "insert into raw.landing_files (source, rows_read, rows_rejected, ingested_at) "
            "select 'signups', 5, 0, now() - interval 2 day - interval (n) hour from range(20) as t(n)"
        )
    assert watch.tick() == ["No signups for 48 hours"]
    assert watch.tick() == []


def test_without_a_setting_nobody_is_told_and_the_sensor_says_so(watch, monkeypatch):
    monkeypatch.delenv("ALERT_URL")
    context = dg.build_sensor_context(instance=watch.instance, sensor_name="alerts")
    assert "ALERT_URL is not set" in alerts(context).skip_message
    assert Settings.from_env().alert_url is None
