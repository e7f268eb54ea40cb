"""The whole of it at a steady rate: do memory, open files, Parquet files and tick time level off?

    make bench-soak [MINUTES=15]

`make run` with 20 article views a second and a signup every 12 seconds beside its own shop; housekeeping in fast motion, a
turn every fifteenth of the time, on terms of a tenth of it. Each figure's mean over the last third is held against that over the
middle third: what goes on growing is above 1 by about two thirds.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import mean

import dagster as dg
from bench_side import ROOT, Ratio, say, workshop

from orchestration.commands.processes import free_port
from orchestration.components.housekeeping import Keep, keep_house
from orchestration.components.services import Services
from orchestration.settings import Settings

VIEWS_A_SECOND = 20
SIGNUP_EVERY = 12.0
LIMITS = {"memory_mb": 1.15, "open_files": 1.15, "parquet_files": 1.25, "tick_ms": 1.5}


@dataclass(frozen=True)
class Sample:
    """What was measured at one moment; memory (resident) and open files of all processes together."""

    seconds: float
    memory_mb: float
    open_files: int
    parquet_files: int
    landing_files: int
    data_mb: float
    tick_ms: float | None


class Feeder:
    """Lands views and signups at a steady rate, a file a second."""

    def __init__(self, landing_dir: Path) -> None:
        self._landing = landing_dir
        self._number = 0
        self._last_signup = 0.0

    def second(self) -> None:
        self._number += 1
        now = datetime.now(UTC).isoformat()
        views = [
            {
                "event_id": f"soak-v-{self._number}-{n}",
                "occurred_at": now,
                "article_id": f"{n}",
                "url": "https://x.test/a",
                "visitor_id": f"v-{n}",
                "tracking_consent": True,
            }
            for n in range(VIEWS_A_SECOND)
        ]
        self._land("article_views", views)
        if time.monotonic() - self._last_signup >= SIGNUP_EVERY:
            self._last_signup = time.monotonic()
            email = f"soak-{self._number}@mail.test"
            signup = {
                "event_id": f"soak-s-{self._number}",
                "occurred_at": now,
                "email": email,
                "action": "subscribe",
                "source": "soak",
                "basis": "consent",
                "interests": [],
            }
            self._land("signups", [signup])

    def _land(self, source: str, rows: list[dict]) -> None:
        path = self._landing / source / f"soak-{self._number:07}.jsonl"
        part = path.with_name(path.name + ".tmp")
        part.write_text("".join(json.dumps(row) + "\n" for row in rows))
        part.rename(path)


def run(minutes: float) -> list[Ratio]:
    with workshop() as data_dir:
        os.environ |= {f"{name}_PORT": str(free_port()) for name in ("SANDBOX", "UI", "COLLECTOR", "DEMO")}
        os.environ["DATA_DIR"] = str(data_dir)
        os.environ.pop("LANDING", None)
        with (data_dir / "run.log").open("wb") as log:
            shop = subprocess.Popen(
                [sys.executable, "-m", "orchestration.commands.run"], cwd=ROOT, stdout=log, stderr=log, env=os.environ
            )
        try:
            _wait_until_it_is_up(shop, data_dir)
            samples = _soak(shop, Settings.from_env(), minutes * 60)
        finally:
            shop.send_signal(signal.SIGINT)
            shop.wait(timeout=120)
    return [_levelled_off(f"soak of {minutes:g} min", samples, name, limit) for name, limit in LIMITS.items()]


def _levelled_off(soak: str, samples: list[Sample], name: str, limit: float) -> Ratio:
    values = [getattr(sample, name) for sample in samples if getattr(sample, name) is not None]
    third = max(1, len(values) // 3)
    middle, last = mean(values[third : 2 * third] or [0]), mean(values[2 * third :] or [0])
    return Ratio(
        f"{soak}: {name.replace('_', ' ')} {last:,.0f}, last third / middle", last / middle if middle else 1, limit
    )


def _wait_until_it_is_up(shop: subprocess.Popen, data_dir: Path) -> None:
    until = time.monotonic() + 900
    while "Where to look" not in (data_dir / "run.log").read_text():
        if shop.poll() is not None or time.monotonic() > until:
            raise SystemExit("make run did not come up:\n" + (data_dir / "run.log").read_text())
        time.sleep(1)
    say("it is up")


def _soak(shop: subprocess.Popen, settings: Settings, seconds: float) -> list[Sample]:
    feeder, samples = Feeder(settings.landing_dir), []
    term = timedelta(seconds=seconds / 10)
    keep = Keep(landing=term, snapshots=term, files=term / 2, runs=term)
    began = time.monotonic()
    sample_due, house_due = 0.0, seconds / 15
    with (
        dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance,
        ThreadPoolExecutor(1) as house,
    ):
        turn: Future | None = None
        while (passed := time.monotonic() - began) < seconds:
            feeder.second()
            if passed >= house_due and (turn is None or turn.done()):
                house_due = passed + seconds / 15
                turn = house.submit(_keep_house, settings, instance, keep)
            if passed >= sample_due:
                sample_due += seconds / 30
                samples.append(_sample(passed, shop.pid, settings, instance, seconds / 30))
                say("  " + ", ".join(_shown(samples[-1])))
            time.sleep(max(0.0, 1.0 - (time.monotonic() - began - passed)))
        if turn is not None:
            turn.result()
    return samples


def _keep_house(settings: Settings, instance: dg.DagsterInstance, keep: Keep) -> None:
    done = keep_house(Services(settings), instance, keep)
    say("  housekeeping: " + ", ".join(f"{count} {what}" for what, count in done.items() if count))


def _shown(sample: Sample) -> list[str]:
    told = {f.name: getattr(sample, f.name) for f in fields(Sample)}
    return [f"{name.replace('_', ' ')} {'none' if value is None else f'{value:,.0f}'}" for name, value in told.items()]


def _sample(passed: float, pid: int, settings: Settings, instance: dg.DagsterInstance, window: float) -> Sample:
    processes = _tree(pid)
    return Sample(
        seconds=passed,
        memory_mb=sum(_resident(one) for one in processes) / 2**20,
        open_files=sum(_open_files(one) for one in processes),
        parquet_files=sum(1 for _ in settings.lake_dir.rglob("*.parquet")),
        landing_files=sum(1 for _ in settings.landing_dir.rglob("*.jsonl")),
        data_mb=sum(path.stat().st_size for path in settings.data_dir.rglob("*") if path.is_file()) / 2**20,
        tick_ms=_tick_ms(instance, window),
    )


def _tick_ms(instance: dg.DagsterInstance, window: float) -> float | None:
    """What a tick of the landing sensor took in the last while, on average; None where none ended."""
    [state] = [state for state in instance.all_instigator_state() if state.instigator_name == "landing"]
    ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, after=time.time() - window - 10)
    took = [tick.end_timestamp - tick.timestamp for tick in ticks if tick.end_timestamp]
    return mean(took) * 1000 if took else None


def _tree(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        try:
            for task in Path(f"/proc/{one}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return found


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _open_files(pid: int) -> int:
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=15, help="how long (default 15)")
    for ratio in run(parser.parse_args().minutes):
        print(ratio.told())


if __name__ == "__main__":
    main()
