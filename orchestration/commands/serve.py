"""`make serve`: Dagster on the shop's own files and Mailchimp account, until Ctrl-C."""

from orchestration.commands.console import command
from orchestration.commands.main_job import prepare, wake_instance
from orchestration.commands.processes import beside, collector, run_worker, still_there, until_interrupted, wait_for
from orchestration.components.catalogue import all_campaigns
from orchestration.core.errors import SettingsError
from orchestration.settings import Settings


def main() -> None:
    settings = Settings.from_env()
    if settings.uses_sandbox:
        raise SettingsError("MAILCHIMP_API_KEY is not set. To try it without an account: make run.")
    if settings.sandbox_path.exists():
        raise SettingsError(
            f"DATA_DIR={settings.data_dir} has been used with the sandbox: its contacts may be made up, and its campaigns were "
            "started with a backlog. Set DATA_DIR to a new folder for your own account."
        )
    prepare(settings)
    wake_instance(settings)
    all_campaigns()  # a campaign file that can't be read is told here, not in a log
    log = settings.data_dir / "logs" / "dagster.log"
    ui = ["-m", "dagster", "dev", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(settings.ui_port)]
    with collector(settings) as door, run_worker(settings), beside(ui, log=log) as dagster:
        wait_for(f"http://127.0.0.1:{settings.ui_port}/server_info", process=dagster, log=log, seconds=120)
        print(
            f"Dagster is at http://127.0.0.1:{settings.ui_port}. Files that land in {settings.landing_dir} start it. "
            f"Events over HTTP: {settings.collector_url}. Ctrl-C stops it.",
            flush=True,
        )
        until_interrupted(lambda: still_there({log: dagster, log.with_name("collector.log"): door}))


if __name__ == "__main__":
    command(main)
