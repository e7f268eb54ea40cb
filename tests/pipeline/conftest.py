"""The demo shop's weeks go through `commands.once` as a person runs it, once for the whole folder: each start costs seconds.

    first     the seeded files, as of AS_OF
    again     the same folder, the same moment
    killed    a week later with one new file; SIGKILL in the middle of the build
    later     the same again, to the end

From `again` on, an analyst in a process of their own asks without a pause whether two tables that must agree do.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from orchestration.commands.main_job import prepare
from orchestration.demo.events import signup_row
from orchestration.demo.files import json_lines, put
from orchestration.demo.seed import seed
from orchestration.resources.ledger import Ledger
from orchestration.resources.warehouse import Warehouse
from orchestration.sandbox.server import running
from orchestration.settings import PROJECT_DIR, Settings

AS_OF = datetime(2026, 11, 22, 8, tzinfo=UTC)
LATER = AS_OF + timedelta(days=7)
NEWCOMER = "wanda.newcomer@mail.test"
ANALYST = Path(__file__).with_name("analyst.py")


@dataclass(frozen=True)
class Ran:
    """What a person saw of a command: what it printed, its exit code and how long it took, and all emails there were then."""

    out: str
    err: str
    code: int
    seconds: float
    emails: list[dict]

    def rows(self, what: str) -> dict[str, tuple[int, str]]:
        """name → count and the text behind it, of the table's lines that begin with `what`."""
        heads, rule, *lines = self.out.splitlines()
        ends = [heads.index("name"), heads.index("count"), heads.index("of which")]
        cut = [[line[: ends[0]], line[ends[0] : ends[1]], line[ends[1] : ends[2]], line[ends[2] :]] for line in lines]
        found = [[cell.strip() for cell in cells] for cells in cut]
        return {name: (int(count), of_which) for kind, name, count, of_which in found if kind == what}


class Command:
    """The commands on one DATA_DIR, as processes of their own."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.settings = Settings.from_env({"DATA_DIR": str(data_dir)})

    def start(self, name: str, **env: str) -> subprocess.Popen:
        kept = {k: os.environ[k] for k in ("PATH", "HOME", "LANG", "TMPDIR", "SANDBOX_RECORDING") if k in os.environ}
        return subprocess.Popen(
            [sys.executable, "-m", f"orchestration.commands.{name}"],
            cwd=PROJECT_DIR,
            env={**kept, "PYTHONPATH": str(PROJECT_DIR), "DATA_DIR": str(self.data_dir), **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, name: str, **env: str) -> Ran:
        started = time.monotonic()
        process = self.start(name, **env)
        try:
            out, err = process.communicate(timeout=600)
        finally:
            process.kill()  # one that takes too long must not go on beside the next
        return Ran(out, err, process.returncode, time.monotonic() - started, self.emails())

    def once(self, as_of: datetime) -> Ran:
        return self.run("once", AS_OF=as_of.isoformat())

    def killed_while_building(self, as_of: datetime) -> None:
        """Run `once` and kill it when some models of a new build are there and others are not."""
        warehouse = Warehouse(self.settings)
        process = self.start("once", AS_OF=as_of.isoformat())
        before = None
        while before is None or _snapshot(warehouse) < before + 3:
            assert process.poll() is None, process.communicate()
            if before is None and _is_building(self.settings.lock_path, process.pid):
                before = _snapshot(warehouse)
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.communicate()

    def emails(self) -> list[dict]:
        """The outbox: every email with its texts, oldest first, and the campaign it belongs to."""
        if not self.settings.sandbox_path.exists():
            return []
        campaigns = {wave.wave_id: wave.campaign for wave in self.ledger.waves()}
        with running(self.settings.sandbox_path) as url:
            emails = json.loads(_get(f"{url}/outbox.json"))
            return [
                {
                    "campaign": campaigns[email["title"].split()[-1]],
                    "to": email["to"],
                    "subject": email["subject"],
                    "text": _get(email["text_url"]).replace(url, ""),  # its port is another one each time
                }
                for email in emails
            ]

    def dagster_runs(self) -> list[tuple[str, str]]:
        """(job, status) of all runs, as the UI would show them."""
        with dg.DagsterInstance.from_config(str(self.settings.dagster_home)) as instance:
            return [(run.job_name, run.status.value) for run in instance.get_runs()]

    def taken_slots(self) -> int:
        with dg.DagsterInstance.from_config(str(self.settings.dagster_home)) as instance:
            info = instance.event_log_storage.get_concurrency_info("warehouse")
            return info.active_slot_count + info.pending_step_count

    @property
    def warehouse(self) -> Warehouse:
        return Warehouse(self.settings)

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.settings)


def _get(url: str) -> str:
    with urllib.request.urlopen(url) as answer:  # noqa: S310, an address of our own
        return answer.read().decode()


def _is_building(lock: Path, pid: int) -> bool:
    return f'"pid": {pid}, "why": "building the models"' in lock.read_text()


def _snapshot(warehouse: Warehouse) -> int:
    with warehouse.latest() as con:
        return con.execute("select id from lake.current_snapshot()").fetchone()[0]


@dataclass(frozen=True)
class Weeks:
    """All that happened."""

    command: Command
    first: Ran
    again: Ran
    later: Ran
    analyst: dict

    def new_in(self, ran: Ran, before: Ran) -> Counter[tuple[str, str]]:
        """(campaign, address) of the emails that came in `ran`."""
        return Counter((email["campaign"], email["to"]) for email in ran.emails[len(before.emails) :])


@pytest.fixture(scope="session")
def weeks(tmp_path_factory) -> Weeks:
    command = Command(tmp_path_factory.mktemp("weeks"))
    seed(command.settings.landing_dir, AS_OF)
    first = command.once(AS_OF)
    assert first.code == 0, first.err
    with analyst(command.data_dir) as report:
        again = command.once(AS_OF)
        newcomer = signup_row("n-newcomer", LATER - timedelta(days=2), NEWCOMER, first_name="Wanda")
        put(command.settings.landing_dir / "signups" / "week-2.jsonl", json_lines([newcomer]))
        command.killed_while_building(LATER)
        later = command.once(LATER)
    return Weeks(command, first, again, later, report)


@pytest.fixture
def command(tmp_path) -> Command:
    """The commands on a DATA_DIR with nothing in it."""
    (tmp_path / "landing").mkdir()
    return Command(tmp_path)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A DATA_DIR with Dagster's storage in it, as commands make it."""
    for name in ("LANDING", "DAGSTER_HOME", "DATA_DIR", "NO_PROXY"):
        monkeypatch.setenv(name, "")  # so that what `prepare` sets is taken back
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    settings = Settings.from_env()
    prepare(settings)
    with dg.DagsterInstance.get() as instance:
        instance.get_runs_count()
        instance.event_log_storage.get_concurrency_keys()
        yield settings, instance


@contextmanager
def analyst(data_dir: Path):
    """Ask without a pause; the dict that is given is filled at the end."""
    env = {**os.environ, "PYTHONPATH": str(PROJECT_DIR), "DATA_DIR": str(data_dir)}
    process = subprocess.Popen([sys.executable, ANALYST], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    report: dict = {}
    try:
        yield report
    finally:
        out, _ = process.communicate(b"stop\n", timeout=60)
        report |= json.loads(out)


@pytest.fixture(scope="session")
def code_location(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATA_DIR", str(tmp_path_factory.mktemp("definitions")))
        from orchestration.definitions import defs

        yield defs()


@pytest.fixture
def empty_landing(tmp_path, monkeypatch):
    """A DATA_DIR with a landing folder and nothing in it."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.delenv("LANDING", raising=False)
    (tmp_path / "landing").mkdir()
    return tmp_path / "landing"


@pytest.fixture
def instance(tmp_path):
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        yield instance
