"""Letting nothing of what was deleted stay in the lake: rewrite its files, let go of the snapshots before, delete what they held.

It runs as a process of its own, which takes part in the writer's lock. DuckLake was once seen to abort in the flush, on a machine
under load, and an abort takes the whole process with it: here that is one try, not the erasure. What a try leaves behind does the
next no harm: each statement is a transaction, and files that belong to none are deleted at the end.
"""

import json
import logging
import os
import signal
import subprocess
import sys
from collections import Counter

import duckdb

from orchestration.core.errors import PennypostError, WarehouseError
from orchestration.resources.lock import descriptor_of, take_part
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings

log = logging.getLogger(__name__)

TRIES = 2
CHUNK = 1000
PROGRAM = ("-m", __name__)


def purge_in_a_process(settings: Settings) -> Counter[str]:
    """As purge(); the caller holds the writer's lock and has no connection open. Raises WarehouseError."""
    descriptor = descriptor_of(settings.lock_path)
    for _ in range(TRIES):
        done = subprocess.run(
            [sys.executable, *PROGRAM, str(descriptor)],
            env={**os.environ, "DATA_DIR": str(settings.data_dir)},
            pass_fds=[descriptor],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            return Counter(json.loads(done.stdout))
        if done.returncode > 0:
            raise WarehouseError(f"The lake could not be freed of a person: {done.stderr.strip().splitlines()[-1]}")
        name = signal.Signals(-done.returncode).name
        log.warning("The process that rewrites the lake's files was ended by %s.", name)
    raise WarehouseError(
        f"The lake could not be freed of a person: the process that rewrites its files was ended by {name}, {TRIES} times. "
        "Nothing is lost, and the erasure is not finished. Start it again when the machine has memory and time to spare."
    )


def main() -> None:
    settings = Settings.from_env()
    take_part(settings.lock_path, int(sys.argv[1]), why="erasing a contact")
    try:
        with Warehouse(settings).writer() as con:
            counts = purge(con)
    except PennypostError as error:
        sys.exit(str(error))
    json.dump(counts, sys.stdout)


def purge(con: duckdb.DuckDBPyConnection) -> Counter[str]:
    """Let nothing of what was deleted stay in a file of the lake, and readers see the state without it.

    Whoever reads an older snapshot at this moment gets an error and has to read again (FACTS, DuckLake).
    """
    con.execute("call ducklake_flush_inlined_data('lake')")
    con.execute("call ducklake_rewrite_data_files('lake', delete_threshold => 0)")
    (clean,) = con.execute("select id from lake.current_snapshot()").fetchone()
    con.execute(
        "update lake.raw.builds set snapshot_id = ? where build_no = (select max(build_no) from lake.raw.builds)",
        [clean],
    )
    old = [
        number
        for (number,) in con.execute(
            "select snapshot_id from lake.snapshots() where snapshot_id < ?", [clean]
        ).fetchall()
    ]
    for start in range(0, len(old), CHUNK):
        con.execute(f"call ducklake_expire_snapshots('lake', versions => {old[start : start + CHUNK]})")
    gone = con.execute("call ducklake_cleanup_old_files('lake', cleanup_all => true)").fetchall()
    # what a killed writer left behind: no other writes while we hold the lock
    gone += con.execute("call ducklake_delete_orphaned_files('lake', cleanup_all => true)").fetchall()
    return Counter({"snapshots": len(old), "files": len(gone)})


if __name__ == "__main__":
    main()
