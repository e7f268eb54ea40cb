"""`make run`: the whole of it with a made-up shop, until Ctrl-C."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestration.commands.console import command
from orchestration.commands.main_job import Told, prepare, run_main_job, seconds_since, wake_instance
from orchestration.commands.processes import (
    beside,
    collector,
    port_is_free,
    run_worker,
    sandbox,
    still_there,
    until_interrupted,
    wait_for,
)
from orchestration.core.errors import PennypostError
from orchestration.settings import Settings


def main() -> None:
    started = time.monotonic()
    settings = demo_settings()
    logs = settings.data_dir / "logs"
    with made_up_shop(settings) as shop:
        with beside(["-m", "orchestration.demo", "trickle"], log=logs / "demo.log"):
            _say(settings, shop.told.text, seconds_since(started))
            until_interrupted(lambda: still_there(shop.processes))
        print("\nStopped. `make run` goes on from here.")


@dataclass(frozen=True)
class Shop:
    """A demo that is up: what its first main job brought, and the processes that must stay up, each by its log."""

    told: Told
    processes: Mapping[Path, subprocess.Popen]


def demo_settings() -> Settings:
    """The settings, with what the demo wants where the environment says nothing. Ends the process where no demo can be."""
    os.environ.setdefault("BACKLOG", "send")
    os.environ.setdefault("QUIET_HOURS", "off")  # whoever tries it at night wants to see emails all the same
    _open_the_demos_doors()
    settings = Settings.from_env()
    if not settings.uses_sandbox:
        sys.exit(
            "MAILCHIMP_API_KEY is set: the demo shop's people are made up and are not written to through Mailchimp."
        )
    ports = {
        "SANDBOX_PORT": settings.sandbox_port,
        "UI_PORT": settings.ui_port,
        "COLLECTOR_PORT": settings.collector_port,
        "DEMO_PORT": settings.demo_port,
    }
    for name, port in ports.items():
        if not port_is_free(port):
            sys.exit(f"Port {port} is taken: stop what listens there, or set {name} to another.")
    return settings


@contextmanager
def made_up_shop(settings: Settings) -> Iterator[Shop]:
    """The demo with its past and its pages, until the end of the block; it begins when the main job has run."""
    prepare(settings)
    logs = settings.data_dir / "logs"
    print("Starting the sandbox, the Dagster UI and the demo shop …", flush=True)
    ui = ["-m", "dagster", "dev", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(settings.ui_port)]
    seed = ["-m", "orchestration.demo", "seed"]
    pages = ["-m", "orchestration.demo", "shop"]
    with sandbox(settings), collector(settings) as door, beside(pages, log=logs / "demo.log"):
        with beside(seed, log=logs / "demo.log") as seeding:
            if seeding.wait() != 0:
                raise PennypostError(f"The demo shop could not be made; see {logs / 'demo.log'}.")
        wake_instance(settings)
        with beside(ui, log=logs / "dagster.log") as dagster:
            print("Running the main job: events in, models, campaigns …", flush=True)
            told = run_main_job(settings)
            with run_worker(settings):
                wait_for(
                    f"http://127.0.0.1:{settings.ui_port}/server_info",
                    process=dagster,
                    log=logs / "dagster.log",
                    seconds=120,
                )
                yield Shop(told, {logs / "dagster.log": dagster, logs / "collector.log": door})


def _open_the_demos_doors() -> None:
    """The secrets that a shop would set for itself; what they open is on loopback, and made up."""
    demo_port = os.environ.get("DEMO_PORT") or "8040"
    os.environ.setdefault("COLLECTOR_ORIGINS", f"http://127.0.0.1:{demo_port} http://localhost:{demo_port}")
    os.environ.setdefault("PREFERENCES_KEY", "the key of a made-up shop")


def _say(settings: Settings, text: str, took: str) -> None:
    print(
        f"""
What happened
{text}

Where to look
  emails as their readers see them   http://127.0.0.1:{settings.sandbox_port}
  Dagster: assets, runs, campaigns   http://127.0.0.1:{settings.ui_port}
  the shop's blog: read, and sign up http://127.0.0.1:{settings.demo_port}
  the tables                         make sql
  why somebody got an email, or not  make why CONTACT=<an address from the outbox>

The demo shop goes on: a new signup every minute or so becomes an email by itself. Ready after {took}; Ctrl-C stops it.""",
        flush=True,
    )


if __name__ == "__main__":
    command(main)
