"""Landing files: each is written under another name and renamed when complete, so that no reader sees half a file."""

import csv
import gzip
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

PRODUCTS_SCHEMA = pa.schema(
    [
        ("sku", pa.string()),
        ("name", pa.string()),
        ("url", pa.string()),
        ("price", pa.decimal128(18, 2)),
        ("currency", pa.string()),
        ("in_stock", pa.bool_()),
    ]
)


def put(path: Path, content: bytes) -> None:
    """Make `path` appear, whole. Its folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    part.replace(path)


def json_lines(rows: Iterable[Mapping], broken: Sequence[str] = ()) -> bytes:
    """Rows as JSON lines; `broken` lines go in as they are, after the first row."""
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    lines[1:1] = broken
    return "".join(f"{line}\n" for line in lines).encode()


def gzipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)  # no time in the header: the same rows give the same bytes


def csv_text(rows: Sequence[Mapping]) -> bytes:
    """Rows as CSV with a header: null is an empty cell, a list is JSON text in its cell."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return out.getvalue().encode()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value


def products_parquet(rows: Sequence[Mapping]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema=PRODUCTS_SCHEMA), out)
    return out.getvalue()
