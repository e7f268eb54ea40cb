"""Landing files of rejects that were put back: `landing/<source>/replayed/`.

A reject is marked as replayed in one transaction, and its row lies in a file that gets its name after that. Killed before, the
reject is open and the file is none; killed after, whoever comes next gives the file its name. So a row goes in once.
"""

from pathlib import Path

import duckdb

from orchestration.core.contracts import SOURCES
from orchestration.resources.landing_write import DRAFT, name_drafts
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings

FOLDER = "replayed"


def is_replayed(path: str) -> bool:
    """Whether a path under landing/ is one of these files."""
    return path.split("/")[1] == FOLDER


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
    if named:
        name_drafts(settings, named)
    return len(named)


def _drafts(settings: Settings) -> list[Path]:
    folders = [settings.landing_dir / name / FOLDER for name in SOURCES]
    return [draft for folder in folders for draft in folder.glob(f"*{DRAFT}")]
