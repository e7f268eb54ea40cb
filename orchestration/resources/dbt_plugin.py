"""What dbt's own DuckDB connection needs before it attaches the lake: the signed extensions from their Python packages, and the
SQL functions of ours that models use.

Named under `plugins` in dbt_project/profiles.yml.
"""

from dbt.adapters.duckdb.plugins import BasePlugin
from duckdb import DuckDBPyConnection

from orchestration.resources import related_reading
from orchestration.resources.warehouse import load_extensions_sql


class Plugin(BasePlugin):
    """Loads DuckLake, SQLite support and related reading. dbt-duckdb finds this class by its name."""

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        for statement in load_extensions_sql():
            conn.execute(statement)
        related_reading.register(conn)
