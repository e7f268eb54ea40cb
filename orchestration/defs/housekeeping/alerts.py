"""Somebody is told: of a failed run, of too many rejects, of a source gone silent, of sends that are stopped."""

import json
from datetime import UTC, datetime

import dagster as dg

from orchestration.components.alerts import occurring
from orchestration.components.services import Services
from orchestration.core.alerts import news
from orchestration.core.errors import AlertError
from orchestration.resources.alerting import tell


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells whom ALERT_URL names, once for each occurrence: a failed run, rejects above a share, a silent source, a "
    "tripped breaker.",
)
def alerts(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    services, now = Services.from_env(), datetime.now(UTC)
    if services.settings.alert_url is None:
        return dg.SkipReason("ALERT_URL is not set: nobody is told.")
    # The first look tells nothing of runs that failed before anybody was to be told.
    looked = json.loads(context.cursor) if context.cursor else {"at": now.isoformat(), "told": []}
    told = set(looked["told"])
    since = datetime.fromisoformat(looked["at"])
    found = occurring(services, context.instance, since=since, told=told, now=now)
    failed = ""
    for alert in news(found, told):
        try:
            tell(services.settings, alert)
        except AlertError as error:
            failed = str(error)
            context.log.error("%s could not be told: %s It is tried again.", alert.subject, error)
        else:
            told.add(alert.key)
            context.log.info("Told: %s", alert.subject)
    told &= {alert.key for alert in found}
    # What could not be told is looked at again from where it was.
    at = looked["at"] if failed else now.isoformat()
    context.update_cursor(json.dumps({"at": at, "told": sorted(told)}))
    return dg.SkipReason(failed or f"{len(found)} occurrences, all of them told")
