"""The resident worker without the project, for the jobs of held_job.py. A file `changed` in DATA_DIR says that its code has."""

from orchestration.commands.console import command
from orchestration.commands.worker import Worker
from orchestration.settings import Settings


def main() -> None:
    settings = Settings.from_env()
    Worker(settings, (settings.data_dir / "changed").exists).serve()


if __name__ == "__main__":
    command(main)
