"""The warehouse: DuckLake through DuckDB (DESIGN 4).

Tables are Parquet files under `$DATA_DIR/lake`, the catalogue is `$DATA_DIR/catalog.sqlite`. In one process
nothing but the connections made here (and dbt's, which use the same statements) may open the catalogue: a second SQLite library,
Python's own included, would drop the locks of the first.

    writer()  one at a time, guarded by $DATA_DIR/warehouse.lock
    reader()  as of the last complete, tested build
    latest()  as of this moment
"""

import importlib.util
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from orchestration.core.errors import NoBuildYet, WarehouseError
from orchestration.resources.lock import exclusive
from orchestration.resources.quoting import quoted
from orchestration.resources.warehouse_errors import told_clearly
from orchestration.resources.warehouse_tables import BOOKKEEPING, create_tables
from orchestration.settings import Settings

BUSY_TIMEOUT_MS = 60_000
SMALL_LAKE = 64 << 20  # bytes
ALL_THREADS = "reset threads"

BUILD_COLUMNS = tuple(name for name, _ in BOOKKEEPING["builds"])


@dataclass(frozen=True)
class Build:
    """A complete, tested build of the models: what planning and analysts read. Times are UTC.

    `build_no` counts them; `batch_id` is the highest batch of raw rows it had seen: the next build adds what came after.
    """

    build_id: str
    build_no: int
    batch_id: int
    as_of: datetime
    snapshot_id: int
    finished_at: datetime


class Warehouse:
    """Short connections to the warehouse of one DATA_DIR. Safe to share between threads: it holds no connection itself."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @contextmanager
    def lock(self, *, wait: float = 600, why: str = "") -> Iterator[None]:
        """Be the one writer, without a connection: for dbt, which makes its own. A thread that is the writer already goes on.

        Raises WarehouseBusy after `wait` seconds.
        """
        self._make_folders()
        with exclusive(self._settings.lock_path, wait=wait, why=why):
            yield

    @contextmanager
    def writer(self, *, wait: float = 600, why: str = "") -> Iterator[duckdb.DuckDBPyConnection]:
        """A read-write connection while being the one writer. The first one creates schemas and raw tables."""
        with self.lock(wait=wait, why=why), self._connection(read_only=False, at=None) as con:
            create_tables(con)
            yield con

    @contextmanager
    def reader(self, *, at: int | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """Read everything as of the last complete, tested build, or as of snapshot `at`. Raises NoBuildYet."""
        if at is None:
            build = self.last_build()
            if build is None:
                raise NoBuildYet(
                    f"There is no complete, tested build in {self._settings.data_dir} yet. Run the main job (`make once`) first."
                )
            at = build.snapshot_id
        with self._connection(read_only=True, at=at) as con:
            yield con

    @contextmanager
    def latest(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Read everything as it is at this moment, half-done builds included. Raises NoBuildYet if nothing was ever written."""
        with self._connection(read_only=True, at=None) as con:
            yield con

    def record_build(self, con: duckdb.DuckDBPyConnection, *, build_id: str, build_no: int, as_of: datetime) -> Build:
        """Make the snapshot that a writer's connection sees now the one that readers read."""
        (snapshot_id,) = con.execute("select id from lake.current_snapshot()").fetchone()
        build = Build(build_id, build_no, next_batch(con) - 1, as_of, snapshot_id, datetime.now(UTC))
        con.execute(
            f"insert into lake.raw.builds ({', '.join(BUILD_COLUMNS)}) values (?, ?, ?, ?, ?, ?)",
            [getattr(build, column) for column in BUILD_COLUMNS],
        )
        return build

    def last_build(self) -> Build | None:
        """The last complete, tested build, or None."""
        try:
            with self.latest() as con:
                return last_build(con)
        except (NoBuildYet, duckdb.CatalogException):
            return None

    def attach_sql(self, *, read_only: bool, at: int | None) -> list[str]:
        """The statements that make a fresh DuckDB session one on this warehouse; also what `make sql` runs."""
        return [*load_extensions_sql(), *self._session_sql(), *self._lake_sql(read_only=read_only, at=at)]

    def _session_sql(self) -> list[str]:
        return [f"set temp_directory = {quoted(self._settings.data_dir / 'tmp')}"]

    def _lake_sql(self, *, read_only: bool, at: int | None) -> list[str]:
        options = [
            f"data_path {quoted(self._settings.lake_dir)}",
            "override_data_path true",
            f"meta_busy_timeout {BUSY_TIMEOUT_MS}",
        ]
        options.append("read_only" if read_only else "meta_journal_mode 'WAL'")
        if at is not None:
            options.append(f"snapshot_version {int(at)}")
        return [
            threads_sql(self._settings.lake_dir),
            "set TimeZone = 'UTC'",
            f"attach {quoted('ducklake:sqlite:' + str(self._settings.catalog_path))} as lake ({', '.join(options)})",
            "use lake",
        ]

    @contextmanager
    def _connection(self, *, read_only: bool, at: int | None) -> Iterator[duckdb.DuckDBPyConnection]:
        if read_only and not self._settings.catalog_path.exists():
            raise NoBuildYet(
                f"There is no warehouse in {self._settings.data_dir} yet. Run the main job (`make once`) first."
            )
        with told_clearly(self._settings.data_dir), _engine(self._session_sql()) as engine:
            con = engine.cursor()
            try:
                self._attach(con, read_only=read_only, at=at)
                yield con
            finally:
                con.close()

    def _attach(self, con: duckdb.DuckDBPyConnection, *, read_only: bool, at: int | None) -> None:
        try:
            for statement in self._lake_sql(read_only=read_only, at=at):
                con.execute(statement)
        except duckdb.InvalidInputException as error:
            if read_only and "does not exist" in str(error):
                raise NoBuildYet(
                    f"The warehouse in {self._settings.data_dir} is being made. Try again in a moment."
                ) from error
            raise

    def _make_folders(self) -> None:
        try:
            self._settings.lake_dir.mkdir(parents=True, exist_ok=True)
            self._settings.lock_path.touch()
        except OSError as error:
            raise WarehouseError(
                f"DATA_DIR {self._settings.data_dir} can't be written: {error.strerror}. "
                "Set DATA_DIR to a folder that this user may write to."
            ) from error


_idle: dict[str, list[duckdb.DuckDBPyConnection]] = {}
_idle_lock = threading.Lock()


@contextmanager
def _engine(session_sql: list[str]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB instance of its own with the extensions loaded and nothing attached.

    It is kept for the next who asks: loading checks 70 MB of signed binaries, which takes longer than most of what is done
    with a connection. One that can't be tidied up is closed.
    """
    kind = "\n".join(session_sql)
    with _idle_lock:
        engines = _idle.setdefault(kind, [])
        engine = engines.pop() if engines else None
    if engine is None:
        engine = duckdb.connect()
        for statement in [*load_extensions_sql(), *session_sql]:
            engine.execute(statement)
    try:
        yield engine
    finally:
        try:
            engine.execute("detach database if exists lake")
        except duckdb.Error:
            engine.close()
        else:
            with _idle_lock:
                engines.append(engine)


def last_build(con: duckdb.DuckDBPyConnection) -> Build | None:
    """The last complete, tested build that a connection sees, or None."""
    row = con.execute(
        f"select {', '.join(BUILD_COLUMNS)} from lake.raw.builds order by build_no desc, finished_at desc limit 1"
    ).fetchone()
    return None if row is None else Build(*(_utc(value) if isinstance(value, datetime) else value for value in row))


def next_batch(con: duckdb.DuckDBPyConnection) -> int:
    """The number for the next batch of raw rows. It counts up under the writer's lock, so no clock set back can hide rows."""
    (highest,) = con.execute(
        "select max(batch_id) from "
        "(select batch_id from lake.raw.landing_files union all select batch_id from lake.raw.deliveries "
        "union all select batch_id from lake.raw.feedback)"
    ).fetchone()
    return (highest or 0) + 1


def threads_sql(lake_dir: Path) -> str:
    """The statement that has a session work on one thread if the lake is small, else on all.

    What costs in a small lake is DuckLake's catalogue: dozens of short queries to SQLite for each of ours, which take twice the
    processor's time where several threads hand them to each other. ALL_THREADS is for whoever brings much to a small lake.
    """
    left = SMALL_LAKE
    for folder, _, names in os.walk(lake_dir):
        for name in names:
            left -= max(_size(Path(folder, name)), SMALL_LAKE // 1000)  # many small files are no small lake
            if left < 0:
                return ALL_THREADS
    return "set threads = 1"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0  # merged or cleaned up at this moment


def load_extensions_sql() -> list[str]:
    """The statements that load what the lake is read with, in the order they need each other."""
    return [f"load {quoted(_extension(name))}" for name in ("sqlite_scanner", "ducklake")]


def _extension(name: str) -> Path:
    """The extension's file in its Python package; DuckDB checks its signature when it loads it."""
    package = importlib.util.find_spec(f"duckdb_extension_{name}")
    if package is None or not package.submodule_search_locations:
        raise WarehouseError(
            f"The package duckdb-extension-{name.replace('_', '-')} is not installed. Run `make setup`."
        )
    folder = Path(package.submodule_search_locations[0]) / "extensions" / f"v{duckdb.__version__}"
    file = folder / f"{name}.duckdb_extension"
    if not file.exists():
        raise WarehouseError(
            f"{file} is missing: the extension's version is not DuckDB's {duckdb.__version__}. Run `make setup`."
        )
    return file


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
