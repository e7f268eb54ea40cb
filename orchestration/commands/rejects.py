"""Rejects on the command line.

make rejects                                       what there is, and what became of it
make mend SOURCE=orders REASON=country             hand out those whose reason has this in it, to be mended
make replay FILE=…                                 put a mended file's rows back
make replay SOURCE=orders REASON=country           put them back as they came, once they can be read
make dismiss SOURCE=orders REASON=country          let go of them
"""

import os
import sys
from pathlib import Path

from orchestration.commands.console import command, table
from orchestration.components.services import Services
from orchestration.core.contracts import SOURCES
from orchestration.core.errors import RejectsError
from orchestration.resources.rejects import PutBack, Tally


def main() -> None:
    rejects = Services.from_env().rejects
    match sys.argv[1]:
        case "list":
            print(shown(rejects.tally()))
        case "mend":
            path, number = rejects.hand_out(*_which())
            print(f"{number} rejects are in {path}: mend `row` in each line, then make replay FILE={path}")
        case "replay":
            print(told(_replayed()))
        case "dismiss":
            print(f"{rejects.dismiss(*_which())} rejects are dismissed.")


def shown(tallies: list[Tally]) -> str:
    """The list as a person reads it."""
    if not tallies:
        return "There are no rejects."
    rows = [(one.source, str(one.open), str(one.replayed), str(one.dismissed), one.reason) for one in tallies]
    return table(rows, heads=("source", "open", "replayed", "dismissed", "reason"))


def told(done: PutBack) -> str:
    """What a replay did, in sentences."""
    lines = [f"{done.replayed} rejects were put back, {done.dismissed} dismissed."]
    lines += [f"landing/{path} goes in with the next ingest." for path in done.files]
    lines += [f"{number} were left: {why}." for number, why in done.left]
    return "\n".join(lines)


def _replayed() -> PutBack:
    rejects = Services.from_env().rejects
    if not (file := os.environ.get("FILE")):
        return rejects.replay(*_which())
    try:
        text = Path(file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise RejectsError(f"{file} can't be read as UTF-8 text: {error}.") from error
    return rejects.replay_mended(text)


def _which() -> tuple[str, str]:
    source = os.environ.get("SOURCE", "")
    if source not in SOURCES:
        sys.exit(f"Say which: SOURCE=<one of {', '.join(SOURCES)}> and REASON=<some of its words, or nothing for all>")
    return source, os.environ.get("REASON", "")


if __name__ == "__main__":
    command(main)
