"""DAGSTER_HOME, where Dagster reads its settings and keeps its own storage."""

from orchestration.settings import PROJECT_DIR, Settings


def make_dagster_home(settings: Settings) -> None:
    """Make the folder, and write dagster.yaml there with $DAGSTER_HOME filled in."""
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    text = (PROJECT_DIR / "dagster.yaml").read_text().replace("$DAGSTER_HOME", str(home))
    (home / "dagster.yaml").write_text(text)
