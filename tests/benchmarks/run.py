"""Every benchmark in turn, and one table of their ratios with their limits: what `make bench` runs.

    python tests/benchmarks/run.py [--scale 0.05]

At full scale it takes some minutes and some GB of the temporary folder. It ends with 0 also where a limit is missed, and says so.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# what a line for the table has in it
MARKS = ("limit ", "at least ")
BENCHMARKS = ("bench_ingest.py", "bench_models.py", "bench_increment.py", "bench_tick.py")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--scale", type=float, default=1.0, help="of the models' data; 1 is 1,000,000 contacts (default)"
    )
    scale = parser.parse_args().scale
    table = []
    for name in BENCHMARKS:
        arguments = [] if name == "bench_ingest.py" else ["--scale", str(scale)]
        table += [(name, line) for line in _run(HERE / name, arguments)]
    print(f"\n{'':18}ratio or figure, limit")
    for name, line in table:
        print(f"{name.removesuffix('.py'):18}{line}")
    missed = sum("MISSED" in line for _, line in table)
    print(f"\n{missed} missed" if missed else "\nAll limits are met.")
    return 0


def _run(script: Path, arguments: list[str]) -> list[str]:
    """Run one benchmark, showing what it says; the lines of it that belong in the table."""
    print(f"--- {script.name}", flush=True)
    lines = []
    with subprocess.Popen(
        [sys.executable, str(script), *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "DO_NOT_TRACK": "1"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            if any(mark in line for mark in MARKS):
                lines.append(line.strip())
    if process.returncode:
        lines.append(f"MISSED or failed: exit code {process.returncode}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
