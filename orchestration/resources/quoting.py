"""Values that must stand in the text of a statement, where DuckDB takes no parameter."""

from pathlib import Path


def quoted(value: Path | str) -> str:
    """A SQL string literal."""
    return "'" + str(value).replace("'", "''") + "'"
