"""`make backup TO=<new folder>`: everything that can't be had again, as it is at one moment, while the pipeline may run."""

import os
import sys
from pathlib import Path

from orchestration.commands.console import command
from orchestration.resources.backup import back_up
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings


def main() -> None:
    to = os.environ.get("TO", "").strip()
    if not to:
        sys.exit("Say where to: make backup TO=<a new folder, outside of DATA_DIR>")
    settings = Settings.from_env()
    path = Path(to).resolve()
    made = back_up(settings, Warehouse(settings), path)
    waves = ", ".join(f"{number} {state}" for state, number in made.waves.items()) or "none"
    build = f"build of {made.build['as_of']}" if made.build else "no complete build yet"
    print(f"Backed up {settings.data_dir} to {path}: {len(made.files)} files, {made.bytes / 1e6:.1f} MB.")
    print(f"Tables: {build}, snapshot {made.snapshot_id}. Waves: {waves}.")
    print("It holds the keys and people's data: keep it where only you can read it.")


if __name__ == "__main__":
    command(main)
