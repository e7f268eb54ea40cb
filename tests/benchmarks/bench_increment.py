"""Adding 10,000 events to 10,000,000 article views against adding them to 1,000,000, with the same contacts and orders.

A tenth of the events are repeats from all over the past. What a build costs should follow what is new, so the two should take
nearly the same time. Run it alone with `python tests/benchmarks/bench_increment.py --scale 0.05`, or with `make bench`.
"""

import argparse
from statistics import median

from bench_side import PEAK_LIMIT, Ratio, copy_of, gigabytes, say, side, top, workshop

VIEWS = {"10 M": 10_000_000, "1 M": 1_000_000}
EVENTS = 10_000
LIMIT = 1.5
MINUTES_LATER = 30


def run(scale: float, rounds: int) -> list[Ratio]:
    events = max(100, round(EVENTS * scale))
    added: dict[str, list[dict]] = {name: [] for name in VIEWS}
    with workshop() as folder:
        for name, views in VIEWS.items():
            say(f"adding: writing and building the made-up year with {round(views * scale):,} views")
            side("fill", folder / name, scale, views)
            side("build", folder / name, 0)
        for number in range(1, rounds + 1):
            for name, views in VIEWS.items():
                copy = copy_of(folder / name, folder / "copy")
                side("add", copy, scale, views, events)
                added[name].append(side("build", copy, MINUTES_LATER))
                last = added[name][-1]
                say(
                    f"  round {number}, {events:,} events to {round(views * scale):,} views: models {_seconds(last):.2f} s, "
                    f"tests {_tests(last):.2f} s, with start-up {last['wall']:.1f} s, {last['cpu']:.1f} s of CPU"
                )
    medians = {name: {part: _medians(runs, part) for part in ("nodes", "tests")} for name, runs in added.items()}
    for name, parts in medians.items():
        say(f"  {name} views, {len(parts['nodes'])} nodes, median seconds: {top(parts['nodes'], 12)}")
    models = {name: sum(parts["nodes"].values()) for name, parts in medians.items()}
    all_of_it = {name: models[name] + sum(parts["tests"].values()) for name, parts in medians.items()}
    return [
        Ratio(f"adding {events:,} events: models, 10 M views / 1 M", models["10 M"] / models["1 M"], LIMIT),
        Ratio(
            f"adding {events:,} events: models and data tests, 10 M / 1 M", all_of_it["10 M"] / all_of_it["1 M"], LIMIT
        ),
        # dbt's own, which is the same for both, is in it here
        Ratio(
            f"adding {events:,} events: CPU of it all, 10 M / 1 M",
            median(run["cpu"] for run in added["10 M"]) / median(run["cpu"] for run in added["1 M"]),
            LIMIT,
        ),
        Ratio(
            "adding: peak memory",
            gigabytes(max(run["peak_bytes"] for runs in added.values() for run in runs)),
            gigabytes(PEAK_LIMIT),
            unit="GB",
        ),
    ]


def _medians(runs: list[dict], part: str) -> dict[str, float]:
    """The median of each node over the rounds: a node that something else held up in one round does not count."""
    return {node: median(run[part][node] for run in runs) for node in runs[0][part]}


def _seconds(figures: dict) -> float:
    return sum(figures["nodes"].values())


def _tests(figures: dict) -> float:
    return sum(figures["tests"].values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="1 is 1,000,000 contacts (default)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each, by turns (default 3)")
    arguments = parser.parse_args()
    for ratio in run(arguments.scale, arguments.rounds):
        print(ratio.told())


if __name__ == "__main__":
    main()
