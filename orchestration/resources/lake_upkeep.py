"""The lake kept in shape: few files, and none that no snapshot needs (DESIGN 4).

    flush     small inserts lie in the catalogue; as Parquet they are read faster
    rewrite   files of which much was deleted, and of small tables all of which anything was: those could not be merged
    merge     small files that stand side by side; a merged one also serves the snapshots before
    expire    snapshots that nobody may ask for any more
    clean up  files that no snapshot needs, a day after that; what killed writers left behind

A reader on an expired snapshot fails. So some never are: the last complete build's and whatever came after it, which the next
build may take back, and those that waves under way were planned on.
"""

from collections import Counter
from collections.abc import Collection
from datetime import datetime, timedelta

import duckdb

from orchestration.resources.warehouse import last_build

# Larger files are left alone: merged again at each turn, they would be written over and over.
MERGED_UP_TO = 64 << 20
DELETED_SHARE = 0.3
CHUNK = 1000
_SMALL_WITH_DELETES = f"""
    select schema_name, table_name
    from ducklake_table_info('lake')
    join __ducklake_metadata_lake.ducklake_schema using (schema_id)
    where end_snapshot is null and delete_file_count > 0 and file_size_bytes <= {MERGED_UP_TO}
"""


def tidy_lake(
    con: duckdb.DuckDBPyConnection,
    *,
    now: datetime,
    snapshots_for: timedelta,
    files_for: timedelta,
    referred_to: Collection[int],
) -> Counter[str]:
    """Do all of it, as the one writer. `now` is the machine's clock, by which snapshots are dated.

    `snapshots_for`: how long any snapshot lives; `files_for`: how much longer its files; `referred_to`: snapshots that stay.
    Gives how many files were merged, snapshots expired and files deleted.
    """
    con.execute("call ducklake_flush_inlined_data('lake')")
    con.execute(f"call ducklake_rewrite_data_files('lake', delete_threshold => {DELETED_SHARE})")
    for schema, table in con.execute(_SMALL_WITH_DELETES).fetchall():
        con.execute("call ducklake_rewrite_data_files('lake', ?, schema => ?, delete_threshold => 0)", [table, schema])
    merged = con.execute(f"call ducklake_merge_adjacent_files('lake', max_file_size => {MERGED_UP_TO})").fetchall()
    expired = _expire(con, now - snapshots_for, referred_to)
    deleted = 0
    for function in ("ducklake_cleanup_old_files", "ducklake_delete_orphaned_files"):
        deleted += len(con.execute(f"call {function}('lake', older_than => ?)", [now - files_for]).fetchall())
    return Counter(
        {
            "files merged": sum(before - after for *_, before, after in merged),
            "snapshots expired": expired,
            "files deleted": deleted,
        }
    )


def _expire(con: duckdb.DuckDBPyConnection, before: datetime, referred_to: Collection[int]) -> int:
    build = last_build(con)
    if build is None:
        return 0
    old = [
        number
        for (number,) in con.execute(
            "select snapshot_id from lake.snapshots() where snapshot_time < ? and snapshot_id < ? order by snapshot_id",
            [before, build.snapshot_id],
        ).fetchall()
        if number not in referred_to
    ]
    for start in range(0, len(old), CHUNK):
        con.execute(f"call ducklake_expire_snapshots('lake', versions => {old[start : start + CHUNK]})")
    return len(old)
