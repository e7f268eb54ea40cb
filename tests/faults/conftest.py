"""A small shop that is ready to write to its people, copied for each trial; a sandbox beside it; and a launcher of processes.

FAULTS_SHARE (0 to 1) is how much of all trials is made, drawn from FAULTS_SEED; `make test-faults` makes them all.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestration.demo.catalogue import articles
from orchestration.demo.events import signup_row, view_row
from orchestration.demo.files import json_lines, put
from orchestration.resources import models
from orchestration.resources.landing import ingest
from orchestration.resources.ledger import Ledger
from orchestration.resources.mailchimp import Gateway
from orchestration.resources.mailchimp_calls import Pauses
from orchestration.resources.warehouse import Warehouse
from orchestration.sandbox.server import running
from orchestration.settings import PROJECT_DIR, Settings

AS_OF = datetime(2026, 11, 22, 8, tzinfo=UTC)
SHARE = float(os.environ.get("FAULTS_SHARE") or 0.01)
SEED = os.environ.get("FAULTS_SEED") or "1"
LAUNCHER = Path(__file__).with_name("launcher.py")
MOST_LAUNCHES = 8
NOT_COPIED = shutil.ignore_patterns("landing", "dbt", "*-shm")
CAMPAIGN = "treatment_reading"  # the one with most calls: members, their fields, segment, campaign


@dataclass(frozen=True)
class Launched:
    """How a launch ended: `points` are those it passed; `error` is a traceback, or empty."""

    signal: int | None
    error: str
    points: list[str]


@dataclass(frozen=True)
class Undisturbed:
    """Whom the campaign writes to, the points it passes and the endpoints it calls."""

    expected: set[str]
    points: list[str]
    endpoints: list[str]


class Launcher:
    def __init__(self, process: subprocess.Popen) -> None:
        self._process = process

    def launch(self, env: dict[str, str], campaign: str | None, kill_at: int | None, mutations: list[str]) -> Launched:
        told = {"env": env, "campaign": campaign, "kill_at": kill_at, "mutations": mutations}
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()
        return Launched(**json.loads(self._process.stdout.readline()))


@dataclass
class Trial:
    """One copy of the shop with a sandbox of its own, in which the campaign is launched until it is through."""

    settings: Settings
    url: str
    launcher: Launcher
    mutations: list[str] = field(default_factory=list)

    def launch(self, kill_at: int | None = None, **env: str) -> Launched:
        return self.launch_with(self.launcher, kill_at, **env)

    def poll(self, kill_at: int | None = None) -> Launched:
        """Ask what came back from the emails, in a process of its own."""
        return self.launcher.launch(self._env(), None, kill_at, [])

    def launch_with(self, launcher: Launcher, kill_at: int | None = None, **env: str) -> Launched:
        return launcher.launch(self._env(**env), CAMPAIGN, kill_at, self.mutations)

    def _env(self, **env: str) -> dict[str, str]:
        return {
            "DATA_DIR": str(self.settings.data_dir),
            "SANDBOX_PORT": str(self.settings.sandbox_port),
            "AS_OF": AS_OF.isoformat(),
            "BACKLOG": "send",
            "QUIET_HOURS": "off",
            "MAILCHIMP_TIMEOUT": "0.5",
            "NO_PROXY": "127.0.0.1",
            **env,
        }

    def launch_until_through(self) -> int:
        """Launch again and again, as a schedule would; how often it took. Fails where it never gets through."""
        for number in range(1, MOST_LAUNCHES + 1):
            launched = self.launch()
            assert launched.signal is None
            if not launched.error and self.states() <= {"settled", "cancelled"}:
                return number
        raise AssertionError(f"not through after {MOST_LAUNCHES} launches: {self.states()}\n{launched.error}")

    def keep(self, folder: Path) -> Path:
        """A copy of this shop and its Mailchimp as they are now, for other trials to start from."""
        return Path(shutil.copytree(self.settings.data_dir, folder, ignore=NOT_COPIED))

    def states(self) -> set[str]:
        return {wave.state for wave in Ledger(self.settings).waves()}

    def tell(self, *rules: dict) -> None:
        """Tell the sandbox to fail."""
        asked = urllib.request.Request(f"{self.url}/sandbox/faults", json.dumps(rules).encode(), method="POST")  # noqa: S310
        urllib.request.urlopen(asked).close()  # noqa: S310, an address of our own

    def get(self, path: str) -> dict:
        with urllib.request.urlopen(f"{self.url}{path}") as answer:  # noqa: S310, an address of our own
            return json.load(answer)

    def mailbox(self) -> Counter[str]:
        """address → how many emails came, as the sandbox's own mailboxes have it."""
        emails = Counter()
        for email in self.get("/sandbox/mailbox")["emails"]:
            emails[email["to"]] += email["count"]
        return emails

    def refused(self) -> set[str]:
        """The addresses that Mailchimp would not make members of, as the ledger has it."""
        ledger = Ledger(self.settings)
        people = [person for wave in ledger.waves() for batch in ledger.recipients(wave.wave_id) for person in batch]
        return {person.email for person in people if person.reason == "mailchimp_refused"}

    def left_behind(self) -> dict[str, int]:
        """What is in Mailchimp besides campaigns that were sent: drafts, and tags of waves."""
        gateway = Gateway(self.settings, Pauses(0.01, 0.05, 4))
        tags = [tag for wave in Ledger(self.settings).waves() for tag in gateway.find_segments(wave.wave_id)]
        drafts = [one for one in gateway.campaigns_since(None) if one.status != "sent"]
        return {"drafts": len(drafts), "tags": len(tags)}

    def check(self, expected: set[str]) -> None:
        """Exactly one email to each recipient, none to anyone else, all settled, nothing left behind."""
        mailbox = self.mailbox()
        assert mailbox.keys() == expected
        assert set(mailbox.values()) == {1}
        assert self.states() <= {"settled", "cancelled"}
        assert self.left_behind() == {"drafts": 0, "tags": 0}
        told = Counter(
            person.delivery
            for wave in Ledger(self.settings).waves(states=["settled"])
            for batch in Ledger(self.settings).recipients(wave.wave_id, "recipient")
            for person in batch
        )
        assert told.total() == len(expected)
        assert None not in told
        assert told["not_sent"] == 0


@pytest.fixture(scope="session")
def drawn():
    """The share of some trials that is to be made this time, in their order: of few trials sometimes one, sometimes none."""

    def draw(trials: list, what: str) -> list:
        chance = random.Random(f"{SEED} {what}")  # noqa: S311, nothing secret
        number = int(len(trials) * SHARE + chance.random()) if SHARE < 1 else len(trials)
        chosen = chance.sample(range(len(trials)), number)
        return [trials[place] for place in sorted(chosen)]

    return draw


@pytest.fixture(scope="session")
def share() -> float:
    return SHARE


@pytest.fixture(scope="session")
def as_of() -> datetime:
    return AS_OF


@pytest.fixture
def count(record_property):
    """Count a trial that was made, by kind; the sums are printed at the end."""
    return lambda kind: record_property("trial", kind)


def pytest_terminal_summary(terminalreporter):
    told = [said for report in terminalreporter.stats.get("passed", []) for said in report.user_properties]
    made = Counter(kind for name, kind in told if name == "trial")
    if made:
        terminalreporter.write_line(f"{made.total()} faults tried, {SHARE:.0%} of all, seed {SEED}:")
        for kind, number in sorted(made.items()):
            terminalreporter.write_line(f"  {number:5} {kind}")
    for name, figure in told:
        if name == "figure":
            terminalreporter.write_line(figure)


@pytest.fixture(scope="session")
def ready_shop(tmp_path_factory) -> Path:
    """A shop whose few people have all read about treatments, landed and modelled; nothing is planned yet."""
    data_dir = tmp_path_factory.mktemp("faults") / "ready"
    settings = Settings.from_env({"DATA_DIR": str(data_dir), "AS_OF": AS_OF.isoformat()})
    warehouse = Warehouse(settings)
    for name, rows in _files().items():
        put(settings.landing_dir / name, json_lines(rows))
    ingest(settings, warehouse)
    models.build(settings, warehouse, AS_OF)
    return data_dir


def _files() -> dict[str, list[dict]]:
    """Six who may be written to, one of them to an address that bounces, one who complains; and two who said no."""
    skin = [
        article_id
        for article_id, article in articles().items()
        if article.treatments[:1] and article.treatments[0].startswith("skin/")
    ]
    signups, views = [], []
    for number, name in enumerate(
        ["ann", "bob", "cat", "dan", "bounce.eve", "complaint.fay", "fake.gus", "nay.hal", "gone.ida"]
    ):
        email, at = f"{name}@mail.test", AS_OF - timedelta(days=9, hours=number)
        agreed = {"profiling_consent": not name.startswith("nay"), "first_name": name.rpartition(".")[2].title()}
        signups.append(signup_row(f"s-{name}", at, email, visitor_id=f"v-{name}", **agreed))
        for read, article_id in enumerate(skin[number : number + 3]):
            when = AS_OF - timedelta(days=3 + read, hours=number)
            views.append(view_row(f"r-{name}-{read}", when, article_id, f"v-{name}", email=email))
    signups.append(signup_row("s-gone", AS_OF - timedelta(days=2), "gone.ida@mail.test", action="unsubscribe"))
    return {
        "articles/all.jsonl": [article.row(AS_OF) for article in articles().values()],
        "signups/all.jsonl": signups,
        "article_views/all.jsonl": views,
    }


@contextmanager
def launching(through: Sequence[str] = ()) -> Iterator[Launcher]:
    """A launcher, started by way of another command if one is given."""
    env = {**os.environ, "PYTHONPATH": str(PROJECT_DIR)}
    with subprocess.Popen(
        [*through, sys.executable, LAUNCHER],
        env=env,
        cwd=PROJECT_DIR,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Launcher(process)
        process.stdin.close()


@pytest.fixture(scope="session")
def launcher() -> Iterator[Launcher]:
    with launching() as started:
        yield started


@pytest.fixture
def start_launcher():
    """Start another one beside it."""
    return launching


@pytest.fixture(scope="session")
def trial(ready_shop, launcher, tmp_path_factory):
    """Makes trials: `with trial() as one: …`. `start` is a state that another trial kept, else the shop that is ready."""

    @contextmanager
    def made(*mutations: str, start: Path = ready_shop) -> Iterator[Trial]:
        data_dir = tmp_path_factory.mktemp("trial")
        shutil.copytree(start, data_dir, dirs_exist_ok=True, ignore=NOT_COPIED)
        with running(data_dir / "sandbox.sqlite", now=lambda: AS_OF) as url:
            env = {"DATA_DIR": str(data_dir), "SANDBOX_PORT": url.rpartition(":")[2]}
            yield Trial(Settings.from_env(env), url, launcher, list(mutations))
        shutil.rmtree(data_dir)

    return made


@pytest.fixture(scope="session")
def undisturbed(trial) -> "Undisturbed":
    """A launch in which nothing goes wrong."""
    with trial() as one:
        launched = one.launch()
        assert not launched.error, launched.error
        calls = one.get("/sandbox/calls")["calls"]
        expected = set(one.mailbox())
        assert expected == {f"{name}@mail.test" for name in ("ann", "bob", "cat", "dan", "bounce.eve", "complaint.fay")}
        one.check(expected)
    return Undisturbed(
        expected, launched.points, list(dict.fromkeys(f"{call['method']} {call['path']}" for call in calls))
    )
