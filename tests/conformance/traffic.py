"""What our own calls to Mailchimp looked like, held against its specification.

Any test run can be watched, its sandboxes in other processes included:

    pytest -p tests.conformance.traffic tests/components

Every call that reaches a sandbox is recorded, and checked when the run ends; one that is wrong fails the run. Calls that
tests make up on purpose (tests/sandbox, tests/conformance) are wrong on purpose: don't watch those.
"""

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.sandbox import server
from orchestration.sandbox.recording import recorded
from tests.conformance.specification import Specification

# Answers a fault was told to give; the specification can't have them.
FAULTS = {None, 403, 500, 502}


def lines(recording: Path) -> Iterator[dict]:
    with recording.open() as file:
        for line in file:
            yield json.loads(line)


def wrong_calls(recording: Path) -> list[str]:
    """What is wrong with the recorded calls and their answers, each once."""
    specification = Specification()
    found: dict[str, None] = {}
    for line in lines(recording):
        call = line["method"], line["path"]
        found.update(dict.fromkeys(specification.request(*call, line["query"], line["request"])))
        if line["status"] in FAULTS and line["kind"] != "application/problem+json":
            continue
        partial = not {"fields", "exclude_fields"}.isdisjoint(line["query"])
        answer = line["status"], line["kind"], line["response"]
        found.update(dict.fromkeys(specification.answer(*call, *answer, partial=partial)))
    return list(found)


_SETTING = "SANDBOX_RECORDING"


def pytest_configure(config: pytest.Config) -> None:
    """Record the sandboxes of this process and of those it starts, the workers of the run among them."""
    if not _is_worker(config):
        recording = Path(tempfile.mkdtemp(prefix="traffic-")) / "calls.jsonl"
        recording.touch()
        os.environ[_SETTING] = str(recording)
    create_app = server.create_app
    server.create_app = lambda *args, **kwargs: recorded(create_app(*args, **kwargs), Path(os.environ[_SETTING]))


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def pytest_sessionfinish(session: pytest.Session) -> None:
    if not _is_worker(session.config) and wrong_calls(Path(os.environ[_SETTING])):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    recording = Path(os.environ.pop(_SETTING))
    wrong = wrong_calls(recording)
    terminalreporter.section("calls to Mailchimp")
    terminalreporter.line(f"{sum(1 for _ in lines(recording))} calls, {len(wrong)} things wrong with them")
    for one in wrong:
        terminalreporter.line(f"  {one}")
    recording.unlink()
    recording.parent.rmdir()
