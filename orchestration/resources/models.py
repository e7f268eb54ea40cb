"""The dbt project, built in this process while it is the one writer (DESIGN 4).

dbt runs inside the process that holds the warehouse's lock, so that it cannot outlive it: killed, both are gone at once.
A build that ends with every model made and every test passed is recorded with its snapshot; readers see no other.
"""

import json
import logging
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestration.core.audience import LONDON
from orchestration.core.errors import BuildFailed, PennypostError
from orchestration.resources.models_version import is_made_by, note_segments, note_version, project_version
from orchestration.resources.policy_checks import check_what_is_new
from orchestration.resources.unfinished import begin, take_back
from orchestration.resources.warehouse import Build, Warehouse, last_build
from orchestration.settings import PROJECT_DIR, Settings

log = logging.getLogger(__name__)

# What `parse_ahead` read, by the version of the project: for one build, since building changes it.
_parsed: dict[int, Any] = {}

DBT_DIR = PROJECT_DIR / "dbt_project"


@dataclass(frozen=True)
class NodeResult:
    """What became of one model, seed or test: `status` is dbt's (success, pass, fail, error, skipped), `seconds` its run time."""

    unique_id: str
    status: str
    message: str
    seconds: float
    failures: int


@dataclass(frozen=True)
class BuildReport:
    """A build that is complete and tested, and how each node went."""

    build: Build
    nodes: list[NodeResult]


def segments() -> list[str]:
    """The segments there are: one SQL file each under models/segments."""
    return sorted(path.stem for path in (DBT_DIR / "models" / "segments").glob("*.sql"))


def manifest(settings: Settings) -> dict[str, Any]:
    """The project's manifest, which Dagster shows it by; read anew where a file of the project is newer. Opens no database."""
    path = settings.data_dir / "dbt" / "manifest.json"
    sources = [file for file in DBT_DIR.rglob("*") if file.suffix in (".sql", ".yml", ".csv", ".md")]
    if not path.exists() or path.stat().st_mtime < max(file.stat().st_mtime for file in sources):
        _dbt(settings, ["parse"])
    return json.loads(path.read_text())


def parse_ahead(settings: Settings) -> None:
    """Have dbt read the project now, for the next build of this process or of one forked from it. Opens no database."""
    version = project_version(DBT_DIR)
    with _environment(settings):
        outcome = _parse(settings)
    if outcome.success:
        _parsed[version] = outcome.result


def build(settings: Settings, warehouse: Warehouse, as_of: datetime) -> BuildReport:
    """Build and test every model as of `as_of` (UTC), and record it.

    Raises BuildFailed that names what failed; what readers see then stays the last complete build. Raises PennypostError
    where `as_of` is earlier than the last build's.
    """
    version, made = project_version(DBT_DIR), segments()
    command = ["build", "--exclude-resource-type", "unit_test"]
    with warehouse.lock(why="building the models"):
        with warehouse.writer() as con:
            last = last_build(con)
            build_vars = _build_vars(con, last, as_of)
            is_changed = not is_made_by(con, version)
            # what a build that did not end had found to be due is due still
            is_again = take_back(con, warehouse, last)
            begin(con, build_vars["build_no"])
            if is_changed and last is not None:
                log.info(
                    "The models' SQL is not what made their tables: all are made anew, and segments keep their history."
                )
                command.append("--full-refresh")
            if is_changed:
                note_version(con, None)
            # what may be recommended is known before the models are made from it, under the same lock
            if check_what_is_new(con, as_of) or is_again or is_changed:
                build_vars["related_due"] = True
        nodes = _dbt(settings, command, build_vars)
        with warehouse.writer() as con:
            if is_changed:
                note_version(con, version)
            note_segments(con, made)
            recorded = warehouse.record_build(
                con, build_id=str(uuid.uuid4()), build_no=build_vars["build_no"], as_of=as_of
            )
    return BuildReport(recorded, nodes)


def unit_test(settings: Settings, warehouse: Warehouse, as_of: datetime) -> list[NodeResult]:
    """Run the unit tests of the models (SQL against rows written beside them). They need a build to be there, for its columns.

    Raises BuildFailed that names those that failed. They are no part of `build`: what they prove does not change with the data.
    """
    with warehouse.lock(why="testing the models"):
        return _dbt(settings, ["test", "--select", "test_type:unit"], {"as_of": as_of.isoformat()})


def _build_vars(con, last: Build | None, as_of: datetime) -> dict:
    if last is None:
        return {"as_of": as_of.isoformat(), "build_no": 1}
    if as_of < last.as_of:
        raise PennypostError(
            f"as_of {as_of.isoformat()} is earlier than the last build's, {last.as_of.isoformat()}: "
            "history can't be unwritten. Use a later AS_OF, or another DATA_DIR."
        )
    (catalogue_changed,) = con.execute(
        "select count(*) > 0 from lake.raw.articles where batch_id > ?", [last.batch_id]
    ).fetchone()
    return {
        "as_of": as_of.isoformat(),
        "last_as_of": last.as_of.isoformat(),
        "last_batch": last.batch_id,
        "build_no": last.build_no + 1,
        "related_due": catalogue_changed or _london_day(as_of) != _london_day(last.as_of),
    }


def _london_day(moment: datetime):
    return moment.astimezone(LONDON).date()


def _dbt(settings: Settings, command: list[str], build_vars: dict | None = None) -> list[NodeResult]:
    from dbt.cli.main import dbtRunner

    with _environment(settings):
        parsed = _parsed.pop(project_version(DBT_DIR), None) if command != ["parse"] else None
        outcome = None if parsed else _parse(settings)
        if command != ["parse"] and (parsed or outcome.success):
            outcome = dbtRunner(manifest=parsed or outcome.result).invoke(
                [*command, *_options(settings, _parse_vars() | (build_vars or {}))]
            )
    nodes = [_node(result) for result in getattr(outcome.result, "results", [])]
    bad = [node for node in nodes if node.status in ("error", "fail", "runtime error")]
    if bad or not outcome.success:
        raise BuildFailed(_told(bad, outcome.exception))
    return nodes


def _parse(settings: Settings):
    """Read the project apart, with variables that stay the same: where they differ dbt reads all of it again, for seconds."""
    # dbt takes seconds to import: whoever only looks at settings or the ledger should not pay for it
    from dbt.cli.main import dbtRunner

    return dbtRunner().invoke(["parse", *_options(settings, _parse_vars())])


def _parse_vars() -> dict[str, Any]:
    return {"as_of": None, "segments": segments()}


def _options(settings: Settings, dbt_vars: dict) -> list[str]:
    target = settings.data_dir / "dbt"
    paths = {"project-dir": DBT_DIR, "profiles-dir": DBT_DIR, "target-path": target, "log-path": target / "logs"}
    return [
        *(word for name, path in paths.items() for word in (f"--{name}", str(path))),
        "--vars",
        json.dumps(dbt_vars),
        "--quiet",
    ]


def _node(result) -> NodeResult:
    return NodeResult(
        unique_id=result.node.unique_id,
        status=str(result.status.value),
        message=result.message or "",
        seconds=result.execution_time,
        failures=result.failures or 0,
    )


def _told(bad: list[NodeResult], exception: BaseException | None) -> str:
    lines = [f"- {node.unique_id}: {node.message}" for node in bad] or [str(exception)]
    return "The models were not built; readers go on seeing the last complete build.\n" + "\n".join(lines)


@contextmanager
def _environment(settings: Settings) -> Iterator[None]:
    """profiles.yml finds the warehouse through DATA_DIR."""
    before = os.environ.get("DATA_DIR")
    os.environ["DATA_DIR"] = str(settings.data_dir)
    try:
        yield
    finally:
        _let_go()
        if before is None:
            del os.environ["DATA_DIR"]
        else:
            os.environ["DATA_DIR"] = before


def _let_go() -> None:
    """dbt keeps its connection for the next command of this process, which would go by a catalogue that is out of date."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    if DuckDBConnectionManager._ENV is not None:
        DuckDBConnectionManager._ENV.close()
        DuckDBConnectionManager.close_all_connections()
