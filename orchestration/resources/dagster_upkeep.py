"""Dagster's own storage, which keeps every run for good: a file of events each, and a row for each check.

Old runs are forgotten with all they left; not those that an asset was last made by, so that each still shows when that was. What
Dagster lets go of by itself (ticks) is set in dagster.yaml.
"""

import shutil
from datetime import datetime
from pathlib import Path

import dagster as dg
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable

ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def forget_runs(instance: dg.DagsterInstance, *, before: datetime) -> int:
    """Forget the runs that ended before that time. Gives how many."""
    last_made_by = {record.asset_entry.last_run_id for record in instance.event_log_storage.get_asset_records()}
    ended = instance.get_run_ids(dg.RunsFilter(statuses=ENDED, updated_before=before))
    old = [run_id for run_id in ended if run_id not in last_made_by]
    for run_id in old:
        _forget(instance, run_id)
    return len(old)


def _forget(instance: dg.DagsterInstance, run_id: str) -> None:
    storage = instance.event_log_storage
    instance.delete_run(run_id)
    if isinstance(storage, SqliteEventLogStorage):
        with storage.index_connection() as con:
            con.execute(AssetCheckExecutionsTable.delete().where(AssetCheckExecutionsTable.c.run_id == run_id))
        events = Path(storage.path_for_shard(run_id))
        for path in (events, *(events.with_name(events.name + end) for end in ("-wal", "-shm", "-journal"))):
            path.unlink(missing_ok=True)
    shutil.rmtree(Path(instance.storage_directory()) / run_id, ignore_errors=True)
