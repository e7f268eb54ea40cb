"""The job that erases a person.

Dagster keeps launch settings. Whoever is asked to erase somebody has an address in hand, so an address is taken; what Dagster
kept of it, this very run's settings included, is taken out by the erasure itself. A contact's id works as well and leaves
nothing.
"""

import dagster as dg
from pydantic import Field

from orchestration.components.erasure import erase
from orchestration.components.services import Services


class Whom(dg.Config):
    contact: str = Field(
        description="Whom to erase: an address, in any spelling, or a contact's id (`make why CONTACT=<address>` tells it). "
        "The erasure also takes the address out of what Dagster keeps of this run. It can't be undone."
    )


@dg.op(pool="warehouse")
def erase_contact(context: dg.OpExecutionContext, config: Whom) -> None:
    for receipt in erase(Services.from_env(), config.contact.strip(), who="Dagster"):
        rows = [
            dg.TableRecord({"where": where, "removed": what, "count": count}) for where, what, count in receipt.removed
        ]
        schema = dg.TableSchema(
            [dg.TableColumn("where"), dg.TableColumn("removed"), dg.TableColumn("count", type="int")]
        )
        context.log_event(
            dg.AssetObservation(
                "erasures",
                metadata={
                    "contact": ", ".join(receipt.contact_ids),
                    "erasure": receipt.erasure_id,
                    "as of": receipt.erased_at,
                    "keyed ids that remain": receipt.marks,
                    "removed": dg.MetadataValue.table(rows, schema=schema),
                    **({"note": " ".join(receipt.notes)} if receipt.notes else {}),
                },
            )
        )


@dg.job(
    name="erase",
    description="Erase a person from everything: tables, files, ledger, Mailchimp, old snapshots. Orders stay, without them.",
)
def erase_job() -> None:
    erase_contact()
