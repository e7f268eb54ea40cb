"""`make precedents`: the policy check's model, fitted anew to the phrases that were judged."""

from orchestration.commands.console import command
from orchestration.core.policy_training import train


def main() -> None:
    barred, innocent = train()
    print(f"Fitted to {barred:,} barred and {innocent:,} innocent texts.")
    print("Where a rule of policy.yaml speaks of a line, the rule decides.")


if __name__ == "__main__":
    command(main)
