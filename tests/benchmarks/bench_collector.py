"""How fast the collector acknowledges durable events, beside an empty answer; that none is lost when it is killed; a full disk.

    python tests/benchmarks/bench_collector.py [--requests 6000]

CPU seconds are the server process's own, with its threads; what the machine does beside changes them little.
"""

import argparse
import asyncio
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from collector_load import KEY, Load, post

from orchestration.resources.landing import ingest
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
CONNECTIONS = 64
BATCH = 100
ROUNDS = 7
KILLS = 10
LIMIT = 2.0
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=6_000, help="requests of each side of each round")
    requests = parser.parse_args().requests
    with tempfile.TemporaryDirectory() as folder:
        is_good = speed(Path(folder) / "speed", requests)
        is_good = killed(Path(folder) / "killed") and is_good
        is_good = full_disk(Path(folder) / "full") and is_good
    return 0 if is_good else 1


def speed(data_dir: Path, requests: int) -> bool:
    ratios, loads, batches = [], [], []
    with floor() as (empty_port, empty), collector(data_dir) as (port, process):
        asyncio.run(post(empty_port, requests=2000, connections=CONNECTIONS))
        asyncio.run(post(port, requests=2000, connections=CONNECTIONS))
        for _ in range(ROUNDS):
            empty_cpu, empty_load = _measured(empty, empty_port, requests)
            cpu, load = _measured(process, port, requests)
            ratios.append(cpu / empty_cpu)
            loads.append(load)
            print(
                f"empty 204: {1e6 * empty_cpu / requests:4.0f} µs CPU a request, {requests / empty_load.wall:6.0f}/s, "
                f"p99 {empty_load.p99_ms:.1f} ms   one view, on disk: {1e6 * cpu / requests:4.0f} µs, "
                f"{requests / load.wall:6.0f}/s, p99 {load.p99_ms:.1f} ms   ratio {ratios[-1]:.2f}",
                flush=True,
            )
            _, batch = _measured(process, port, requests // 50, connections=8, events=BATCH)
            batches.append(batch)
    ratio = statistics.median(ratios)
    one = statistics.median(requests / load.wall for load in loads)
    many = statistics.median(len(load.acknowledged) / load.wall for load in batches)
    p99 = statistics.median(load.p99_ms for load in loads)
    p99_batch = statistics.median(load.p99_ms for load in batches)
    verdict = "met" if ratio <= LIMIT else "MISSED"
    print(
        f"acknowledged durable: {one:.0f} events/s one by one (p99 {p99:.1f} ms), "
        f"{many:.0f} events/s in batches of {BATCH} (p99 {p99_batch:.1f} ms)"
    )
    print(f"CPU a request beside an empty answer: {ratio:.2f}, limit {LIMIT:.1f}: {verdict}")
    acknowledged = sum(len(load.acknowledged) for load in (*loads, *batches))
    return ratio <= LIMIT and acknowledged == ROUNDS * (requests + requests // 50 * BATCH)


def _measured(process: subprocess.Popen, port: int, requests: int, connections: int = CONNECTIONS, events: int = 1):
    before = _cpu_seconds(process.pid)
    load = asyncio.run(post(port, requests=requests, connections=connections, events=events))
    return _cpu_seconds(process.pid) - before, load


def killed(data_dir: Path) -> bool:
    """Under load, SIGKILL and start again; then ingest, and look for each acknowledged event."""
    port = _free_port()
    load = asyncio.run(_while_killed(data_dir, port))
    settings = Settings.from_env({"DATA_DIR": str(data_dir)})
    with _started(_collector_arguments(), data_dir, port):
        pass  # a start lands what the last one left open, a stop lands its own
    warehouse = Warehouse(settings)
    ingest(settings, warehouse)
    with warehouse.latest() as con:
        found = dict(con.execute("select event_id, count(*) from raw.article_views group by event_id").fetchall())
        (rejects,) = con.execute("select count(*) from raw.rejects").fetchone()
    lost = [one for one in load.acknowledged if one not in found]
    twice = [one for one, times in found.items() if times > 1]
    files = len(list((data_dir / "landing" / "article_views").glob("*.jsonl")))
    is_good = not lost and not twice and not rejects and load.acknowledged
    print(
        f"killed {KILLS} times under load: {len(load.acknowledged)} acknowledged, {load.broken} broken off, {len(lost)} lost, "
        f"{len(twice)} twice, {rejects} rejects, limit 0: {'met' if is_good else 'MISSED'} ({files} files)"
    )
    return bool(is_good)


async def _while_killed(data_dir: Path, port: int) -> Load:
    until = asyncio.Event()
    loading = asyncio.create_task(post(port, requests=0, connections=CONNECTIONS, until=until))
    for _ in range(KILLS):
        process = _start(_collector_arguments(), data_dir, port)
        await asyncio.to_thread(_wait_until_up, port, process)
        await asyncio.sleep(random.uniform(0.5, 2.5))  # noqa: S311
        process.send_signal(signal.SIGKILL)
        process.wait()
    until.set()
    return await loading


def full_disk(data_dir: Path) -> bool:
    """On a file system of 2 MB of its own: 503 when it is full, 200 when there is room again, and nothing acknowledged lost."""
    data_dir.mkdir()
    inside = f"mount -t tmpfs -o size=2m none {data_dir} && exec {sys.executable} -m orchestration.collector"
    arguments = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", inside]
    if os.geteuid() == 0:
        arguments = ["unshare", "--mount", "sh", "-c", inside]
    port = _free_port()
    with _started(arguments, data_dir, port) as process:
        landing = Path(f"/proc/{process.pid}/root{data_dir}/landing")
        load = asyncio.run(post(port, requests=300, connections=8, events=BATCH))
        kept = b"".join(file.read_bytes() for file in landing.rglob("*.jsonl"))
        lost = [one for one in load.acknowledged if one.encode() not in kept]
        half = sum(not line.endswith(b"}") for line in kept.splitlines())
        for file in (landing / "article_views").glob("*.jsonl"):
            file.unlink()
        after = asyncio.run(post(port, requests=1, connections=1))
    is_good = load.other.keys() == {503} and load.acknowledged and not lost and not half and after.acknowledged
    print(
        f"disk full: {len(load.acknowledged)} events acknowledged, then {load.other} answers by status, {len(lost)} lost, "
        f"{half} half lines; with room again {len(after.acknowledged)} of 1, limit 503 only: {'met' if is_good else 'MISSED'}"
    )
    return bool(is_good)


@contextmanager
def floor() -> Iterator[tuple[int, subprocess.Popen]]:
    port = _free_port()
    with _started(
        [sys.executable, str(Path(__file__).with_name("empty_answer.py")), str(port)], Path("/"), port
    ) as process:
        yield port, process


@contextmanager
def collector(data_dir: Path) -> Iterator[tuple[int, subprocess.Popen]]:
    port = _free_port()
    with _started(_collector_arguments(), data_dir, port) as process:
        yield port, process


def _collector_arguments() -> list[str]:
    return [sys.executable, "-m", "orchestration.collector"]


@contextmanager
def _started(arguments: list[str], data_dir: Path, port: int) -> Iterator[subprocess.Popen]:
    process = _start(arguments, data_dir, port)
    try:
        _wait_until_up(port, process)
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)


def _start(arguments: list[str], data_dir: Path, port: int) -> subprocess.Popen:
    own = {"DATA_DIR": str(data_dir), "COLLECTOR_PORT": str(port), "COLLECTOR_KEY": KEY, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        arguments, cwd=ROOT, env=os.environ | own, stderr=subprocess.DEVNULL, preexec_fn=_default_signals
    )


def _default_signals() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _wait_until_up(port: int, process: subprocess.Popen) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"it ended with {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("it does not listen")


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


if __name__ == "__main__":
    if shutil.which("unshare") is None:
        sys.exit("It needs unshare (util-linux) for a disk of its own that can be full.")
    sys.exit(main())
