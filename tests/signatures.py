"""DuckDB checks the signatures of 70 MB of extensions in every instance, a third of a second of work; each DATA_DIR has its own.

They were checked when they were installed, and the commands that tests start check them.
"""

import duckdb


def not_checked_again() -> None:
    """For the rest of this process."""
    connect = duckdb.connect

    def connected(*args, config=None, **kwargs):
        return connect(*args, config={**(config or {}), "allow_unsigned_extensions": True}, **kwargs)

    duckdb.connect = connected
