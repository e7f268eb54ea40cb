"""Rejects that come back: counted, handed out to be mended, put back once, or dismissed. raw.rejects keeps what became of each.

    open ──► replayed    its row, mended or as it came, is in a landing file of its own (landing_replayed)
      └────► dismissed   nobody will mend it

A reject is known by where it came from: batch, file and line. A file for mending holds people's data: it lies in
`$DATA_DIR/mending`, is readable by its owner only, and an erasure cleans it.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from orchestration.core.errors import RejectsError
from orchestration.core.mending import Reject, handed_out, read_mended
from orchestration.files import write_privately
from orchestration.resources.erasure_read import csv_header, lines_of
from orchestration.resources.landing_replayed import (
    FOLDER,
    end_replays_as_writer,
)
from orchestration.resources.landing_write import name_drafts, write_draft
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings

_ID = "left(md5(concat_ws(':', batch_id, landing_file, coalesce(line, 0))), 16)"
_IS_OPEN = "coalesce(status, 'open') = 'open'"


@dataclass(frozen=True)
class Tally:
    """Rejects of one source and reason, and what became of them."""

    source: str
    reason: str
    open: int
    replayed: int
    dismissed: int


@dataclass(frozen=True)
class PutBack:
    """What a replay did. `left` are open still, with the reason: (how many, why)."""

    files: list[str]
    replayed: int
    dismissed: int
    left: list[tuple[int, str]]


class Rejects:
    """The rejects of one DATA_DIR."""

    def __init__(self, settings: Settings, warehouse: Warehouse) -> None:
        self._settings = settings
        self._warehouse = warehouse

    def tally(self) -> list[Tally]:
        """Every source and reason, those with most open rejects first. Raises NoBuildYet if nothing was ever ingested."""
        with self._warehouse.latest() as con:
            rows = con.execute(
                f"select source, reason, count(*) filter ({_IS_OPEN}), count(*) filter (status = 'replayed'), "
                "count(*) filter (status = 'dismissed') from lake.raw.rejects group by all order by 3 desc, 1, 2"
            ).fetchall()
        return [Tally(*row) for row in rows]

    def hand_out(self, source: str, reason: str) -> tuple[str, int]:
        """Write the open rejects of a source whose reason holds `reason` to a file to be mended. Gives its path, and how many.

        Raises RejectsError if there is none.
        """
        with self._warehouse.latest() as con:
            found = _open(con, source, reason)
            headers = self._headers(con, found)
        rows = [one for one in found if one.line is not None]
        if not rows:
            raise RejectsError(
                f"No open reject of {source} that is a row has a reason with {reason!r} in it. `make rejects` lists them; a "
                "file that can't be read at all is mended as a file, and dropped again under another name."
            )
        path = self._settings.data_dir / "mending" / f"{source}-{datetime.now(UTC):%Y%m%dT%H%M%S}.jsonl"
        columns = {name: csv_header(line, source) for name, line in headers.items()}
        write_privately(path, "".join(handed_out(one, columns.get(one.landing_file)) for one in rows))
        return str(path), len(rows)

    def replay(self, source: str, reason: str) -> PutBack:
        """Put open rejects back as they came, for a reader or a contract that has learnt to read them.

        Raises RejectsError if there is none, WarehouseBusy.
        """
        with self._warehouse.writer(why="replaying rejects") as con:
            end_replays_as_writer(con, self._settings)
            found = _open(con, source, reason)
            if not found:
                raise RejectsError(f"No open reject of {source} has a reason with {reason!r} in it.")
            files, left = self._as_they_came(con, found)
            self._put_back(con, files, [])
        return PutBack([path for path, _, _ in files], sum(len(ids) for _, _, ids in files), 0, left)

    def replay_mended(self, text: str) -> PutBack:
        """Put the rows of a mended file back. Those that were not changed stay open; those that are not open are left out.

        Raises RejectsError for what is no such file, naming the line; then nothing was done.
        """
        mended = read_mended(text)
        with self._warehouse.writer(why="replaying rejects") as con:
            end_replays_as_writer(con, self._settings)
            still_open = _ids_open(con, [one.reject for one in mended])
            due = [one for one in mended if one.reject in still_open]
            changed = [one for one in due if one.line and not one.is_dismissed]
            dismissed = [one.reject for one in due if one.is_dismissed]
            files = [
                (_path(source, "jsonl"), "".join(one.line for one in own).encode(), [one.reject for one in own])
                for source in sorted({one.source for one in changed})
                if (own := [one for one in changed if one.source == source])
            ]
            self._put_back(con, files, dismissed)
        left = [
            (len(due) - len(changed) - len(dismissed), "not changed"),
            (len(mended) - len(due), "not open any more"),
        ]
        return PutBack([path for path, _, _ in files], len(changed), len(dismissed), [(n, why) for n, why in left if n])

    def dismiss(self, source: str, reason: str) -> int:
        """Let go of open rejects: their bytes stay, nobody is asked to mend them. Gives how many. Raises WarehouseBusy."""
        with self._warehouse.writer(why="dismissing rejects") as con:
            ids = [one.reject_id for one in _open(con, source, reason)]
            self._put_back(con, [], ids)
        return len(ids)

    def _put_back(
        self, con: duckdb.DuckDBPyConnection, files: Sequence[tuple[str, bytes, list[str]]], dismissed: Sequence[str]
    ) -> None:
        """Mark the rejects in one transaction; their files, which are on disk by then, get their names after it."""
        for path, content, _ in files:
            write_draft(self._settings, path, content)
        now = datetime.now(UTC)
        con.execute("begin")
        for path, _, ids in files:
            _mark(con, ids, "replayed", path, now)
        if dismissed:
            _mark(con, dismissed, "dismissed", None, now)
        con.execute("commit")
        name_drafts(self._settings, [path for path, _, _ in files])

    def _as_they_came(
        self, con: duckdb.DuckDBPyConnection, found: Sequence[Reject]
    ) -> tuple[list[tuple[str, bytes, list[str]]], list[tuple[int, str]]]:
        headers = self._headers(con, found)
        together: dict[tuple[str, bytes], list[Reject]] = {}
        files, headless, cut = [], 0, 0
        for one in found:
            if one.line is None:
                if "only its first" in one.reason:
                    cut += 1
                    continue
                files.append((_path(one.source, one.format), one.original, [one.reject_id]))
            elif one.format == "csv":
                if header := headers.get(one.landing_file):
                    together.setdefault(("csv", header), []).append(one)
                else:
                    headless += 1
            else:
                together.setdefault(("jsonl", b""), []).append(one)
        for (format, header), rows in together.items():
            lines = [*([header] if header else []), *(one.original for one in rows)]
            content = b"".join(line.rstrip(b"\r\n") + b"\n" for line in lines)
            files.append((_path(rows[0].source, format), content, [one.reject_id for one in rows]))
        left = [
            (headless, "of a CSV file that is gone, and the names of its columns with it: hand them out and mend them"),
            (cut, "files of which only the beginning is kept: drop the file again"),
        ]
        return files, [(number, why) for number, why in left if number]

    def _headers(self, con: duckdb.DuckDBPyConnection, found: Iterable[Reject]) -> dict[str, bytes]:
        """The first line of each CSV file that is still there, archived or not."""
        headers = {}
        for name in {one.landing_file for one in found if one.format == "csv" and one.line is not None}:
            places = [self._settings.landing_dir / name]
            places += [
                self._settings.archive_dir / path
                for (path,) in con.execute(
                    "select archive_file from lake.raw.archived_files where landing_file = ?", [name]
                ).fetchall()
            ]
            for place in places:
                if place.exists():
                    headers[name] = next((line for line in lines_of(place) if line.strip()), b"")
                    break
        return headers


def _open(con: duckdb.DuckDBPyConnection, source: str, reason: str) -> list[Reject]:
    rows = con.execute(
        f"select {_ID}, landing_file, source, line, reason, original from lake.raw.rejects "
        f"where {_IS_OPEN} and original is not null and source = ? and contains(lower(reason), lower(?)) "
        "order by batch_id, landing_file, line",
        [source, reason],
    ).fetchall()
    return [Reject(*row) for row in rows]


def _ids_open(con: duckdb.DuckDBPyConnection, ids: list[str]) -> set[str]:
    rows = con.execute(
        f"select {_ID} as id from lake.raw.rejects where {_IS_OPEN} and id in (select unnest(?::varchar[]))", [ids]
    ).fetchall()
    return {found for (found,) in rows}


def _mark(
    con: duckdb.DuckDBPyConnection, ids: Sequence[str], status: str, replayed_in: str | None, now: datetime
) -> None:
    con.execute(
        f"update lake.raw.rejects set status = ?, status_at = ?, replayed_in = ? "
        f"where {_IS_OPEN} and {_ID} in (select unnest(?::varchar[]))",
        [status, now, replayed_in, list(ids)],
    )


def _path(source: str, format: str) -> str:
    return f"{source}/{FOLDER}/{uuid.uuid4()}.{format}"
