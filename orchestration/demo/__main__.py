"""`python -m orchestration.demo seed` and `… trickle [--every SECONDS]`, into the landing folder of the settings."""

import argparse
import sys

from orchestration.core.errors import PennypostError
from orchestration.demo.seed import seed
from orchestration.settings import Settings


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m orchestration.demo", description="The demo shop, Larkspur Skin.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("seed", help="write some weeks of events, once")
    options = parser.parse_args(arguments)
    try:
        settings = Settings.from_env()
        if options.command == "seed":
            _say(str(seed(settings.landing_dir, settings.now())))
    except PennypostError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
