"""The job that answers why somebody got an email, or got none."""

import dagster as dg
from pydantic import Field

from orchestration.components.catalogue import all_campaigns
from orchestration.components.services import Services
from orchestration.components.why import explain
from orchestration.core.errors import PennypostError


class Whom(dg.Config):
    contact_id: str = Field(
        description="A contact's id. Not an address, since launch settings are kept: `make why CONTACT=<address>` tells the id."
    )


@dg.op
def explain_contact(context: dg.OpExecutionContext, config: Whom) -> None:
    if "@" in config.contact_id:
        raise PennypostError("Give the contact's id, not an address: `make why CONTACT=<address>` tells the id.")
    answer = explain(Services.from_env(), config.contact_id, all_campaigns())
    context.add_output_metadata({"answer": dg.MetadataValue.md(f"```\n{answer}\n```")})
    context.log.info(answer)


@dg.job(
    name="why",
    description="Why a contact got an email, or got none: segments since when and because of which events, what waves decided.",
)
def why_job() -> None:
    explain_contact()
