"""Processes that a command starts beside itself, and takes down with itself."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from orchestration.core.errors import PennypostError
from orchestration.settings import PROJECT_DIR, Settings

_PR_SET_PDEATHSIG = 1


@contextmanager
def beside(arguments: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen]:
    """Run a process of this Python in the project's folder; its output goes to `log`, and it ends when we do."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=PROJECT_DIR,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=_on_its_own,  # a killed command must not leave servers behind
        )
        try:
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=30)
    # whatever it started and left behind is in its group
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _on_its_own() -> None:
    # A Ctrl-C at the terminal is the command's to handle: it ends its children in order.
    os.setpgrp()
    # A shell starts what it runs in the background with SIGINT ignored; Dagster would then ignore SIGTERM, too.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    die_with_parent()


def die_with_parent() -> None:
    """Have this process be told to end when its parent dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def wait_for(url: str, *, process: subprocess.Popen, log: Path, seconds: float) -> None:
    """Wait until `url` answers. Raises PennypostError when the process ends first, or time is up."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            raise PennypostError(f"It ended before it answered at {url}. What it said is in {log}.")
        if answers(url):
            return
        time.sleep(0.2)
    raise PennypostError(f"No answer at {url} after {seconds:.0f} s. What it said is in {log}.")


def answers(url: str) -> bool:
    """Whether somebody answers at a loopback address."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2) as response:
            return response.status < 500
    except OSError:
        return False


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def port_is_free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@contextmanager
def sandbox(settings: Settings) -> Iterator[None]:
    """The stand-in for Mailchimp, with its outbox, until the end of the block."""
    log = settings.data_dir / "logs" / "sandbox.log"
    env = {"DATA_DIR": str(settings.data_dir), "SANDBOX_PORT": str(settings.sandbox_port)}
    with beside(["-m", "orchestration.sandbox"], log=log, env=env) as process:
        wait_for(f"http://127.0.0.1:{settings.sandbox_port}/outbox.json", process=process, log=log, seconds=30)
        yield


@contextmanager
def collector(settings: Settings) -> Iterator[subprocess.Popen]:
    """The door for events, until the end of the block."""
    log = settings.data_dir / "logs" / "collector.log"
    without_audience = {"MAILCHIMP_API_KEY": ""}  # the one process that strangers talk to needs no key to it
    with beside(["-m", "orchestration.collector"], log=log, env=without_audience) as process:
        wait_for(
            f"http://{settings.collector_host}:{settings.collector_port}/healthz", process=process, log=log, seconds=30
        )
        yield process


def run_worker(settings: Settings) -> AbstractContextManager[subprocess.Popen]:
    """The worker that runs are handed to, until the end of the block; without it they start slower."""
    return beside(["-m", "orchestration.commands.worker"], log=settings.data_dir / "logs" / "worker.log")


def still_there(processes: Mapping[Path, subprocess.Popen]) -> None:
    """Raises PennypostError when a process that should stay up has ended; each by its log."""
    for log, process in processes.items():
        if process.poll() is not None:
            raise PennypostError(f"A process ended that should not have. What it said last is in {log}.")


def until_interrupted(look: Callable[[], None]) -> None:
    """Call `look` every second until Ctrl-C or SIGTERM."""
    try:
        while True:
            look()
            time.sleep(1)
    except KeyboardInterrupt:
        pass
