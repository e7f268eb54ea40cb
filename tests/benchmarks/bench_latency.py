"""From a signup to its welcome email: seconds from the post at the collector until the email is in the sandbox's mailbox.

    make bench-latency [or: python tests/benchmarks/bench_latency.py --signups 6 --minutes 2]

What `make run` starts, without its trickle: signups at random moments of the given minutes, and article views beside them at a
steady rate, one a request. What each stage of the way took is told from the landing files, Dagster's own records and the mailbox.
"""

import argparse
import asyncio
import json
import os
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import mean, median

import dagster as dg
import httpx
from bench_side import Ratio, say, workshop

from orchestration.commands.processes import free_port
from orchestration.commands.run import demo_settings, made_up_shop
from orchestration.demo.catalogue import articles
from orchestration.demo.events import signup_row, view_row
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings

LIMITS = {"median": 45.0, "95th percentile": 90.0}
LOOK_EVERY = 0.2
PATIENCE = 180.0  # seconds that the last emails may take
KEY = "a key of the benchmark"
# What ends each stage, in order.
STAGES = (
    "file landed",
    "run requested",
    "run taken up",
    "run's process there",
    "run began",
    "ingest done",
    "models done",
    "email there",
)


@dataclass
class Signup:
    """One signup and what became of it; times are the machine's clock, in seconds."""

    event_id: str
    email: str
    posted: float
    arrived: float | None = None

    @property
    def took(self) -> float:
        return (self.arrived or float("inf")) - self.posted


@dataclass(frozen=True)
class Run:
    """When a run of the event-driven job came to which point; `ingest` is when its ingest began and ended."""

    requested: float
    taken_up: float
    process: float
    began: float
    ingest: tuple[float, float]
    models: float


def run(signups: int, minutes: float, views_a_second: float) -> list[Ratio]:
    with workshop() as data_dir:
        os.environ |= {"DATA_DIR": str(data_dir), "COLLECTOR_KEY": KEY}
        os.environ |= {f"{name}_PORT": str(free_port()) for name in ("SANDBOX", "UI", "COLLECTOR", "DEMO")}
        os.environ.pop("LANDING", None)
        settings = demo_settings()
        with made_up_shop(settings), dg.DagsterInstance.get() as instance:
            say(f"it is up: {signups} signups in {minutes:g} minutes, {views_a_second:g} views a second")
            began = time.time()
            posted = asyncio.run(_drive(settings, signups, minutes * 60, views_a_second))
            runs = _runs(instance, since=began)
            ways = _ways(settings, posted, runs)
    return _told(posted, runs, ways)


async def _drive(settings: Settings, signups: int, seconds: float, views_a_second: float) -> list[Signup]:
    """Post it all, and wait until every email is there."""
    draw = random.Random(5)  # noqa: S311
    moments = sorted(draw.uniform(0, seconds) for _ in range(signups))
    posted: list[Signup] = []
    headers = {"Authorization": f"Bearer {KEY}"}
    collector, mailbox = settings.collector_url, f"http://127.0.0.1:{settings.sandbox_port}"
    async with (
        httpx.AsyncClient(base_url=collector, headers=headers, timeout=30) as door,
        httpx.AsyncClient(base_url=mailbox, timeout=30) as box,
    ):
        views = asyncio.create_task(_views(door, views_a_second))
        watching = asyncio.create_task(_watch(box, posted))
        began = time.monotonic()
        for number, moment in enumerate(moments):
            await asyncio.sleep(began + moment - time.monotonic())
            posted.append(await _sign_up(door, number))
        until = max(time.monotonic(), began + seconds) + PATIENCE
        while time.monotonic() < until and any(one.arrived is None for one in posted):
            await asyncio.sleep(LOOK_EVERY)
        for task in (views, watching):
            if task.done():
                task.result()
            task.cancel()
    return posted


async def _sign_up(door: httpx.AsyncClient, number: int) -> Signup:
    # a person a signup: nobody is written to twice, so each posts once
    email = f"latency-{number}@mail.test"
    row = signup_row(f"latency-s-{number}", datetime.now(UTC), email, first_name="Ivy")
    signup = Signup(row["event_id"], email, time.time())
    (await door.post("/v1/signups", json=row)).raise_for_status()
    return signup


async def _views(door: httpx.AsyncClient, a_second: float) -> None:
    draw = random.Random(6)  # noqa: S311
    published = sorted(article_id for article_id, article in articles().items() if article.status == "publish")
    began, number = time.monotonic(), 0
    while a_second:
        number += 1
        await asyncio.sleep(began + number / a_second - time.monotonic())
        row = view_row(f"latency-v-{number}", datetime.now(UTC), draw.choice(published), f"visitor-{number % 500}")
        (await door.post("/v1/article-views", json=row)).raise_for_status()


async def _watch(box: httpx.AsyncClient, posted: list[Signup]) -> None:
    while True:
        for signup in [one for one in posted if one.arrived is None]:
            found = (await box.get("/outbox.json", params={"to": signup.email})).json()
            if found:
                signup.arrived = time.time()
                say(f"  {signup.event_id}: {signup.took:.1f} s")
        await asyncio.sleep(LOOK_EVERY)


def _runs(instance: dg.DagsterInstance, since: float) -> list[Run]:
    """The event-driven job's runs, by Dagster's own records."""
    asked = dg.RunsFilter(job_name="event_driven", created_after=datetime.fromtimestamp(since, UTC))
    found = [_run(instance, record) for record in instance.get_run_records(asked)]
    return sorted((one for one in found if one is not None), key=lambda one: one.requested)


def _run(instance: dg.DagsterInstance, record: dg.RunRecord) -> Run | None:
    at: dict[str, float] = {}
    for entry in instance.all_logs(record.dagster_run.run_id):
        if (event := entry.dagster_event) is None:
            continue
        if event.event_type == dg.DagsterEventType.ENGINE_EVENT and (event.message or "").startswith("Started process"):
            at["process"] = entry.timestamp
        at[f"{event.event_type_value} {event.step_key or ''}".strip()] = entry.timestamp
    try:
        return Run(
            requested=record.create_timestamp.timestamp(),
            taken_up=at["PIPELINE_STARTING"],
            process=at["process"],
            began=at["PIPELINE_START"],
            ingest=(at["STEP_START ingest"], at["STEP_SUCCESS ingest"]),
            models=at["STEP_SUCCESS build_models"],
        )
    except KeyError:
        return None  # it is still under way, or failed


def _ways(settings: Settings, posted: list[Signup], runs: list[Run]) -> list[list[float]]:
    """For each signup whose email is there: when each of STAGES ended for it, after its post in the first place."""
    landed = dict(_landed(settings))
    with Warehouse(settings).latest() as con:
        rows = con.execute("select landing_file, epoch(ingested_at) from lake.raw.landing_files").fetchall()
    ingested: Mapping[str, float] = dict(rows)
    ways = []
    for signup in posted:
        file, landed_at = landed.get(signup.event_id, ("", 0.0))
        took = [one for one in runs if one.ingest[0] <= ingested.get(file, 0.0) <= one.ingest[1]]
        if signup.arrived is None or not took:
            continue
        [one] = took
        at = [one.requested, one.taken_up, one.process, one.began, one.ingest[1], one.models]
        ways.append([signup.posted, landed_at, *at, signup.arrived])
    return ways


def _landed(settings: Settings) -> Iterator[tuple[str, tuple[str, float]]]:
    """Event id → its landing file, and when that got its name."""
    for path in (settings.landing_dir / "signups").glob("collector-*.jsonl"):
        for line in path.read_text().splitlines():
            yield (
                json.loads(line)["event_id"],
                (
                    str(path.relative_to(settings.landing_dir)),
                    path.stat().st_ctime,  # of a file that is never changed: when it was renamed
                ),
            )


def _told(posted: list[Signup], runs: list[Run], ways: list[list[float]]) -> list[Ratio]:
    took = sorted(one.took for one in posted)
    figures = {
        "median": median(took),
        "95th percentile": took[max(0, -(-len(took) * 95 // 100) - 1)],
        "worst": took[-1],
    }
    say(", ".join(f"{name} {seconds:.1f} s" for name, seconds in figures.items()) + f"; {len(runs)} runs")
    missing = sum(one.arrived is None for one in posted)
    say(
        f"  of {len(posted)} signups {missing} got no email; the stages of {len(ways)}, seconds on average and at most:"
    )
    for number, stage in enumerate(STAGES, 1):
        seconds = [way[number] - way[number - 1] for way in ways] or [0.0]
        say(f"    → {stage:<20} {mean(seconds):6.1f} {max(seconds):6.1f}")
    return [
        Ratio(f"signup to email: {name} of {len(posted)}", figures[name], limit, unit="s")
        for name, limit in LIMITS.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--signups", type=int, default=50, help="how many (default 50)")
    parser.add_argument("--minutes", type=float, default=10, help="spread over so long (default 10)")
    parser.add_argument("--views-per-second", type=float, default=20, help="article views beside them (default 20)")
    arguments = parser.parse_args()
    for ratio in run(arguments.signups, arguments.minutes, arguments.views_per_second):
        print(ratio.told())


if __name__ == "__main__":
    main()
