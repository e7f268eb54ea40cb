"""The one switch: pause all sends, end the pause, release what a breaker stopped."""

from typing import Literal

import dagster as dg
from pydantic import Field

from orchestration.components.sending import described, switch
from orchestration.components.services import Services


class Switch(dg.Config):
    action: Literal["pause", "resume", "release"] = Field(
        description=(
            "pause: no campaign sends anything before somebody resumes; rehearsing and drafting go on. resume: end the pause. "
            "release: let sending go on after complaints, bounces, unsubscribes or an emptied audience stopped it; what was "
            "known of them by now does not count again."
        )
    )
    why: str = Field(
        description="The reason, in a few words. The ledger keeps it, with when and who; it is shown meanwhile."
    )


@dg.op
def switch_sending(context: dg.OpExecutionContext, config: Switch) -> None:
    services = Services.from_env()
    who = context.run.tags.get("dagster/user") or f"run {context.run.run_id[:8]}"
    left = switch(services.ledger, config.action, who=who, why=config.why, now=services.settings.now())
    state = "\n".join(f"- {described(stop)}" for stop in left) or "Nothing stops sending."
    context.add_output_metadata({"sending": dg.MetadataValue.md(state)})
    context.log.info("Sending is %s. %s", "stopped" if left else "on", state)


@dg.job(
    name="sending",
    description="The one switch for all sends: pause, resume, or release what complaints, bounces or unsubscribes have stopped.",
)
def sending_job() -> None:
    switch_sending()
