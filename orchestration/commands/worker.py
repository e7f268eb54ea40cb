"""The resident worker: a process that has Dagster, dbt and the definitions imported, and forks a child for each run.

A run keeps a process of its own, whose memory comes back and whose death harms no other; what is saved is the seconds of imports
and of reading the dbt project. The worker itself opens no database and does nothing in threads, since neither survives a fork
(the idle ones of numeric libraries see to that themselves).

When a file of the project has changed it takes no more runs (Dagster's own way then starts them, with the new code), and begins
anew once its last child has ended.
"""

import gc
import logging
import os
import selectors
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg
from dagster._cli.api import _execute_run_command_body
from dagster._utils.interrupts import capture_interrupts

from orchestration.commands.console import command
from orchestration.commands.processes import die_with_parent
from orchestration.components.ahead import prepare
from orchestration.resources.launcher import NO, YES, worker_link
from orchestration.resources.liveness import vouch
from orchestration.resources.models import parse_ahead
from orchestration.settings import PROJECT_DIR, Settings

log = logging.getLogger(__name__)

FOLDERS = ("orchestration", "dbt_project", "email_templates")
LOOK_EVERY = 5.0
REQUEST_SECONDS = 2.0


class Worker:
    """The children that are under way, and the socket by which more are asked for."""

    def __init__(self, settings: Settings, is_out_of_date: Callable[[], bool]) -> None:
        self._settings = settings
        self._is_out_of_date = is_out_of_date
        self._children: dict[int, str] = {}

    def serve(self) -> None:
        """Answer until the code is out of date and no child is left."""
        link = worker_link(self._settings)
        with tempfile.TemporaryDirectory(prefix="pennypost-") as folder, socket.socket(socket.AF_UNIX) as listener:
            path = Path(folder, "worker")
            listener.bind(str(path))
            listener.listen(16)
            beside = link.with_name(f".worker-{os.getpid()}")
            beside.unlink(missing_ok=True)
            beside.symlink_to(path)
            beside.rename(link)
            with selectors.DefaultSelector() as selector:
                selector.register(listener, selectors.EVENT_READ)
                while self._children or not self._is_out_of_date():
                    if selector.select(LOOK_EVERY):
                        self._answer(listener)
                    self._bury()

    def _answer(self, listener: socket.socket) -> None:
        asking, _ = listener.accept()
        with asking:
            asking.settimeout(REQUEST_SECONDS)
            try:
                what, run_id = asking.makefile().readline().split()
                if what == "run" and not self._is_out_of_date():
                    self._fork(run_id, listener, asking)
                else:
                    asking.sendall(YES if what == "cancel" and self._cancel(run_id) else NO)
            except (OSError, ValueError) as error:
                log.warning("A request could not be answered: %s", error)

    def _fork(self, run_id: str, listener: socket.socket, asking: socket.socket) -> None:
        if pid := os.fork():
            self._children[pid] = run_id
            return
        status = 1
        try:
            die_with_parent()
            listener.close()
            vouch(run_id)
            asking.sendall(YES)
            asking.close()
            execute(run_id)
            status = 0
        except BaseException:
            log.exception("Run %s", run_id)
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            os._exit(status)  # what the parent wants to do at its end is not the child's

    def _cancel(self, run_id: str) -> bool:
        self._bury()
        found = [pid for pid, run in self._children.items() if run == run_id]
        for pid in found:
            os.kill(pid, signal.SIGINT)
        return bool(found)

    def _bury(self) -> None:
        while self._children:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._children.pop(pid, None)


def code_state() -> frozenset[tuple[str, int]]:
    """The project's files and when they changed: what the worker has imported is that of one such state."""
    found = set()
    for top in FOLDERS:
        for folder, inner, names in os.walk(PROJECT_DIR / top):
            inner[:] = [name for name in inner if name not in ("__pycache__", "target", "logs")]
            found |= {(path, _changed_at(path)) for path in (f"{folder}/{name}" for name in names)}
    return frozenset(found)


def _changed_at(path: str) -> int:
    try:
        return Path(path).stat().st_mtime_ns
    except FileNotFoundError:
        return 0  # an editor's own, gone again


def load(settings: Settings) -> None:
    """Import all that a run needs, and read the dbt project and the rules for emails."""
    from orchestration.definitions import defs

    defs().get_repository_def()
    parse_ahead(settings)
    prepare()
    gc.freeze()  # so that no child's collection writes into the pages it shares with the others


def execute(run_id: str) -> None:
    """Execute a run that was launched, as `dagster api execute_run` does. What goes wrong is told in the run."""
    with capture_interrupts(), dg.DagsterInstance.get() as instance:
        _execute_run_command_body(run_id, instance, lambda _: None, set_exit_code_on_failure=False)


def main() -> None:
    settings = Settings.from_env()
    code = code_state()
    try:
        load(settings)
    except Exception:
        log.exception("The project can't be loaded; its next change is waited for.")
        while code == code_state():
            time.sleep(LOOK_EVERY)
    else:
        Worker(settings, lambda: code != code_state()).serve()
    os.execv(sys.executable, [sys.executable, "-m", "orchestration.commands.worker"])  # noqa: S606


if __name__ == "__main__":
    command(main)
