"""A full build of the models against one hand-written script that writes the same public tables (floor_models.sql).

Both get the same raw tables and write to the same kind of DuckLake; their tables are compared row by row afterwards. Run it
alone with `python tests/benchmarks/bench_models.py --scale 0.05`, or all of them with `make bench`.
"""

import argparse
from pathlib import Path
from statistics import median

import duckdb
from bench_side import PEAK_LIMIT, Ratio, copy_of, gigabytes, say, side, top, workshop

from orchestration.resources.warehouse import load_extensions_sql

VIEWS = 10_000_000
LIMIT = 2.0
# columns of each public table; scores are compared to the sixth digit
PUBLIC_TABLES = {
    "contacts": "*",
    "orders": "*",
    "segment_members": "*",
    "segment_history": "*",
    "related_articles": "* replace (round(score, 6) as score)",
    "recommended_articles": "*",
    "campaign_deliveries": "*",
    "campaign_performance": "*",
}


def run(scale: float, rounds: int) -> list[Ratio]:
    with workshop() as folder:
        raw = folder / "raw"
        say(f"full build: writing the made-up year at scale {scale:g}")
        filled = side("fill", raw, scale, VIEWS)
        say(
            "  "
            + ", ".join(f"{count:,} {name}" for name, count in filled["rows"].items())
            + f"; {filled['addresses']:,} contacts"
        )
        floors, builds = [], []
        for number in range(1, rounds + 1):
            floors.append(side("floor", copy_of(raw, folder / "floor")))
            say(
                f"  round {number}: hand-written script {_seconds(floors[-1]):.1f} s ({floors[-1]['cpu']:.1f} s of CPU)"
            )
            builds.append(side("build", copy_of(raw, folder / "built"), 0))
            say(
                f"  round {number}: dbt models {_seconds(builds[-1]):.1f} s (tests {_tests(builds[-1]):.1f} s, "
                f"with start-up {builds[-1]['wall']:.1f} s, {builds[-1]['cpu']:.1f} s of CPU), "
                f"slowest {top(builds[-1]['nodes'], 8)}"
            )
        say("  comparing the public tables row by row")
        differences = compare(folder / "built", folder / "floor")
    if differences:
        raise SystemExit("The hand-written script and the models differ:\n" + "\n".join(differences))
    floor_time = median(map(_seconds, floors))
    return [
        Ratio("full build: models / hand-written SQL", median(map(_seconds, builds)) / floor_time, LIMIT),
        # on a machine with other work the processor's time says more than the clock's; dbt's own is in it here
        Ratio(
            "full build: CPU of models, data tests and dbt / hand-written SQL",
            median(build["cpu"] for build in builds) / median(one["cpu"] for one in floors),
            LIMIT,
        ),
        Ratio(
            "full build: models and data tests / hand-written SQL",
            median(_seconds(build) + _tests(build) for build in builds) / floor_time,
            LIMIT,
        ),
        Ratio(
            "full build: peak memory of dbt",
            gigabytes(max(build["peak_bytes"] for build in builds)),
            gigabytes(PEAK_LIMIT),
            unit="GB",
        ),
        Ratio(
            "full build: peak memory of hand-written SQL",
            gigabytes(max(one["peak_bytes"] for one in floors)),
            gigabytes(PEAK_LIMIT),
            unit="GB",
        ),
    ]


def compare(built: Path, floor: Path) -> list[str]:
    """What differs between the public tables of two warehouses, one line each; nothing if they are the same."""
    differences = []
    with duckdb.connect() as con:
        for statement in [*load_extensions_sql(), "set TimeZone = 'UTC'"]:
            con.execute(statement)
        for name, data_dir in (("built", built), ("floor", floor)):
            con.execute(
                f"attach 'ducklake:sqlite:{data_dir}/catalog.sqlite' as {name} "
                f"(data_path '{data_dir}/lake', override_data_path true, read_only)"
            )
        for table, columns in PUBLIC_TABLES.items():
            names = [name for (name, *_) in con.execute(f"describe built.marts.{table}").fetchall()]
            ours, theirs = (
                f"select {', '.join(names)} from (select {columns} from {lake}.marts.{table})"
                for lake in ("built", "floor")
            )
            counts = con.execute(
                f"select (select count(*) from ({ours})), (select count(*) from ({theirs})), "
                f"(select count(*) from ({ours} except all {theirs})), (select count(*) from ({theirs} except all {ours}))"
            ).fetchone()
            say(f"    {table}: {counts[0]:,} rows")
            if counts[0] != counts[1] or counts[2] or counts[3]:
                differences.append(
                    f"{table}: {counts[0]} rows and {counts[1]}; {counts[2]} only the models', {counts[3]} only the script's"
                )
    return differences


def _seconds(figures: dict) -> float:
    return sum(figures["nodes"].values())


def _tests(figures: dict) -> float:
    return sum(figures["tests"].values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="1 is 1,000,000 contacts (default)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side, by turns (default 3)")
    arguments = parser.parse_args()
    for ratio in run(arguments.scale, arguments.rounds):
        print(ratio.told())


if __name__ == "__main__":
    main()
