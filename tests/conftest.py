"""Two workers share the tests: what one dear world was built for stays together, and the dearest go first."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
DEAREST_FIRST = ("pipeline", "models")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_world(item.path)))
    items.sort(key=lambda item: _turn(_world(item.path)))


def _world(path: Path) -> str:
    """The folder where its tests share one build of everything, else the file."""
    folder = path.relative_to(HERE).parts[0]
    return folder if folder in DEAREST_FIRST else str(path.relative_to(HERE))


def _turn(world: str) -> int:
    return DEAREST_FIRST.index(world) if world in DEAREST_FIRST else len(DEAREST_FIRST)
