"""Whether something new has landed: asked every few seconds, so it must cost what is new and not what has been.

A folder that has not changed since a look at which all in it had landed is not listed again: files arrive by being renamed, and
that changes the folder. Of one that is listed only the names are held against raw.landing_files; a file that is changed where it
lies, which it never should be, is seen by the next ingest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from orchestration.core.contracts import SOURCES
from orchestration.core.errors import NoBuildYet
from orchestration.resources.landing_disk import changed_at, file_on_disk, is_folder, is_text, names_in
from orchestration.resources.landing_known import unknown_paths
from orchestration.resources.landing_read import LandingFile
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings


@dataclass(frozen=True)
class Look:
    """The files that have not landed, in order of their path. `folders` is for the next look: every folder and when it changed,
    or 0 if it must be listed again whatever that says."""

    new: list[LandingFile]
    folders: dict[str, int]


def look(settings: Settings, warehouse: Warehouse, folders: Mapping[str, int] | None = None) -> Look:
    """Look for new files under landing/; `folders` is what the last look gave."""
    root, before = settings.landing_dir, folders or {}
    new: list[LandingFile] = []
    now: dict[str, int] = {}
    level = list(SOURCES)
    while level:
        found = {folder: changed for folder in level if (changed := changed_at(root / folder)) is not None}
        now |= found
        quiet = {folder for folder, changed in found.items() if changed and before.get(folder) == changed}
        level = [one for one in before if one.rpartition("/")[0] in quiet]
        paths: list[str] = []
        for folder in found.keys() - quiet:
            if (names := names_in(root / folder)) is None:
                now[folder] = 0  # being allowed to open it does not change it
            paths += [f"{folder}/{name}" for name in names or [] if is_text(name)]
        for path in _unknown(warehouse, paths):
            if is_folder(root, path):
                level.append(path)
            elif file := file_on_disk(root, path):
                new.append(file)
                now[path.rpartition("/")[0]] = 0
    return Look(sorted(new, key=lambda file: file.path), now)


def _unknown(warehouse: Warehouse, paths: Sequence[str]) -> Sequence[str]:
    if not paths:
        return []
    try:
        with warehouse.latest() as con:
            return unknown_paths(con, paths)
    except (NoBuildYet, duckdb.CatalogException):
        return paths
