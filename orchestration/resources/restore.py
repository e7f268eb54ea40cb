"""A DATA_DIR from a backup.

Everything is checked first, then copied into `DATA_DIR/.restoring`, then moved into its place, the catalogue last. As long as
`.restoring` is there the folder is not to be used, and a second restore may start over.
"""

import shutil
from pathlib import Path

from orchestration.core.errors import BackupError
from orchestration.files import copy_file, make_folder, sync_folders
from orchestration.resources.backup_manifest import Manifest
from orchestration.resources.ledger_schema import SCHEMA_VERSION
from orchestration.resources.lock import exclusive
from orchestration.settings import Settings

STAGING = ".restoring"


def restore(settings: Settings, source: Path) -> Manifest:
    """Make the new or empty folder DATA_DIR what the backup `source` holds; what the backup says of itself.

    Raises BackupError for a backup that is not whole and for a DATA_DIR that holds something, before anything is written.
    """
    manifest = Manifest.read(source)
    manifest.check(source)
    if manifest.versions["ledger"] > SCHEMA_VERSION:
        raise BackupError(f"{source} was made by a newer Pennypost. Restore it with that one.")
    _check_free(settings, manifest)
    try:
        make_folder(settings.data_dir)
        with exclusive(settings.lock_path, wait=0, why=f"restoring {source}"):
            _check_free(settings, manifest)
            _place(settings, manifest, source)
    except OSError as error:
        raise BackupError(
            f"The backup could not be restored to {settings.data_dir}: {error.strerror}. See that the disk has room and the "
            "folder may be written to, then restore again."
        ) from error
    return manifest


def check_restored(settings: Settings) -> None:
    """Raises BackupError where a restore was begun and not finished."""
    if (settings.data_dir / STAGING).exists():
        raise BackupError(
            f"{settings.data_dir} is not complete: a restore of it was stopped half-way. Run `make restore` again."
        )


def _check_free(settings: Settings, manifest: Manifest) -> None:
    """DATA_DIR holds nothing but what an unfinished restore of ours may have left there."""
    if settings.data_dir.exists() and not settings.data_dir.is_dir():
        raise BackupError(f"DATA_DIR={settings.data_dir} is no folder. Give a new or empty one.")
    there = {path.name for path in settings.data_dir.iterdir()} if settings.data_dir.exists() else set()
    harmless = {settings.lock_path.name}
    if STAGING in there:
        harmless |= {STAGING, settings.landing_dir.name, *_tops(manifest)}
    if in_the_way := sorted(there - harmless):
        raise BackupError(
            f"DATA_DIR={settings.data_dir} is not empty: it holds {', '.join(in_the_way[:5])}. "
            "A backup is restored into a new or empty folder: nothing is overwritten."
        )


def _place(settings: Settings, manifest: Manifest, source: Path) -> None:
    staging = settings.data_dir / STAGING
    make_folder(staging)
    # what an earlier try had placed is done again: it may have been another backup
    for name in _tops(manifest):
        _remove(settings.data_dir / name)
    for path in staging.iterdir():
        _remove(path)
    for file in manifest.files:
        if copy_file(source / file.path, staging / file.path, int(file.mode, 8)) != file.sha256:
            raise BackupError(f"{source / file.path} changed while it was read. Restore again.")
    sync_folders([staging, *(folder for folder in staging.rglob("*") if folder.is_dir())])
    for name in _tops(manifest):
        (staging / name).rename(settings.data_dir / name)
    if settings.landing_dir.parent == settings.data_dir:
        settings.landing_dir.mkdir(exist_ok=True)
    sync_folders([settings.data_dir])
    staging.rmdir()
    sync_folders([settings.data_dir])


def _tops(manifest: Manifest) -> list[str]:
    """The names right under DATA_DIR, the catalogue last: without it nothing reads the rest."""
    names = {Path(file.path).parts[0] for file in manifest.files}
    return sorted(names, key=lambda name: (name == "catalog.sqlite", name))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
