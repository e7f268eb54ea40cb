"""Landing files of our own making: written under another name, on disk, then renamed."""

import os
from collections.abc import Sequence
from pathlib import Path

from orchestration.files import make_folder, sync_folders
from orchestration.settings import Settings

DRAFT = ".tmp"  # a name that ingest passes over


def write_draft(settings: Settings, path: str, content: bytes) -> None:
    """Write the landing file `path`, safely on disk, under its draft's name. Only its owner reads it."""
    draft = settings.landing_dir / (path + DRAFT)
    make_folder(draft.parent)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    sync_folders([draft.parent])


def name_drafts(settings: Settings, paths: Sequence[str]) -> None:
    """Give drafts their names, on disk when this returns."""
    files: list[Path] = [settings.landing_dir / path for path in paths]
    for file in files:
        file.with_name(file.name + DRAFT).replace(file)
    sync_folders({file.parent for file in files})
