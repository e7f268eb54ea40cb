"""What a backup holds, file by file.

<backup>/manifest.json    when, of what, with which versions; every file with its size and SHA-256; a seal over all that
<backup>/catalog.sqlite, ledger.sqlite, keys/…, lake/…, dagster/schedules/…    as under DATA_DIR
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from orchestration.core.errors import BackupError
from orchestration.files import sha256_of

NAME = "manifest.json"
FORMAT = 1


@dataclass(frozen=True)
class BackupFile:
    """A file of a backup: its path under DATA_DIR, its permissions there, its size in bytes and its content's SHA-256."""

    path: str
    mode: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """`made_at`: UTC, the machine's clock. `snapshot_id`: the catalogue's newest. `build`: id and as_of of the last complete
    build, if there is one. `waves`: how many the ledger has in each state. `versions`: of what wrote the files."""

    made_at: str
    snapshot_id: int
    build: dict[str, str] | None
    waves: dict[str, int]
    versions: dict[str, Any]
    files: list[BackupFile]

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)

    def write(self, folder: Path) -> None:
        """Write it into a backup, which is whole then."""
        told = {"format": FORMAT, **asdict(self)}
        text = json.dumps({**told, "seal": _seal(told)}, indent=1)
        with os.fdopen(os.open(folder / NAME, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Raises BackupError for a folder that holds no whole manifest, or that of a newer Pennypost."""
        path = folder / NAME
        try:
            told = json.loads(path.read_text())
            is_whole = told.pop("seal") == _seal(told)
        except FileNotFoundError:
            raise BackupError(
                f"{folder} is no complete backup: it has no {NAME}. Give the folder that `make backup` made."
            ) from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            is_whole = False
        if not is_whole:
            raise BackupError(f"{path} is damaged. Nothing was restored; take another backup.")
        if told.pop("format") != FORMAT:
            raise BackupError(f"{path} was written by a newer Pennypost. Restore it with that one.")
        return cls(**{**told, "files": [BackupFile(**file) for file in told["files"]]})

    def check(self, folder: Path) -> None:
        """Raises BackupError that names the first file that is not as it was backed up."""
        for file in self.files:
            if PurePosixPath(file.path).is_absolute() or ".." in PurePosixPath(file.path).parts:
                raise BackupError(f"{folder / NAME} names {file.path}, which lies outside of a DATA_DIR.")
            path = folder / file.path
            if not path.is_file():
                raise BackupError(f"{path} is missing. Nothing was restored; take another backup.")
            if path.stat().st_size != file.bytes or sha256_of(path) != file.sha256:
                raise BackupError(
                    f"{path} is damaged: it is not what was backed up. Nothing was restored; take another backup."
                )


def _seal(told: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
