"""`make coupons`: the files with which the shop learns of readers' own codes, those that are missing made again."""

from orchestration.commands.console import command
from orchestration.components.coupons import export_all
from orchestration.components.services import Services


def main() -> None:
    services = Services.from_env()
    for path in export_all(services.settings, services.ledger):
        print(path)


if __name__ == "__main__":
    command(main)
