"""What dbt's own DuckDB connection needs before it attaches the lake: the signed extensions from their Python packages.

Named under `plugins` in dbt_project/profiles.yml.
"""

from dbt.adapters.duckdb.plugins import BasePlugin
from duckdb import DuckDBPyConnection

from orchestration.resources.warehouse import load_extensions_sql, threads_sql
from orchestration.settings import Settings


class Plugin(BasePlugin):
    """Loads DuckLake and SQLite support, and chooses how many threads work. dbt-duckdb finds this class by its name."""

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        for statement in [*load_extensions_sql(), threads_sql(Settings.from_env().lake_dir)]:
            conn.execute(statement)
