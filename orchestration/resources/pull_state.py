"""What pulling remembers, in `$DATA_DIR/pulls`: how far each source was read, and which webhooks the shop had switched off.

A cursor that is lost, as after a restore, makes the next pull read everything again, which does no harm.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from orchestration.core.pulling import Cursor
from orchestration.files import write_privately
from orchestration.settings import Settings


def read_cursor(settings: Settings, name: str) -> Cursor:
    told = _read(_folder(settings) / f"{name}.json")
    if not told:
        return Cursor()
    seen = {one: datetime.fromisoformat(at) for one, at in told["seen"].items()}
    return Cursor(datetime.fromisoformat(told["upto"]), seen)


def write_cursor(settings: Settings, name: str, cursor: Cursor) -> None:
    seen = {one: at.isoformat() for one, at in cursor.seen.items()}
    write_privately(_folder(settings) / f"{name}.json", json.dumps({"upto": cursor.upto.isoformat(), "seen": seen}))


def read_switched_off(settings: Settings) -> dict[str, str]:
    """Webhooks that the shop had switched off when it was asked last: id → topic."""
    return _read(_folder(settings) / "webhooks.json")


def write_switched_off(settings: Settings, webhooks: dict[str, str]) -> None:
    write_privately(_folder(settings) / "webhooks.json", json.dumps(webhooks))


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return {}


def _folder(settings: Settings) -> Path:
    return settings.data_dir / "pulls"
