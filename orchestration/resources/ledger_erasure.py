"""A person taken out of the ledger. The rows stay for the sums, under the contact's opaque id, and say so: evidence `erased`.

The claims stay as well: whoever comes back by a new signup does not get a second time what they had.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, update

from orchestration.core.wave import MOVES
from orchestration.resources.ledger_file import LedgerFile
from orchestration.resources.ledger_rows import send_was_begun
from orchestration.resources.ledger_schema import ERASED, recipients, waves
from orchestration.settings import Settings

# An approval covers who reads what, so a draft's cards stay until its wave is over.
_APPROVED_CONTENT = ("drafted", "approved", "sending")
_OVER = tuple(state for state in MOVES if state not in _APPROVED_CONTENT)


@dataclass(frozen=True)
class OpenClaim:
    """A contact who is the recipient of a wave that is not settled. `may_have_gone_out`: a send was begun."""

    contact_id: str
    wave_id: str
    state: str
    email: str | None
    delivery: str | None
    mailchimp_campaign_id: str | None
    may_have_gone_out: bool


class LedgerEraser(LedgerFile):
    """The ledger of one data folder, as erasure sees it."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.ledger_path)

    def addresses(self, contact_ids: Sequence[str]) -> set[str]:
        """Every address that a wave has for these contacts."""
        query = select(recipients.c.email).where(
            recipients.c.contact_id.in_(contact_ids), recipients.c.email.is_not(None)
        )
        with self._reading() as con:
            return set(con.execute(query.distinct()).scalars())

    def open_claims(self, contact_ids: Sequence[str]) -> list[OpenClaim]:
        """Where these contacts are recipients of waves that are neither settled nor cancelled."""
        query = (
            select(recipients, waves.c.state, waves.c.mailchimp_campaign_id)
            .join(waves, waves.c.wave_id == recipients.c.wave_id)
            .where(recipients.c.contact_id.in_(contact_ids), recipients.c.outcome == "recipient")
            .where(waves.c.state.not_in(("settled", "cancelled")))
        )
        with self._reading() as con:
            return [
                OpenClaim(
                    contact_id=row.contact_id,
                    wave_id=row.wave_id,
                    state=row.state,
                    email=row.email,
                    delivery=row.delivery,
                    mailchimp_campaign_id=row.mailchimp_campaign_id,
                    may_have_gone_out=row.state == "sent" or send_was_begun(con, row.wave_id),
                )
                for row in con.execute(query)
            ]

    def erase(self, contact_ids: Sequence[str]) -> int:
        """Take addresses, names, reasons and articles out of these contacts' rows. Gives how many rows held any."""
        theirs = recipients.c.contact_id.in_(contact_ids)
        holds = recipients.c.evidence.is_distinct_from(ERASED) | recipients.c.email.is_not(None)
        gone = {"email": None, "first_name": None, "evidence": ERASED}
        over = select(waves.c.wave_id).where(waves.c.state.in_(_OVER))
        with self._writing() as con:
            count = con.execute(update(recipients).where(theirs, holds).values(**gone)).rowcount
            # also of those who were erased while their wave was under way
            erased = recipients.c.evidence == ERASED, recipients.c.slots != "{}", recipients.c.wave_id.in_(over)
            con.execute(update(recipients).where(*erased).values(slots="{}"))
            return count
