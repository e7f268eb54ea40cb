"""Housekeeping: nothing that is kept for a while is kept for good (DESIGN 4).

landing/           ingested files move to the archive
lake               inlined rows flushed, small files merged, old snapshots and their files let go
Dagster            old runs with their events
logs, spill files  begun anew when large; what killed queries left behind
"""

import logging
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg

from orchestration.components.services import Services
from orchestration.resources.dagster_upkeep import forget_runs
from orchestration.resources.erasure_files import sweep_spill
from orchestration.resources.lake_upkeep import tidy_lake
from orchestration.resources.landing_archive import archive_landing
from orchestration.resources.log_files import begin_large_logs_anew

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Keep:
    """How long things are kept: landing files after they were ingested, snapshots, the files of expired snapshots, runs."""

    landing: timedelta = timedelta(hours=1)
    snapshots: timedelta = timedelta(days=7)
    files: timedelta = timedelta(days=1)
    runs: timedelta = timedelta(days=7)


def keep_house(services: Services, instance: dg.DagsterInstance, keep: Keep) -> Counter[str]:
    """Do what is due by the machine's clock. Gives what was done, as counts. Raises WarehouseBusy.

    Each step commits by itself; killed, the next turn goes on.
    """
    now, settings = datetime.now(UTC), services.settings
    done: Counter[str] = Counter()
    done["landing files archived"] = archive_landing(settings, services.warehouse, before=now - keep.landing)
    with services.warehouse.writer(why="housekeeping") as con:
        referred_to = services.ledger.snapshots_referred_to()
        done += tidy_lake(con, now=now, snapshots_for=keep.snapshots, files_for=keep.files, referred_to=referred_to)
    done["runs forgotten"] = forget_runs(instance, before=now - keep.runs)
    done["logs begun anew"] = begin_large_logs_anew(settings)
    done["spill files deleted"] = sweep_spill(settings)
    return done
