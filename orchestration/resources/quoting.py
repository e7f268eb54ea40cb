"""Values and names in the text of a statement, where it takes no parameter; DuckDB and SQLite write both alike."""

from pathlib import Path


def quoted(value: Path | str) -> str:
    """A SQL string literal."""
    return "'" + str(value).replace("'", "''") + "'"


def quoted_name(name: str) -> str:
    """The name of a table or a column."""
    return '"' + name.replace('"', '""') + '"'
