"""`make restore FROM=<backup> DATA_DIR=<new or empty folder>`: a DATA_DIR as it was when the backup was made."""

import os
import sys
from pathlib import Path

from orchestration.commands.console import command
from orchestration.resources.restore import restore
from orchestration.settings import Settings


def main() -> None:
    source = os.environ.get("FROM", "").strip()
    if not source:
        sys.exit("Say which: make restore FROM=<a backup> DATA_DIR=<a new or empty folder>")
    settings = Settings.from_env()
    made = restore(settings, Path(source).resolve())
    print(f"Restored {settings.data_dir} as of {made.made_at}: {len(made.files)} files, {made.bytes / 1e6:.1f} MB.")
    print("What Mailchimp sent since is adopted before the next send. Whoever was erased since has to be erased again.")


if __name__ == "__main__":
    command(main)
