"""Landing files of rejects that were put back: `landing/<source>/replayed/`.

A reject is marked as replayed in one transaction, and its row lies in a file that gets its name after that. Killed before, the
reject is open and the file is none; killed after, whoever comes next gives the file its name. So a row goes in once.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import duckdb

from orchestration.core.contracts import SOURCES
from orchestration.resources.backup_manifest import make_folder, sync_folders
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings

FOLDER = "replayed"
DRAFT = ".tmp"


def is_replayed(path: str) -> bool:
    """Whether a path under landing/ is one of these files."""
    return path.split("/")[1] == FOLDER


def draft_replay(settings: Settings, path: str, content: bytes) -> None:
    """Write the landing file `path`, safely on disk, under a name that ingest passes over."""
    draft = settings.landing_dir / (path + DRAFT)
    make_folder(draft.parent)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    sync_folders([draft.parent])


def name_replays(settings: Settings, paths: Sequence[str]) -> None:
    """Give drafts their names."""
    for path in paths:
        final = settings.landing_dir / path
        final.with_name(final.name + DRAFT).replace(final)


def end_replays(settings: Settings, warehouse: Warehouse) -> int:
    """Name the drafts that a killed replay left behind; those whose rejects are still open go. Gives how many were named."""
    if not _drafts(settings):
        return 0
    with warehouse.writer(why="ending a replay") as con:
        return end_replays_as_writer(con, settings)


def end_replays_as_writer(con: duckdb.DuckDBPyConnection, settings: Settings) -> int:
    """The same, where one is the writer already: no replay is under way then."""
    named = []
    for draft in _drafts(settings):
        path = draft.relative_to(settings.landing_dir).as_posix().removesuffix(DRAFT)
        if con.execute("select count(*) from lake.raw.rejects where replayed_in = ?", [path]).fetchone()[0]:
            named.append(path)
        else:
            draft.unlink()
    name_replays(settings, named)
    return len(named)


def _drafts(settings: Settings) -> list[Path]:
    folders = [settings.landing_dir / name / FOLDER for name in SOURCES]
    return [draft for folder in folders for draft in folder.glob(f"*{DRAFT}")]
