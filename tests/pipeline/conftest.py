import dagster as dg
import pytest


@pytest.fixture(scope="session")
def code_location(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATA_DIR", str(tmp_path_factory.mktemp("definitions")))
        from orchestration.definitions import defs

        yield defs()


@pytest.fixture
def empty_landing(tmp_path, monkeypatch):
    """A DATA_DIR with a landing folder and nothing in it."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.delenv("LANDING", raising=False)
    (tmp_path / "landing").mkdir()
    return tmp_path / "landing"


@pytest.fixture
def instance(tmp_path):
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        yield instance
