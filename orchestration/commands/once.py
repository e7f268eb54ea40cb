"""`make once LANDING=… DATA_DIR=… AS_OF=…`: the main job on a folder, against the sandbox, without a UI."""

import os
import sys
import time

from orchestration.commands.console import command
from orchestration.commands.main_job import prepare, run_main_job, seconds_since, shown
from orchestration.commands.processes import free_port, port_is_free, sandbox
from orchestration.settings import Settings


def main() -> None:
    started = time.monotonic()
    os.environ.pop("MAILCHIMP_API_KEY", None)  # a real audience is never written to by this command
    os.environ.pop("MAILCHIMP_LIST_ID", None)
    os.environ.setdefault("BACKLOG", "send")
    settings = Settings.from_env()
    if not settings.landing_dir.is_dir():
        sys.exit(f"LANDING={settings.landing_dir} is no folder. It should hold orders/, signups/, article_views/ …")
    if not port_is_free(settings.sandbox_port):
        os.environ["SANDBOX_PORT"] = str(free_port())
        settings = Settings.from_env()
    prepare(settings)
    with sandbox(settings):
        told = run_main_job(settings)
    print(told.text)
    print(f"\nAs of {shown(settings.now())}; {told.sent} emails sent; {seconds_since(started)}.")


if __name__ == "__main__":
    command(main)
