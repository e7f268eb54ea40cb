"""Ingest of 2,000,000 article views in JSON lines, validated, against DuckDB's bare read of the same file into a bare DuckLake.

    python tests/benchmarks/bench_ingest.py [rows]

Each side runs in processes of its own, in turn. What is timed is one statement against one call of `ingest`, both in a process
that has its lake open already. The floor's lake and session are as DuckDB makes them when it is told nothing.
"""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from orchestration.resources.landing import ingest
from orchestration.resources.warehouse import Warehouse, load_extensions_sql
from orchestration.settings import PROJECT_DIR, Settings

ROWS = 2_000_000
ROUNDS = 5
LEAST_RATIO = 0.5
MOST_MEMORY = 6 << 30

VIEWS = """
    select
        'v-' || i as event_id,
        strftime(timestamp '2026-01-01' + to_seconds(i * 13), '%Y-%m-%dT%H:%M:%S.000Z') as occurred_at,
        cast(hash(i % 3000) as varchar) as article_id,
        'https://shop.test/blog/' || hash(i % 3000) as url,
        'visitor-' || hash(i % 300000) as visitor_id,
        case when i % 3 = 0 then 'customer-' || (i % 50000) || '@mail.test' end as email,
        case when i % 5 = 0 then 'https://search.test/' end as referrer,
        i % 7 <> 0 as tracking_consent
    from range($rows) as numbers(i)
"""


def main() -> int:
    """Print medians, their ratio and the peak memory of each side; 1 where a limit is not kept."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "landing/article_views/views.jsonl")
        file.parent.mkdir(parents=True)
        with duckdb.connect() as con:
            con.execute(f"copy ({VIEWS}) to '{file}' (format json)", {"rows": rows})
        runs: dict[str, list[dict]] = {"floor": [], "ingest": []}
        for number in range(ROUNDS):
            for side, so_far in runs.items():
                so_far.append(_fresh_process(side, file, Path(folder, f"{side}-{number}")))
    return _tell(rows, file.name, runs)


def _fresh_process(side: str, file: Path, data_dir: Path) -> dict:
    command = [sys.executable, __file__, "--side", side, str(file), str(data_dir)]
    said = subprocess.run(command, check=True, capture_output=True, text=True, cwd=PROJECT_DIR)
    return json.loads(said.stdout)


def _tell(rows: int, name: str, runs: dict[str, list[dict]]) -> int:
    floor, ours = (statistics.median(run["seconds"] for run in runs[side]) for side in ("floor", "ingest"))
    print(f"{rows:,} article views, {name}, median of {ROUNDS} runs each")
    for side, of in runs.items():
        seconds = ", ".join(f"{run['seconds']:.2f}" for run in of)
        cpu = statistics.median(run["cpu"] for run in of)
        print(f"  {side:7} {seconds} s; {cpu:.2f} s of CPU; peak memory {max(run['memory'] for run in of) >> 20:,} MB")
    print(f"  ingest runs at {floor / ours:.2f} of the bare read's speed (at least {LEAST_RATIO})")
    memory = max(run["memory"] for run in runs["ingest"])
    return 0 if floor / ours >= LEAST_RATIO and memory < MOST_MEMORY else 1


def _side(side: str, file: Path, data_dir: Path) -> None:
    settings = Settings.from_env({"DATA_DIR": str(data_dir), "LANDING": str(file.parents[1])})
    if side == "floor":
        data_dir.mkdir()
        con = duckdb.connect()
        for statement in load_extensions_sql():
            con.execute(statement)
        con.execute(f"attach 'ducklake:sqlite:{settings.catalog_path}' as lake (data_path '{settings.lake_dir}')")
        start = time.perf_counter(), time.process_time()
        con.execute(f"create table lake.main.views as select * from read_json('{file}')")
    else:
        warehouse = Warehouse(settings)
        with warehouse.writer():
            pass
        start = time.perf_counter(), time.process_time()
        ingest(settings, warehouse)
    end = time.perf_counter(), time.process_time()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": end[0] - start[0], "cpu": end[1] - start[1], "memory": memory}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--side"]:
        _side(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
    else:
        sys.exit(main())
