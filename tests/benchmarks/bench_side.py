"""What the benchmarks of the models share: a folder that is gone afterwards, copies of a warehouse, and child processes."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PEAK_LIMIT = 6 * 2**30


@dataclass(frozen=True)
class Ratio:
    """One figure held against its limit: for `at_most` the ratio may not be above it, else not below."""

    name: str
    value: float
    limit: float
    at_most: bool = True
    unit: str = "×"

    @property
    def is_met(self) -> bool:
        return self.value <= self.limit if self.at_most else self.value >= self.limit

    def told(self) -> str:
        sign = "≤" if self.at_most else "≥"
        verdict = "met" if self.is_met else "MISSED"
        return f"{self.name:<66} {self.value:7.2f} {self.unit:<3} limit {sign} {self.limit:g}  {verdict}"


@contextmanager
def workshop() -> Iterator[Path]:
    """A folder for the benchmark's warehouses (some GB at full scale), removed at the end, also after an error."""
    folder = Path(tempfile.mkdtemp(prefix="pennypost-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def side(name: str, data_dir: Path, *arguments: object) -> dict:
    """Run one side in a fresh process and return its figures. Raises CalledProcessError after showing what it said."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("one_side.py")), name, str(data_dir), *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "DO_NOT_TRACK": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    figures = json.loads(done.stdout.strip().splitlines()[-1])
    figures["process"] = time.perf_counter() - began
    return figures


def copy_of(warehouse: Path, target: Path) -> Path:
    """A second warehouse with the same data: the same Parquet files (they are never changed), and a copy of the catalogue."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(warehouse / "lake", target / "lake", copy_function=os.link)
    shutil.copytree(warehouse / "keys", target / "keys")
    for file in warehouse.glob("catalog.sqlite*"):
        shutil.copy2(file, target)
    # the manifest that dbt read, so that it need not read the project again
    if (warehouse / "dbt").is_dir():
        shutil.copytree(warehouse / "dbt", target / "dbt", ignore=shutil.ignore_patterns("logs", "run", "compiled"))
    return target


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


def gigabytes(peak_bytes: float) -> float:
    return peak_bytes / 2**30


def top(nodes: dict[str, float], count: int) -> str:
    """The slowest nodes, as text."""
    slowest = sorted(nodes.items(), key=lambda node: -node[1])[:count]
    return ", ".join(f"{name.split('.')[-1]} {seconds:.2f}" for name, seconds in slowest)
