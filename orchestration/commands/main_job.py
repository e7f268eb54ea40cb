"""Running Dagster jobs in this process, on the instance whose UI shows them, and telling what came of it."""

import os
import time
import uuid
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestration.commands.console import table
from orchestration.components.services import Services
from orchestration.core.errors import PennypostError
from orchestration.resources.dagster_home import make_dagster_home
from orchestration.resources.landing_disk import passed_over
from orchestration.resources.restore import check_restored
from orchestration.settings import Settings

# Dagster's log of a run is in its UI; a command prints what came of it.
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
OURS = "orchestration.core.errors."
NAMED = 3


@dataclass(frozen=True)
class Told:
    """The table that a person reads, and how many emails went out."""

    text: str
    sent: int


def prepare(settings: Settings) -> None:
    """Make DAGSTER_HOME, and the environment that every process of this DATA_DIR shares.

    Raises BackupError where DATA_DIR was restored by half.
    """
    check_restored(settings)
    make_dagster_home(settings)
    settings.landing_dir.mkdir(parents=True, exist_ok=True)
    os.environ.update(
        DATA_DIR=str(settings.data_dir), LANDING=str(settings.landing_dir), DAGSTER_HOME=str(settings.dagster_home)
    )
    os.environ.setdefault("NO_PROXY", "127.0.0.1,localhost")


def wake_instance(settings: Settings) -> None:
    """Make Dagster's storage, which its processes would else make side by side and break, and bury what died with them.

    Call it after `prepare` and before `dagster dev`.
    """
    import dagster as dg

    from orchestration.resources.liveness import bury_the_dead

    with dg.DagsterInstance.get() as instance:
        instance.get_runs_count()
        instance.get_latest_materialization_event(dg.AssetKey("none"))
        instance.all_instigator_state()
        bury_the_dead(instance, settings, starting=True)


def run_main_job(settings: Settings) -> Told:
    """Run `main`, and `models` once more where something went out, so that the marts know of it.

    Raises PennypostError that names the step that failed.
    """
    # Dagster takes seconds to import: the commands that need it are two of many
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import dagster as dg

        from orchestration.definitions import defs
        from orchestration.resources.liveness import bury_the_dead

    services = Services(settings)
    before = _batches(services)
    with dg.DagsterInstance.get() as instance:
        bury_the_dead(instance, settings)
        code_location = defs()
        result = _run(code_location, "main", instance)
        told = _tell(services, result, before)
        if told.sent:
            _run(code_location, "models", instance)
    return told


def _run(code_location: Any, name: str, instance: Any) -> Any:
    from orchestration.resources.liveness import vouch

    job = code_location.resolve_job_def(name)
    run_id = str(uuid.uuid4())
    vouch(run_id)
    result = job.execute_in_process(instance=instance, raise_on_error=False, run_config=QUIET, run_id=run_id)
    if not result.success:
        failed = [event for event in result.all_events if event.is_step_failure]
        said = "\n".join(_said(event.step_failure_data.error) for event in failed)
        raise PennypostError(f"Job {name} failed (run {result.run_id}).\n{said}")
    return result


def _said(error: Any) -> str:
    """What the first error of ours says, which knows what to do about what caused it; else what the cause of all says."""
    while error.cause is not None and not error.message.startswith(OURS):
        error = error.cause
    return error.message.strip().removeprefix(f"{OURS}{error.cls_name}: ")


def _batches(services: Services) -> int:
    if not services.settings.catalog_path.exists():
        return 0
    with services.warehouse.latest() as con:
        return con.execute("select coalesce(max(batch_id), 0) from lake.raw.landing_files").fetchone()[0]


def _tell(services: Services, result: Any, before: int) -> Told:
    rows = [*_sources(services, before), *_passed_over(services.settings), *_segments(services)]
    campaigns, sent = _campaigns(services, result)
    text = table([*rows, *campaigns], heads=("what", "name", "count", "of which"))
    return Told(text, sent)


def _sources(services: Services, before: int) -> list[tuple[str, ...]]:
    with services.warehouse.latest() as con:
        found = con.execute(
            "select source, sum(rows_landed)::bigint, sum(rows_rejected)::bigint, count(*) from lake.raw.landing_files "
            "where batch_id > ? group by source order by source",
            [before],
        ).fetchall()
    if not found:
        return [("source", "no new files", "0", "")]
    return [
        ("source", source, str(landed), f"from {files} files, {rejected} rejects")
        for source, landed, rejected, files in found
    ]


def _passed_over(settings: Settings) -> list[tuple[str, ...]]:
    over = passed_over(settings)
    return (
        [("landing", "passed over, no source's", str(len(over)), "such as " + ", ".join(over[:NAMED]))] if over else []
    )


def _segments(services: Services) -> list[tuple[str, ...]]:
    with services.warehouse.reader() as con:
        found = con.execute(
            "select segment, count(*), count(*) filter (where is_addressable) from lake.marts.segment_members "
            "join lake.marts.contacts using (contact_id) group by segment order by segment"
        ).fetchall()
    return [("segment", segment, str(count), f"{reachable} may be written to") for segment, count, reachable in found]


def _campaigns(services: Services, result: Any) -> tuple[list[tuple[str, ...]], int]:
    rows: list[tuple[str, ...]] = []
    sent = 0
    for event in result.get_asset_materialization_events():
        group, *_, last = event.asset_key.path
        if group != "campaigns" or not last.endswith("_audience"):
            continue
        campaign = last.removesuffix("_audience")
        earlier = _from_before(services, campaign, event.materialization.metadata.get("sent from before"))
        rows += earlier
        sent += sum(int(count) for _, _, count, _ in earlier)
        if "counts" not in event.materialization.metadata:
            rows.append(("campaign", campaign, "0", event.materialization.metadata["note"].value))
            continue
        counts = event.materialization.metadata["counts"].value
        wave_id = event.materialization.metadata["wave"].value
        if not counts["is_written"]:
            rows += _campaign(campaign, counts, counts, {})
            continue
        went_out = _went_out(services, wave_id)
        sent += sum(went_out.values())
        rows += _campaign(campaign, counts, services.ledger.wave(wave_id).counts, went_out)
        if left_out := services.ledger.outcomes(wave_id).get(("recipient", None, "not_sent")):
            rows.append(("campaign", f"{campaign}: not sent", str(left_out), "Mailchimp left them out"))
    return rows, sent


def _went_out(services: Services, wave_id: str) -> dict[str, int]:
    """What became of the emails of a wave that left us → how many. Mailchimp's report of a large wave takes its time."""
    if services.ledger.wave(wave_id).state not in ("sent", "settled"):
        return {}
    found: Counter[str] = Counter()
    for (outcome, _, delivery), number in services.ledger.outcomes(wave_id).items():
        if outcome == "recipient" and delivery != "not_sent":
            found[delivery or "not in Mailchimp's report yet"] += number
    return found


def _from_before(services: Services, campaign: str, waves: Any) -> list[tuple[str, ...]]:
    """The waves that an earlier launch, killed or failed, had left half done."""
    rows = []
    for wave_id in waves.value if waves else []:
        went_out = _went_out(services, wave_id)
        rows.append(("campaign", f"{campaign}: sent from before", str(sum(went_out.values())), _listed(went_out)))
    return rows


def _campaign(
    name: str, planned: dict[str, Any], now: dict[str, Any], went_out: dict[str, int]
) -> list[tuple[str, ...]]:
    """`planned` and `now` are a wave's counts: as it was planned, and after some were taken out before the send."""
    rows = [("campaign", f"{name}: in the segment", str(planned["segment_size"]), "")]
    taken_out = planned["recipient"] - now["recipient"]
    told = f"{taken_out} of them taken out before the send" if taken_out else ""
    rows.append(("campaign", f"{name}: planned", str(planned["recipient"]), told))
    for outcome in ("excluded", "deferred"):
        if total := sum(now[outcome].values()):
            rows.append(("campaign", f"{name}: {outcome}", str(total), _listed(now[outcome])))
    if now["holdout"]:
        rows.append(("campaign", f"{name}: holdout", str(now["holdout"]), "kept to measure against"))
    rows.append(("campaign", f"{name}: sent", str(sum(went_out.values())), _listed(went_out)))
    return rows


def _listed(totals: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {label}" for label, number in sorted(totals.items()))


def seconds_since(started: float) -> str:
    return f"{time.monotonic() - started:.0f} s"


def shown(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
