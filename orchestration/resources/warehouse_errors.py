"""What DuckDB says when the machine fails it, told so that whoever reads it knows what to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from orchestration.core.errors import WarehouseError

# a part of DuckDB's, SQLite's or the system's message → what is the matter
_CAUSES = {
    "database is locked": "another program holds its catalogue",
    "No space left": "the disk is full",
    "disk is full": "the disk is full",
    "File too large": "a file may not grow any further there",
    "readonly database": "it may not be written to",
    "Read-only file system": "it may not be written to",
    "Permission denied": "this user may not read or write it",
    "unable to open database file": "its catalogue can't be opened for writing",
    "disk I/O error": "the disk is full, or failed",
}


@contextmanager
def told_clearly(data_dir: Path) -> Iterator[None]:
    """Turn such an error of DuckDB's into a WarehouseError; any other passes through."""
    try:
        yield
    except duckdb.Error as error:
        said = str(error)
        cause = next((cause for part, cause in _CAUSES.items() if part in said), None)
        if cause is None:
            raise
        raise WarehouseError(
            f"The warehouse in {data_dir} could not do it: {cause}. Nothing of this step was kept, and nothing is lost. "
            "See that the disk has room, that this user may write there and that no other program has the catalogue "
            "open, then start it again."
        ) from error
