"""A file of rejects that a person mends: one JSON object a line, told apart by `reject`.

    {"reject": "3f…", "source": "orders", "landing_file": "orders/a.csv", "line": 17, "reason": "status: missing",
     "original": "…", "row": {…}, "dismiss": false}

`original` is what arrived, `row` what could be read of it, null for nothing. Where that is no UTF-8 there is `original_base64`
instead, and `row` is read as Windows-1252: a mend already, if it looks right. The person mends `row`, or says `"dismiss": true`;
all else is there to be read. What is left as it was stays open.
"""

import base64
import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestration.core.contracts import SOURCES
from orchestration.core.errors import RejectsError


@dataclass(frozen=True)
class Reject:
    """A row, or a whole file (`line` is None), that could not be taken, with its bytes."""

    reject_id: str
    landing_file: str
    source: str
    line: int | None
    reason: str
    original: bytes

    @property
    def format(self) -> str:
        """The ending of the file it came in."""
        name = self.landing_file.rpartition("/")[2]
        return next((format for format in ("jsonl.gz", "jsonl", "csv", "parquet") if name.endswith("." + format)), "")


@dataclass(frozen=True)
class Mended:
    """One line of a mended file. `line` is the row as it is put back, empty where the person changed nothing."""

    reject: str
    source: str
    line: str
    is_dismissed: bool


def handed_out(reject: Reject, columns: tuple[str, Sequence[str]] | None) -> str:
    """The line for a reject. `columns`: the delimiter and the names of the columns of the CSV file that it came in."""
    told: dict[str, Any] = {
        "reject": reject.reject_id,
        "source": reject.source,
        "landing_file": reject.landing_file,
        "line": reject.line,
        "reason": reject.reason,
    }
    try:
        told["original"] = reject.original.decode()
    except UnicodeDecodeError:
        told["original_base64"] = base64.b64encode(reject.original).decode()
    told["columns"] = None if columns is None else [columns[0], *columns[1]]
    told["row"] = as_read(told)
    told["dismiss"] = False
    return json.dumps(told, ensure_ascii=False) + "\n"


def original_of(told: Mapping[str, Any]) -> str:
    """What arrived, as text; bytes that are no UTF-8 as what they most likely are, Windows-1252."""
    if "original_base64" in told:
        return base64.b64decode(told["original_base64"]).decode("cp1252", errors="replace")
    return str(told.get("original") or "")


def as_read(told: Mapping[str, Any]) -> dict[str, Any] | None:
    """What can be read of what arrived: an object of JSON, or a record of CSV by the names of its columns."""
    text = original_of(told)
    if told.get("columns"):
        delimiter, *names = told["columns"]
        fields = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
        return dict(zip(names, [field or None for field in fields], strict=False)) or None
    try:
        row = json.loads(text)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def read_mended(text: str) -> list[Mended]:
    """The lines of a mended file. Raises RejectsError that names the first line that is none."""
    found = [_mended(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if len({one.reject for one in found}) < len(found):
        raise RejectsError("One reject is there twice. Nothing was put back.")
    return found


def _mended(number: int, line: str) -> Mended:
    try:
        told = json.loads(line)
    except ValueError as error:
        raise RejectsError(
            f"Line {number} is not JSON ({error}). Nothing was put back; mend it and try again."
        ) from error
    if not isinstance(told, dict) or not isinstance(told.get("reject"), str) or told.get("source") not in SOURCES:
        raise RejectsError(f"Line {number} is not one that `make mend` wrote: it lacks its `reject` or `source`.")
    row = told.get("row")
    if row is not None and not isinstance(row, dict):
        raise RejectsError(f"Line {number}: `row` is no JSON object. Nothing was put back.")
    is_changed = row is not None and (row != as_read(told) or "original_base64" in told)
    put_back = json.dumps(row, ensure_ascii=False) + "\n" if is_changed else ""
    return Mended(told["reject"], told["source"], put_back, told.get("dismiss") is True)
