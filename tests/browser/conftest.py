"""One Pennypost for the whole folder, started as `make run` does, and a Chromium to look at it with."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from orchestration.demo.files import json_lines, put
from orchestration.settings import PROJECT_DIR, Settings

READY_SECONDS = 400
# a first look at a page loads megabytes of script, and runs take their time on a small machine
LOOK_MS = 60_000
FLAGS = (
    "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync --no-first-run"
).split()


@dataclass(frozen=True)
class Pennypost:
    """Where it is, and what one can do to it from outside."""

    settings: Settings
    outbox: str
    ui: str
    shop: str

    def drop(self, source: str, *rows: dict) -> None:
        """Let a file land."""
        name = f"{source}/dropped-{datetime.now(UTC):%H%M%S%f}.jsonl"
        put(self.settings.landing_dir / name, json_lines(rows))

    def emails_to(self, address: str) -> list[dict]:
        with urllib.request.urlopen(f"{self.outbox}/outbox.json?to={address}", timeout=30) as answer:  # noqa: S310
            return json.load(answer)

    def wait_for_emails_to(self, address: str, number: int, seconds: float = 240) -> list[dict]:
        until = time.monotonic() + seconds
        while len(found := self.emails_to(address)) < number:
            assert time.monotonic() < until, f"{len(found)} emails to {address}, waited for {number}"
            time.sleep(0.5)
        return found


def _free_ports(number: int) -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    try:
        return [listener.getsockname()[1] for listener in listeners]
    finally:
        for listener in listeners:
            listener.close()


@pytest.fixture(scope="session")
def pennypost(tmp_path_factory) -> Pennypost:
    data_dir = tmp_path_factory.mktemp("run")
    names = ("SANDBOX_PORT", "UI_PORT", "DEMO_PORT", "COLLECTOR_PORT")
    ports = dict(zip(names, _free_ports(len(names)), strict=True))
    env = {"DATA_DIR": str(data_dir), **{name: str(port) for name, port in ports.items()}}
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    log = data_dir / "said.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestration.commands.run"],
            cwd=PROJECT_DIR,
            env={**kept, **env, "PYTHONPATH": str(PROJECT_DIR)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_ready(process, log)
        sandbox, ui, shop = (f"http://127.0.0.1:{ports[name]}" for name in names[:3])
        yield Pennypost(Settings.from_env(env), sandbox, ui, shop)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait_until_ready(process: subprocess.Popen, log: Path) -> None:
    until = time.monotonic() + READY_SECONDS
    while "Ctrl-C stops it" not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.5)


@pytest.fixture(scope="session")
def browser() -> Browser:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert chromium, "No Chromium: install it, or set CHROMIUM to where it is."
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser) -> Page:
    expect.set_options(timeout=LOOK_MS)
    context = browser.new_context(viewport={"width": 1500, "height": 1000})
    context.set_default_timeout(LOOK_MS)
    yield context.new_page()
    context.close()
