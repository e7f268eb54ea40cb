"""CSV and Parquet files as rows of one JSON text each, so that one set of rules (landing_sql) checks every format.

Both leave a temporary table (landing_file, line, text, original). A line of a CSV file is the first one its record stands on;
a line of a Parquet file is its row. All splitting and parsing is DuckDB's work on whole columns.
"""

from pathlib import Path

import duckdb

from orchestration.core.contracts import Field, Source
from orchestration.resources.landing_ahead import Ahead
from orchestration.resources.landing_read import Reading, Unreadable, check_steady, lines, sha256
from orchestration.resources.quoting import quoted, quoted_name

TABLE = "rows_as_json"
NUL = r"(^|[^\\])(\\\\)*\\u0000"
DELIMITERS = (",", ";", "\t", "|")


def parquet_rows(con: duckdb.DuckDBPyConnection, root: Path, source: Source, reading: Reading) -> str:
    """Read a Parquet file into a temporary table and return its name. Raises Unreadable, Unsteady."""
    reading.sha256 = sha256(root, reading.file)
    path = str(root / reading.file.path)
    fields = {field.name: field for field in source.fields}
    try:
        columns = con.execute(
            "describe select * from read_parquet($path, binary_as_string = true)", {"path": path}
        ).fetchall()
        pairs = ", ".join(
            f"{quoted(name)}, {_parquet_value(quoted_name(name), kind, fields.get(name))}" for name, kind, *_ in columns
        )
        con.execute(
            f"create or replace temp table {TABLE} as select $file as landing_file, file_row_number + 1 as line, "
            f"json_object({pairs}) as text, text as original "
            "from read_parquet($path, binary_as_string = true, file_row_number = true)",
            {"path": path, "file": reading.file.path},
        )
    except (duckdb.InvalidInputException, duckdb.IOException) as error:
        sha256(root, reading.file)  # whether it is there at all, and is what was listed
        raise Unreadable(reading.file, "the file is not Parquet, or damaged") from error
    nul = f"regexp_matches(text, {quoted(NUL)})"
    for line, original in con.execute(f"select line, encode(text) from {TABLE} where {nul} order by line").fetchall():
        reading.reject(line, "the row holds a NUL character", original)
    con.execute(f"delete from {TABLE} where {nul}")
    check_steady(reading.file, (root / reading.file.path).stat())
    reading.rows_read += con.execute(f"select count(*) from {TABLE}").fetchone()[0]
    return TABLE


def csv_rows(con: duckdb.DuckDBPyConnection, root: Path, source: Source, reading: Reading) -> str | None:
    """Read a CSV file into a temporary table and return its name, or None when it has no rows. Raises Unreadable, Unsteady."""
    with Ahead(lines(root, reading)) as ahead, ahead.arriving(con, ahead.batches()):
        con.execute("create or replace temp table csv_lines as select line, rtrim(text, chr(10)) as text from arriving")
    reading.rows_read = len(reading.set_aside)
    head = con.execute(
        "select line, text from csv_lines where trim(text, chr(13) || ' ') <> '' order by line limit 1"
    ).fetchone()
    if head is None:
        return None
    delimiter, names = _header(con, source, head[1], reading)
    con.execute(_RECORDS, {"head": head[0]})
    _split_records(con, delimiter, len(names))
    bad = con.execute(
        "select line, len(fields), is_whole, encode(record) from csv_records where not is_good order by line"
    ).fetchall()
    for line, count, is_whole, original in bad:
        reading.reject(line, _ragged(count, len(names)) if is_whole else "a quote is out of place", original)
    known = {field.name: field for field in source.fields}
    pairs = ", ".join(f"{quoted(name)}, {_csv_value(number, known.get(name))}" for number, name in enumerate(names, 1))
    con.execute(
        f"create or replace temp table {TABLE} as select $file as landing_file, line, "
        f"json_object({pairs}) as text, record as original from csv_records where is_good",
        {"file": reading.file.path},
    )
    reading.rows_read += con.execute(f"select count(*) from {TABLE}").fetchone()[0]
    return TABLE


# A line with an odd number of quotes opens or closes a field that goes over lines.
_RECORDS = """
    create or replace temp table csv_records as
    with
    quotes as (
        select line, text, (length(text) - length(replace(text, '"', ''))) % 2 as is_odd from csv_lines where line > $head
    ),
    open as (
        select line, text,
            coalesce(sum(is_odd) over (order by line rows between unbounded preceding and 1 preceding), 0) % 2 = 1 as is_open
        from quotes
    ),
    started as (
        select line, text, max(line) filter (not is_open) over (order by line rows unbounded preceding) as first_line from open
    )
    select first_line as line, string_agg(text, chr(10) order by line) as record, count(*) as lines
    from started
    group by first_line
"""


def _split_records(con: duckdb.DuckDBPyConnection, delimiter: str, width: int) -> None:
    """Split records into fields. A record over several lines that makes no sense is taken line by line: one stray quote must
    not swallow the rest of the file."""
    split = _split_sql(delimiter, width)
    con.execute(
        f"""
        create or replace temp table csv_records as
        with together as (select *, {split} from (select line, lines, {_stripped("record")} as record from csv_records)),
        apart as (
            select *, {split}
            from (
                select csv_lines.line, 1 as lines, {_stripped("text")} as record
                from csv_lines join together
                    on csv_lines.line >= together.line and csv_lines.line < together.line + together.lines
                where together.lines > 1 and not together.is_good
            )
        )
        select * from together where lines = 1 or is_good
        union all
        select * from apart
        """
    )
    con.execute("delete from csv_records where trim(record) = ''")


def _split_sql(delimiter: str, width: int) -> str:
    mark = "chr(9)" if delimiter == "\t" else quoted(delimiter)
    inside = "\\" + delimiter if delimiter == "|" else delimiter
    pattern = f'("(?:[^"]|"")*"|[^"{inside}][^{inside}]*|){inside}'
    return (
        f"regexp_extract_all(record || {mark}, {quoted(pattern)}, 1) as fields, "
        f"array_to_string(fields, {mark}) = record as is_whole, "
        f"is_whole and len(fields) = {width} as is_good"
    )


def _header(con: duckdb.DuckDBPyConnection, source: Source, line: str, reading: Reading) -> tuple[str, list[str]]:
    known = {field.name for field in source.fields}
    best: tuple[str, list[str]] = ("", [])
    for delimiter in DELIMITERS:
        (names,) = con.execute(
            f"select [trim(name) for name in {_unquoted('fields')}] from "
            f"(select {_split_sql(delimiter, 0)} from (select {_stripped('$line')} as record))",
            {"line": line},
        ).fetchone()
        if len(known & set(names)) > len(known & set(best[1])):
            best = delimiter, names
    if not best[1]:
        raise Unreadable(reading.file, f"the first line names no field of {source.name}")
    return best


def _ragged(count: int, width: int) -> str:
    return f"the row has {count} fields, the header {width}"


def _csv_value(number: int, field: Field | None) -> str:
    """One field as JSON. An empty one is null, but for a text that must be there and a list: those are empty themselves."""
    text = f"{_unquoted('fields')}[{number}]"
    if field is None:
        return text
    if field.kind == "boolean":
        return _boolean(text)
    if field.kind in ("texts", "structs"):
        return f"case when {text} = '' then cast('[]' as json) else {_list(text)} end"
    return text if field.kind == "text" and field.required and not field.allowed else f"nullif({text}, '')"


def _parquet_value(column: str, kind: str, field: Field | None) -> str:
    """One column as JSON; numbers as text, so that none loses a digit."""
    if kind == "VARCHAR" and field is not None:
        if field.kind == "boolean":
            return _boolean(column)
        if field.kind in ("texts", "structs"):
            return _list(column)
    if field is not None and field.kind == "boolean" and kind.endswith(("INT", "INTEGER")):
        return f"case {column} when 1 then cast('true' as json) when 0 then cast('false' as json) else to_json({column}) end"
    if kind == "BOOLEAN" or kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "JSON")):
        return f"to_json({column})"
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"strftime(timezone('UTC', {column}), '%Y-%m-%dT%H:%M:%S.%fZ')"
    return f"cast({column} as varchar)"


def _list(text: str) -> str:
    return f"case when json_valid({text}) then cast({text} as json) else to_json({text}) end"


def _boolean(text: str) -> str:
    return (
        f"case lower({text}) when 'true' then cast('true' as json) when 'false' then cast('false' as json) "
        f"when '' then null else to_json({text}) end"
    )


def _unquoted(fields: str) -> str:
    return f"""[case when f[1] = '"' then replace(f[2:-2], '""', '"') else f end for f in {fields}]"""


def _stripped(record: str) -> str:
    return f"regexp_replace({record}, '\\r$', '')"
