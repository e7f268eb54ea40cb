"""One folder that holds a DATA_DIR as it was at one moment: ledger, catalogue, the lake's files, keys.

    warehouse.lock held            no one writes tables, and no file of the lake is deleted
      ledger at rest               no one plans or delivers: its copy is never behind what the warehouse took from it
      catalogue, its files, keys, erasures
    manifest.json                  sizes and hashes
    renamed                        under its own name a backup is complete

Readers are not disturbed; whoever means to write waits. What is left out can be had again: landing files are the shop's (their
rows, and rejects with their bytes, are in the tables), Dagster's runs and logs are history that nothing depends on; which of its
schedules and sensors somebody had stopped is kept. The sandbox is no more ours than Mailchimp is.
"""

import os
import platform
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from orchestration.core.errors import BackupError
from orchestration.files import copy_file, make_folder, sha256_of, sync_folders
from orchestration.resources.backup_manifest import BackupFile, Manifest
from orchestration.resources.ledger import Ledger
from orchestration.resources.ledger_schema import SCHEMA_VERSION
from orchestration.resources.sqlite_copy import copy_sqlite
from orchestration.resources.warehouse import Build, Warehouse
from orchestration.settings import Settings

SWITCHES = Path("dagster", "schedules", "schedules.db")  # which schedules and sensors are stopped
# Keys and what is known of the erased by them; erasures under way, which go on after a restore; their receipts.
SMALL_FILES = ("keys", "erasing", "erasures")
WAIT = 600.0

_LAKE_FILES = """
    with files as (
        select table_id, path, path_is_relative, file_size_bytes from ducklake_data_file
        union all
        select table_id, path, path_is_relative, file_size_bytes from ducklake_delete_file
    )
    select distinct
        files.path, files.path_is_relative, files.file_size_bytes,
        ducklake_table.path, ducklake_table.path_is_relative,
        ducklake_schema.path, ducklake_schema.path_is_relative
    from files
    join ducklake_table using (table_id)
    join ducklake_schema using (schema_id)
"""


def back_up(settings: Settings, warehouse: Warehouse, to: Path, *, wait: float = WAIT) -> Manifest:
    """Make the new folder `to` a backup of DATA_DIR, for its owner only. Runs may be under way.

    Raises BackupError, WarehouseBusy when somebody writes for longer than `wait` seconds. Killed, it leaves a folder
    `.<name>.partial` beside `to`, which the next one under that name clears away.
    """
    _check(settings, to)
    partial = to.with_name(f".{to.name}.partial")
    with warehouse.lock(wait=wait, why="backing up"):
        try:
            if partial.exists():
                shutil.rmtree(partial)
            make_folder(partial)
            manifest = _copy_all(settings, warehouse, partial, wait)
            manifest.write(partial)
            sync_folders([partial, *(folder for folder in partial.rglob("*") if folder.is_dir())])
            partial.rename(to)
            sync_folders([to.parent])
        except OSError as error:
            raise BackupError(
                f"The backup could not be written to {to}: {error.strerror}. See that the disk has room and the folder may be "
                "written to."
            ) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)  # gone already where all went well
    return manifest


def _check(settings: Settings, to: Path) -> None:
    if not settings.catalog_path.exists():
        raise BackupError(f"There is nothing to back up in {settings.data_dir}: it holds no warehouse.")
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise BackupError(f"{to} is there already. Give a backup a name of its own.")
    if to.is_relative_to(settings.data_dir):
        raise BackupError(f"{to} is inside DATA_DIR, and would be lost with it. Put the backup elsewhere.")


def _copy_all(settings: Settings, warehouse: Warehouse, folder: Path, wait: float) -> Manifest:
    with Ledger(settings, patience=wait).at_rest():
        copy_sqlite(settings.ledger_path, folder / settings.ledger_path.name)
    catalog = folder / settings.catalog_path.name
    copy_sqlite(settings.catalog_path, catalog)
    copied = [_described(folder, path, settings.data_dir) for path in (catalog, folder / settings.ledger_path.name)]
    switches = settings.data_dir / SWITCHES
    if switches.exists():
        make_folder(folder / SWITCHES.parent)
        copy_sqlite(switches, folder / SWITCHES)
        copied.append(_described(folder, folder / SWITCHES, settings.data_dir))
    small = [path for name in SMALL_FILES for path in sorted((settings.data_dir / name).glob("[!.]*"))]
    for path in [*_lake_files(settings, catalog), *small]:
        copied.append(_copied(path, settings.data_dir, folder))
    build = warehouse.last_build()
    return Manifest(
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        snapshot_id=_snapshot(catalog),
        build=_told(build),
        waves=_waves(folder / settings.ledger_path.name),
        versions={"duckdb": duckdb.__version__, "python": platform.python_version(), "ledger": SCHEMA_VERSION},
        files=copied,
    )


def _copied(path: Path, data_dir: Path, folder: Path) -> BackupFile:
    relative = path.relative_to(data_dir)
    digest = copy_file(path, folder / relative, 0o600)
    return BackupFile(relative.as_posix(), _mode(path), (folder / relative).stat().st_size, digest)


def _described(folder: Path, path: Path, data_dir: Path) -> BackupFile:
    relative = path.relative_to(folder)
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return BackupFile(relative.as_posix(), _mode(data_dir / relative), path.stat().st_size, sha256_of(path))


def _mode(path: Path) -> str:
    return f"{path.stat().st_mode & 0o777:04o}"


def _lake_files(settings: Settings, catalog: Path) -> Iterator[Path]:
    """Every file that a snapshot in the catalogue's copy refers to. Raises BackupError for one that is missing or cut short."""
    with closing(sqlite3.connect(catalog)) as con:
        rows = con.execute(_LAKE_FILES).fetchall()
    for name, is_below_table, size, table, is_below_schema, schema, is_below_lake in sorted(rows):
        above = settings.lake_dir / schema if is_below_lake else Path(schema)
        above = above / table if is_below_schema else Path(table)
        path = above / name if is_below_table else Path(name)
        if not path.is_relative_to(settings.data_dir):
            raise BackupError(f"The catalogue refers to {path}, which lies outside of DATA_DIR. It is not backed up.")
        if not path.is_file() or path.stat().st_size != size:
            raise BackupError(
                f"The catalogue refers to {path}, which is missing or damaged. Nothing was backed up; go back to an earlier "
                "backup, or build the warehouse anew from the landing files."
            )
        yield path


def _snapshot(catalog: Path) -> int:
    with closing(sqlite3.connect(catalog)) as con:
        return con.execute("select max(snapshot_id) from ducklake_snapshot").fetchone()[0]


def _told(build: Build | None) -> dict[str, str] | None:
    return build and {"id": build.build_id, "as_of": build.as_of.isoformat()}


def _waves(ledger: Path) -> dict[str, int]:
    with closing(sqlite3.connect(ledger)) as con:
        return dict(Counter(state for (state,) in con.execute("select state from waves order by state")))
