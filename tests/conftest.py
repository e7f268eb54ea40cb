"""Workers share the tests: what one dear world was built for stays together, and the dearest go first."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests import signatures

MEMORY = Path("/dev/shm")  # noqa: S108, whose it is does not matter
ROOM = 4 << 30

# Folders whose tests share one build of everything; elsewhere that is a file.
DEAREST_FIRST = ("tests/pipeline", "tests/models", "tests/faults")


def pytest_configure():
    """What tests write need not survive them: in memory, no commit waits for a disk."""
    if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM:
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None
    signatures.not_checked_again()


class ByWorld(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return _world(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """For `--dist loadscope`, in place of modules."""
    return ByWorld(config, log) if config.getvalue("dist") == "loadscope" else None


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: _turn(_world(item.nodeid)))


def _world(nodeid: str) -> str:
    file = nodeid.partition("::")[0]
    folder = file.rpartition("/")[0]
    return folder if folder in DEAREST_FIRST else file


def _turn(world: str) -> int:
    return DEAREST_FIRST.index(world) if world in DEAREST_FIRST else len(DEAREST_FIRST)
