"""The files with which a shop learns of the codes it is to take: one a wave, `coupons/<campaign>-<wave>.csv` under DATA_DIR.

A wave's file is written before its emails go out, and never changed after: the shop may have taken it. `make coupons`, or the job
`coupons` in Dagster, makes those that are missing again from the ledger, at any time.
"""

import csv
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from orchestration.core.campaign import Content
from orchestration.core.content import OFFER
from orchestration.core.offers import COUPON_COLUMNS, coupon_rows
from orchestration.core.wave import Wave
from orchestration.resources.ledger import Ledger
from orchestration.settings import Settings

log = logging.getLogger(__name__)

# From `sending` on, codes may be in somebody's hands.
GONE_OUT = ("sending", "sent", "settled")


def export_coupons(settings: Settings, ledger: Ledger, wave: Wave) -> Path | None:
    """The coupon file of a wave, written if it is not there yet; None for a wave without an offer."""
    offer = Content.of(wave.content).offer
    if offer is None:
        return None
    path = settings.coupons_dir / f"{wave.campaign}-{wave.wave_id}.csv"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".csv.tmp")
        with draft.open("w", newline="", encoding="utf-8") as file:
            lines = csv.writer(file)
            lines.writerow(COUPON_COLUMNS)
            lines.writerows(coupon_rows(_codes(ledger, wave.wave_id), offer, wave_id=wave.wave_id))
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
        log.info("Wave %s: its codes for the shop are in %s", wave.wave_id, path)
    return path


def export_all(settings: Settings, ledger: Ledger) -> list[Path]:
    """The coupon files of all waves whose codes may be in somebody's hands, the oldest first."""
    found = (export_coupons(settings, ledger, wave) for wave in ledger.waves(states=GONE_OUT))
    return [path for path in found if path is not None]


def _codes(ledger: Ledger, wave_id: str) -> Iterator[str]:
    for batch in ledger.recipients(wave_id, "recipient"):
        yield from (person.slots[OFFER] for person in batch if person.slots.get(OFFER))
