"""The secret keys under `$DATA_DIR/keys`, made on first use, readable by their owner only.

A key is 128 random bits as 22 characters of base64: with an address of up to 32 letters behind it, that is one block of SHA-256,
and half the work of two. Keys of 64 hex digits, which were made before, stay good.
"""

import os
import secrets
from pathlib import Path

from orchestration.core.errors import WarehouseError
from orchestration.files import sync_folders
from orchestration.settings import Settings

LENGTHS = (22, 64)


def contact_key(settings: Settings) -> str:
    """The key of `identity.address_id`. Losing it gives every contact a new id: it belongs in the backup."""
    return _key(settings.keys_dir / "contact_id.key", "give every contact a new id")


def offer_key(settings: Settings) -> str:
    """The key of readers' own offer codes (core.offers)."""
    return _key(settings.keys_dir / "offer_code.key", "give readers other codes than those they were sent")


def _key(path: Path, what_a_new_one_does: str) -> str:
    if not path.exists():
        _make(path)
    key = path.read_text().strip()
    if len(key) not in LENGTHS:
        raise WarehouseError(f"{path} holds no key. Put it back from a backup: a new one would {what_a_new_one_does}.")
    return key


def _make(path: Path) -> None:
    """Write a new key so that no one ever sees half of one, and of two who try at once, one wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(16) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    sync_folders([path.parent, path.parent.parent])  # rows with ids of this key must not outlive it
