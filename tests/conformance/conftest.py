"""The shop of the delivery's own tests, and figures that are told at the end."""

import pytest

from tests.components import conftest as components

open_shop = components.open_shop


@pytest.fixture
def recording(tmp_path, monkeypatch):
    """The file that the calls to sandboxes opened after this are in."""
    path = tmp_path / "calls.jsonl"
    monkeypatch.setenv("SANDBOX_RECORDING", str(path))
    return path


def pytest_terminal_summary(terminalreporter):
    for report in terminalreporter.stats.get("passed", []):
        for name, figure in report.user_properties:
            if name == "figure":
                terminalreporter.write_line(figure)
