"""`python -m orchestration.demo seed` and `… trickle [--every SECONDS]`, into the landing folder; `… shop` serves the pages."""

import argparse
import signal
import sys
import threading
from contextlib import suppress

from orchestration.core.errors import PennypostError
from orchestration.demo.seed import seed
from orchestration.demo.shop import serve
from orchestration.demo.trickle import trickle
from orchestration.settings import Settings


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m orchestration.demo", description="The demo shop, Larkspur Skin.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("seed", help="write some weeks of events, once")
    going_on = commands.add_parser("trickle", help="go on writing small files until stopped")
    going_on.add_argument("--every", type=float, default=10.0, metavar="SECONDS", help="time between files (10)")
    commands.add_parser("shop", help="serve the blog's pages, with beacon and newsletter form, until stopped")
    options = parser.parse_args(arguments)
    try:
        settings = Settings.from_env()
    except PennypostError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if options.command == "seed":
        _say(str(seed(settings.landing_dir, settings.now())))
    elif options.command == "shop":
        with suppress(KeyboardInterrupt):
            serve(settings)
    else:
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        written = trickle(settings.landing_dir, options.every, stop, _say, coupons_dir=settings.coupons_dir)
        _say(f"Stopped. Files written: {written}")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
