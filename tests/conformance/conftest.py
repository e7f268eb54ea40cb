"""The shop of the delivery's own tests, with every call to its sandbox recorded."""

from functools import partial

import pytest

from orchestration.sandbox.server import running
from tests.components import conftest as components

open_shop = components.open_shop


@pytest.fixture
def recording(tmp_path, monkeypatch):
    """The file that the calls of shops opened after this are in."""
    path = tmp_path / "calls.jsonl"
    monkeypatch.setattr(components, "running", partial(running, recording=path))
    return path
