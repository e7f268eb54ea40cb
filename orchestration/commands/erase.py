"""`make erase CONTACT=<address or id>`: take a person out of everything, and print the receipt."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from orchestration.commands.console import command, table
from orchestration.commands.processes import answers, free_port, port_is_free, sandbox
from orchestration.components.erasure import erase
from orchestration.components.services import Services
from orchestration.resources.erasure_plan import Receipt
from orchestration.settings import Settings


def main() -> None:
    contact = os.environ.pop("CONTACT", "").strip()  # no process that we start is to show it
    if not contact:
        sys.exit("Say whom: make erase CONTACT=<address or contact id>")
    with _mailchimp(Settings.from_env()) as settings:
        receipts = erase(Services(settings), contact, who="make erase")
    for receipt in receipts:
        print(shown(receipt), end="\n\n")


def shown(receipt: Receipt) -> str:
    """The receipt as a person reads it."""
    rows = [(where, what, str(count)) for where, what, count in receipt.removed]
    return "\n".join(
        [
            f"Erasure {receipt.erasure_id}",
            f"contact {', '.join(receipt.contact_ids)}",
            f"as of {receipt.erased_at}, done {receipt.finished_at}, asked for by {receipt.who}",
            f"{receipt.marks} keyed ids remain, so that what arrives again of before does not bring them back",
            "",
            table(rows, heads=("where", "removed", "count")) if rows else "There was nothing left to remove.",
            *receipt.notes,
        ]
    )


@contextmanager
def _mailchimp(settings: Settings) -> Iterator[Settings]:
    """The sandbox, where it stands in for Mailchimp, has been used and does not run."""
    url = f"http://127.0.0.1:{settings.sandbox_port}/outbox.json"
    if not settings.uses_sandbox or not settings.sandbox_path.exists() or answers(url):
        yield settings
        return
    if not port_is_free(settings.sandbox_port):
        os.environ["SANDBOX_PORT"] = str(free_port())
        settings = Settings.from_env()
    with sandbox(settings):
        yield settings


if __name__ == "__main__":
    command(main)
