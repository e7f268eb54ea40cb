"""What the commands share: an error of ours is its message, not a traceback."""

import logging
import signal
import sys
from collections.abc import Callable

from orchestration.core.errors import PennypostError


def command(main: Callable[[], None]) -> None:
    """Run a command: exit 1 and its message for a PennypostError. Ctrl-C and SIGTERM end it in order, its processes too."""
    # set here, since a shell starts what it runs in the background with SIGINT ignored
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("orchestration").setLevel(logging.INFO)
    try:
        main()
    except PennypostError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)


def table(rows: list[tuple[str, ...]], heads: tuple[str, ...]) -> str:
    """Rows as aligned text; columns that hold only numbers are right-aligned."""
    cells = [heads, *[tuple(str(cell) for cell in row) for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]
    numeric = [all(row[i].replace(",", "").isdigit() or not row[i] for row in cells[1:]) for i in range(len(heads))]

    def line(row: tuple[str, ...]) -> str:
        return "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ).rstrip()

    return "\n".join([line(heads), "  ".join("-" * width for width in widths), *map(line, cells[1:])])
