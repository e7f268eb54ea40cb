"""The jobs that a person or an event starts, and what starts them.

main          events in, models built, every campaign launched
event_driven  the same for campaigns that are due on entering a segment; the landing sensor and the hourly schedule start it
models        the models alone, with what Mailchimp told and the ledger came to know
"""

import dagster as dg

from orchestration.components.campaign import GROUP, TRIGGER_TAG, usual_config
from orchestration.components.catalogue import all_campaigns

# The comparison with Mailchimp reads all of the audience: it has a job and a day of its own.
_DATA = dg.AssetSelection.groups(
    "ingestion", "feedback", "staging", "intermediate", "marts"
) - dg.AssetSelection.assets(["raw", "reconciliation"])
_CAMPAIGNS = dg.AssetSelection.groups(GROUP)
_ON_ENTRY = dg.AssetSelection.tag(TRIGGER_TAG, "entry")

main = dg.define_asset_job(
    "main",
    selection=_DATA | _CAMPAIGNS,
    config=usual_config(all_campaigns()),
    description="The main job: ingest what landed, build and test the models, launch every campaign.",
)

event_driven = dg.define_asset_job(
    "event_driven",
    selection=_DATA | _ON_ENTRY,
    config=usual_config([campaign for campaign in all_campaigns() if campaign.trigger.when == "entry"]),
    description="Ingest what landed, build and test the models, launch the campaigns that are due on entering a segment.",
)

models = dg.define_asset_job(
    "models",
    selection=_DATA - dg.AssetSelection.groups("ingestion"),
    description="Build and test the models with what Mailchimp told of past emails and the ledger came to know.",
)

# Windows slide and put-off people come due without any event.
hourly = dg.ScheduleDefinition(
    name="hourly",
    job=event_driven,
    cron_schedule="5 * * * *",
    execution_timezone="Europe/London",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
