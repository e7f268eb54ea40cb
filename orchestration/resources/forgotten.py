"""What remains of people who were erased: keyed ids in `$DATA_DIR/keys/forgotten.jsonl`, by which ingest knows their rows again.

They lie beside the key and not in the warehouse, so that a warehouse made anew from landing files forgets them, too. One line
each: an id and the time of which events are theirs no more. An id is made as an address id is (core.identity), of the address, or
of the word visitor, order or account and what the shop calls it. Nobody without the key can tell what it stands for.
"""

import hashlib
import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from orchestration.core.erasure import moment_told
from orchestration.core.identity import SEPARATOR, address_id
from orchestration.files import write_privately
from orchestration.settings import Settings

_ARROW = pa.schema(
    [("id", pa.string()), ("since", pa.timestamp("us", tz="UTC")), ("until", pa.timestamp("us", tz="UTC"))]
)


@dataclass(frozen=True)
class Mark:
    """Events of this id, dated from `since` until just before `until`, are not taken in."""

    id: str
    since: datetime
    until: datetime


def marked_id(kind: str, value: str, key: str) -> str:
    """The keyed id of a visitor, an order or an account of the shop."""
    digest = hashlib.sha256(SEPARATOR.join((key, kind, value)).encode()).hexdigest()
    return str(uuid.UUID(digest[:32]))


def marked_id_sql(kind: str, expression: str, key_expression: str) -> str:
    """SQL (DuckDB) that gives what `marked_id` gives, as a UUID; null for null."""
    mark = f"chr({ord(SEPARATOR)})"
    return f"cast(left(sha256({key_expression} || {mark} || '{kind}' || {mark} || {expression}), 32) as uuid)"


def marks(settings: Settings) -> list[Mark]:
    """Every mark there is."""
    try:
        lines = _path(settings).read_text().splitlines()
    except FileNotFoundError:
        return []
    told = (json.loads(line) for line in lines if line)
    return [Mark(one["id"], *(datetime.fromisoformat(one[name]) for name in ("since", "until"))) for one in told]


def remember(settings: Settings, new: Iterable[Mark]) -> int:
    """Add marks to those there are; one from the same moment on lasts until the later end. Gives how many are new."""
    known = {(mark.id, mark.since): mark for mark in marks(settings)}
    before = len(known)
    for mark in new:
        other = known.get((mark.id, mark.since))
        known[mark.id, mark.since] = mark if other is None or other.until < mark.until else other
    lines = [
        json.dumps({"id": mark.id, "since": mark.since.isoformat(), "until": mark.until.isoformat()}) + "\n"
        for mark in sorted(known.values(), key=lambda mark: (mark.id, mark.since))
    ]
    write_privately(_path(settings), "".join(lines))
    return len(known) - before


class Forgotten:
    """All who were ever erased, as far as their marks tell: what came again of them is known by it."""

    def __init__(self, settings: Settings, key: str) -> None:
        self._key = key
        self._spans: dict[str, list[Mark]] = {}
        for mark in marks(settings):
            self._spans.setdefault(mark.id, []).append(mark)

    def owns(self, address: Any, at: Any) -> bool:
        return isinstance(address, str) and self._is_marked(address_id(address, self._key), at)

    def used(self, visitor_id: Any, at: Any) -> bool:
        return visitor_id is not None and self._is_marked(marked_id("visitor", str(visitor_id), self._key), at)

    def placed(self, order_id: Any, account: Any, at: Any) -> bool:
        told = (("order", order_id), ("account", account))
        return any(value and self._is_marked(marked_id(kind, str(value), self._key), at) for kind, value in told)

    def _is_marked(self, one: str, at: Any) -> bool:
        found = self._spans.get(one)
        if not found:
            return False
        moment = moment_told(at)
        return moment is None or any(mark.since <= moment < mark.until for mark in found)


def lay_out(con: duckdb.DuckDBPyConnection, settings: Settings) -> bool:
    """Make the temporary table `forgotten` (id, spans) on a connection. False, and no table, where nobody was ever erased."""
    known = marks(settings)
    if not known:
        return False
    rows = [{"id": mark.id, "since": mark.since, "until": mark.until} for mark in known]
    con.register("marks", pa.Table.from_pylist(rows, schema=_ARROW))
    con.execute(
        "create or replace temp table forgotten as "
        "select id::uuid as id, list(struct_pack(since := since, until := until)) as spans from marks group by id"
    )
    con.unregister("marks")
    return True


def _path(settings: Settings) -> Path:
    return settings.keys_dir / "forgotten.jsonl"
