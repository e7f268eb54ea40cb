"""`make why CONTACT=<address or id>`: why somebody got an email, or got none."""

import os
import sys

from orchestration.commands.console import command
from orchestration.components.catalogue import all_campaigns
from orchestration.components.services import Services
from orchestration.components.why import explain


def main() -> None:
    contact = os.environ.get("CONTACT", "").strip()
    if not contact:
        sys.exit("Say whom: make why CONTACT=<address or contact id>")
    print(explain(Services.from_env(), contact, all_campaigns()))


if __name__ == "__main__":
    command(main)
