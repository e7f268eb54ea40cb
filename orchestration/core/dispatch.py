"""Whether an order placed now leaves the same day: dispatch, which is not delivery.

Working days are Monday to Friday but for the bank holidays of England and Wales, where the shop packs; the clock is London's.
"""

from datetime import date, datetime, time

import holidays

from orchestration.core.audience import LONDON


def dispatch_day(at: datetime, cutoff: time) -> date | None:
    """The day on which an order placed right after `at` is dispatched, if that is the same day in London; else None.

    `cutoff` is the time in London by which an order must be placed: at the cutoff itself it is too late.
    """
    here = at.astimezone(LONDON)
    bank_holidays = holidays.country_holidays("GB", subdiv="ENG", years=here.year)
    if here.weekday() >= 5 or here.date() in bank_holidays or here.time() >= cutoff:
        return None
    return here.date()
