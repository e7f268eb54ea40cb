"""A tick of the landing sensor beside 100,000 files that have landed, against one beside none.

Three ticks: nothing new; a new file in another folder; a new file in the very folder where the old ones lie. CPU time, as
what else the machine does is not in them; medians. Run it alone with `python tests/benchmarks/bench_tick.py`, or `make bench`.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import dagster as dg
from bench_side import Ratio, say, workshop

from orchestration.defs.ingestion.sensor import landing
from orchestration.resources.landing import ingest
from orchestration.resources.landing_disk import COARSEST_CLOCK_NS
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings

OLD = 100_000
VIEW = {
    "occurred_at": "2026-11-01T10:11:00Z",
    "article_id": "1",
    "url": "https://shop.test/blog/1",
    "visitor_id": "v",
    "email": None,
    "referrer": None,
    "tracking_consent": True,
}
QUIET = "nothing new"
ELSEWHERE = "a new file in another folder"
BESIDE = "a new file among the old ones"


def run(old: int, rounds: int) -> list[Ratio]:
    with workshop() as folder, dg.DagsterInstance.ephemeral() as instance:
        none = _side(folder / "none", 1, instance, rounds)
        many = _side(folder / "many", old, instance, rounds)
    limits = {QUIET: 1.5, ELSEWHERE: 1.5, BESIDE: 4.0}
    return [
        Ratio(f"a tick beside {old:,} old files / beside none: {what}", many[what] / none[what], limit)
        for what, limit in limits.items()
    ]


def _side(data_dir: Path, old: int, instance: dg.DagsterInstance, rounds: int) -> dict[str, float]:
    os.environ["DATA_DIR"] = str(data_dir)
    os.environ.pop("LANDING", None)
    settings = Settings.from_env()
    folder = settings.landing_dir / "article_views"
    elsewhere = settings.landing_dir / "signups"
    folder.mkdir(parents=True)
    elsewhere.mkdir()
    for number in range(old):
        (folder / f"{number}.jsonl").write_text(json.dumps(VIEW | {"event_id": f"v-{number}"}) + "\n")
    ingest(settings, Warehouse(settings))
    time.sleep(COARSEST_CLOCK_NS / 1e9 + 0.1)
    cursor = _tick(instance, None)[1]
    seconds = {QUIET: _median(lambda: _tick(instance, cursor)[0], rounds)}
    for what, where in ((ELSEWHERE, elsewhere), (BESIDE, folder)):
        (where / "new.jsonl").write_text("{}\n")
        seconds[what] = _median(lambda: _tick(instance, cursor)[0], rounds)
        (where / "new.jsonl").unlink()
    for what, value in seconds.items():
        say(f"  beside {old:,}: {what}: {value * 1000:.1f} ms of CPU")
    return seconds


def _tick(instance: dg.DagsterInstance, cursor: str | None) -> tuple[float, str | None]:
    context = dg.build_sensor_context(instance=instance, sensor_name="landing", cursor=cursor)
    began = time.process_time()
    landing(context)
    return time.process_time() - began, context.cursor


def _median(measure: Callable[[], float], rounds: int) -> float:
    return median(measure() for _ in range(rounds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="1 is 100,000 old files (default)")
    parser.add_argument("--rounds", type=int, default=15, help="ticks of each kind (default 15)")
    arguments = parser.parse_args()
    for ratio in run(max(10, round(OLD * arguments.scale)), arguments.rounds):
        print(ratio.told())


if __name__ == "__main__":
    main()
