"""What the first email of a process would wait for, done ahead by a process that forks others."""

from datetime import UTC, datetime, time
from itertools import product
from typing import get_args

from orchestration.core.dispatch import dispatch_day
from orchestration.core.policy import check_text
from orchestration.core.policy_rules import Audience, Place, matchers


def prepare() -> None:
    """Build what looks for the policy's rules, and load the tables of look-alike letters and bank holidays."""
    for audience, place in product(get_args(Audience), get_args(Place)):
        matchers(audience, place)
    check_text("\N{FULLWIDTH LATIN SMALL LETTER A}", "text", "public")
    dispatch_day(datetime.now(UTC), time(15))
