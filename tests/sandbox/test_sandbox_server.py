"""The server: as a command and inside a test."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from orchestration.core.errors import SettingsError
from orchestration.sandbox.server import running

PROJECT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(data_dir: Path, port: int, **settings: str) -> subprocess.Popen:
    env = {**os.environ, "DATA_DIR": str(data_dir), "SANDBOX_PORT": str(port), "PYTHONPATH": str(PROJECT), **settings}
    return subprocess.Popen([sys.executable, "-m", "orchestration.sandbox"], env=env, stderr=subprocess.PIPE)


def wait_for(url: str, process: subprocess.Popen) -> None:
    give_up = time.monotonic() + 20
    while time.monotonic() < give_up:
        try:
            httpx.get(url)
        except httpx.TransportError:
            assert process.poll() is None, process.stderr.read().decode()
            time.sleep(0.02)
        else:
            return
    pytest.fail("the sandbox did not answer within 20 s")


def test_the_command_serves_the_outbox_and_the_api_and_keeps_its_state_through_a_kill(tmp_path, connected):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    first = start(tmp_path, port)
    try:
        wait_for(url, first)
        connected(url).add("ada@x.test")
    finally:
        first.send_signal(signal.SIGKILL)
        first.communicate()
    second = start(tmp_path, port)
    try:
        wait_for(url, second)
        assert connected(url).status("ada@x.test") == "subscribed"
        assert "Campaigns" in httpx.get(url).text
    finally:
        second.terminate()
        second.communicate(timeout=20)
    assert (tmp_path / "sandbox.sqlite").exists()


def test_the_command_takes_mishaps_by_chance_and_a_recording_from_the_environment(tmp_path):
    port, recording = free_port(), tmp_path / "calls.jsonl"
    url = f"http://127.0.0.1:{port}"
    # Of this seed's first 20 calls 8 get a fault, and none is one that takes long.
    settings = {"SANDBOX_FAULTS": "0.4", "SANDBOX_FAULTS_SEED": "75", "SANDBOX_RECORDING": str(recording)}
    process = start(tmp_path, port, **settings)
    statuses = []
    try:
        wait_for(url, process)
        for number in range(20):
            try:
                response = httpx.get(f"{url}/3.0/lists?count={number}", auth=("any", "key"), timeout=10)
                statuses.append(response.status_code)
            except httpx.TransportError:
                statuses.append(None)
        [told] = httpx.get(f"{url}/sandbox/faults").json()["faults"]
    finally:
        process.terminate()
        _, log = process.communicate(timeout=20)
    assert (told["fault"], told["chance"], told["seed"], told["seen"]) == ("any", 0.4, 75, 20)
    assert told["fired"] == 8
    assert statuses.count(200) == 12
    lines = [json.loads(line) for line in recording.read_text().splitlines() if line]
    first = {line["shape"]: line for line in lines if "path" in line}
    assert Counter(first[line["shape"]]["status"] for line in lines) == Counter(statuses)
    assert {line["path"] for line in first.values()} == {"/lists"}
    [right] = [line for line in first.values() if line["status"] == 200]
    assert (right["query"], right["kind"]) == ({"count": [str(statuses.index(200))]}, "application/json")
    assert json.loads(right["response"])["total_items"] == 1
    assert {line["status"] for line in first.values() if line["is_faulty"]} == set(statuses) - {200, 429}
    assert b"Traceback" not in log
    assert b"ERROR" not in log


def test_a_taken_port_is_named_with_what_to_do(tmp_path):
    with running(tmp_path / "one.sqlite") as url:
        port = int(url.rpartition(":")[2])
        with pytest.raises(SettingsError, match=rf"127\.0\.0\.1:{port}.*SANDBOX_PORT"), running(tmp_path / "two", port):
            pass


def test_ten_callers_at_once_lose_nothing(sandbox):
    def add(number: int) -> int:
        return sandbox.add(*(f"reader{number}.{n}@x.test" for n in range(50)))["total_created"]

    with ThreadPoolExecutor(10) as callers:
        assert list(callers.map(add, range(20))) == [50] * 20
    assert sandbox.client.lists.get_list("sandbox0001")["stats"]["member_count"] == 1000
