"""Files that are there after a power cut, whole, and read by nobody but their owner."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

_CHUNK = 1 << 20


def sha256_of(path: Path) -> str:
    """Of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy_file(source: Path, target: Path, mode: int) -> str:
    """Copy to a new file, on disk when this returns; the SHA-256 of what was copied. Folders are made as needed (0700)."""
    make_folder(target.parent)
    digest = hashlib.sha256()
    with (
        source.open("rb") as reading,
        os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as writing,
    ):
        while part := reading.read(_CHUNK):
            digest.update(part)
            writing.write(part)
        writing.flush()
        os.fchmod(writing.fileno(), mode)  # the process's umask may have taken something away
        os.fsync(writing.fileno())
    return digest.hexdigest()


def make_folder(path: Path) -> None:
    """Make a folder and those above it that are missing, for their owner only."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)


def sync_folders(folders: Iterable[Path]) -> None:
    """The names in these folders are on disk."""
    for folder in folders:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def put_in_place(draft: Path, path: Path) -> None:
    """Give a complete file the name of another one, whose content is gone then, also after a power cut."""
    descriptor = os.open(draft, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    draft.replace(path)
    sync_folders([path.parent])


def write_privately(path: Path, text: str) -> None:
    """Write a file that only its owner reads; whoever looks sees the old text or the new, also after a power cut.

    Bytes that are no UTF-8 are written as they were read with `surrogateescape`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folders([path.parent, path.parent.parent])
