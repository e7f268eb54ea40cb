"""The code location as Dagster loads it: what a marketer finds in the UI, and what starts by itself."""

import dagster as dg
import pytest

from orchestration.components.campaign import GROUP
from orchestration.components.catalogue import all_campaigns
from orchestration.defs.ingestion.sensor import decide, landing
from orchestration.resources.landing_read import LandingFile

MARTS = (
    "contacts orders segment_members segment_history related_articles recommended_articles "
    "campaign_deliveries campaign_performance reconciliation barred_content"
).split()
CAMPAIGNS = ["free_delivery_thanks", "treatment_reading", "welcome"]


@pytest.fixture(scope="module")
def specs(code_location):
    return {tuple(spec.key.path): spec for spec in code_location.resolve_all_asset_specs()}


def test_each_source_each_public_table_and_each_campaign_is_an_asset(specs):
    expected = {("raw", name) for name in ("orders", "signups", "article_views", "articles", "products", "deliveries")}
    expected |= {("marts", name) for name in MARTS} | {
        ("ledger", "feedback"),
        ("raw", "feedback"),
        ("raw", "reconciliation"),
    }
    expected |= {(GROUP, f"{name}_{part}") for name in CAMPAIGNS for part in ("audience", "draft", "delivery")}
    assert expected <= specs.keys()


def test_assets_are_grouped_by_stage_and_nothing_stands_outside(specs):
    groups = {spec.group_name for spec in specs.values()}
    assert groups == {"shop", "ingestion", "staging", "intermediate", "marts", "feedback", "campaigns"}


def test_every_asset_says_what_it_is(specs):
    assert [key for key, spec in specs.items() if not (spec.description or "").strip()] == []


def test_what_is_ingested_leads_to_what_is_sent(specs):
    """Follow the lineage back from a campaign's delivery to the landing files."""
    seen, at = set(), [("campaigns", "treatment_reading_delivery")]
    while at:
        key = at.pop()
        if key not in seen:
            seen.add(key)
            at += [tuple(dep.asset_key.path) for dep in specs[key].deps] if key in specs else []
    assert {("raw", "article_views"), ("raw", "signups"), ("marts", "recommended_articles")} <= seen


def test_there_is_a_job_for_each_thing_a_person_starts(code_location):
    jobs = {job.name for job in code_location.resolve_all_job_defs()}
    assert {"main", "event_driven", "models", "why", "sending", "reconciliation", *CAMPAIGNS} <= jobs
    assert {"housekeeping", "rejects", "pull"} <= jobs


def test_every_job_says_what_it_does(code_location):
    jobs = [job for job in code_location.resolve_all_job_defs() if not job.name.startswith("__")]
    assert [job.name for job in jobs if not job.description] == []


def test_the_event_driven_job_launches_the_campaigns_that_are_due_on_entry_and_no_other(code_location):
    nodes = {node.name for node in code_location.resolve_job_def("event_driven").graph.nodes}
    launched = {name.removeprefix("launch_") for name in nodes if name.startswith("launch_")}
    assert launched == {campaign.name for campaign in all_campaigns() if campaign.trigger.when == "entry"}
    assert launched == {"welcome", "free_delivery_thanks"}


@pytest.mark.parametrize("name", ["main", "event_driven", "models"])
def test_what_mailchimp_told_is_asked_before_the_models_and_both_sides_are_compared_elsewhere(code_location, name):
    nodes = {node.name for node in code_location.resolve_job_def(name).graph.nodes}
    assert {"ledger__feedback", "land_deliveries", "build_models"} <= nodes
    assert "raw__reconciliation" not in nodes


@pytest.mark.parametrize("name", CAMPAIGNS)
def test_the_launch_settings_of_a_campaign_are_named_limited_and_explained(code_location, name):
    op = code_location.resolve_job_def(name).graph.node_named(f"launch_{name}").definition
    fields = op.config_schema.as_field().config_type.fields
    assert set(fields) == {"action", "approve"}
    assert all(len(field.description) > 60 for field in fields.values())
    job = code_location.resolve_job_def(name)
    for action in ("rehearse", "draft", "send"):
        assert dg.validate_run_config(job, {"ops": {f"launch_{name}": {"config": {"action": action}}}})
    with pytest.raises(dg.DagsterInvalidConfigError):
        dg.validate_run_config(job, {"ops": {f"launch_{name}": {"config": {"action": "sennd"}}}})


@pytest.mark.parametrize("name", CAMPAIGNS)
def test_a_campaign_that_is_launched_without_settings_only_rehearses(code_location, name):
    """The Launchpad opens with this: a marketer who only presses the button must not send anything."""
    config = dg.validate_run_config(code_location.resolve_job_def(name))
    assert config["ops"][f"launch_{name}"]["config"]["action"] == "rehearse"


def test_sensor_and_schedules_run_from_the_start(code_location):
    repository = code_location.get_repository_def()
    assert {sensor.name for sensor in repository.sensor_defs} >= {"landing", "alerts"}
    assert {schedule.name for schedule in repository.schedule_defs} >= {
        "hourly",
        "daily_reconciliation",
        "hourly_housekeeping",
        "treatment_reading_schedule",
    }
    # what the UI adds by itself for conditions nobody uses here
    sensors = [sensor for sensor in repository.sensor_defs if not sensor.name.startswith("default_")]
    assert {sensor.default_status for sensor in sensors} == {dg.DefaultSensorStatus.RUNNING}
    statuses = {schedule.name: schedule.default_status for schedule in repository.schedule_defs}
    # without a shop's address there is nobody to ask
    assert statuses.pop("pull_every_quarter_of_an_hour") == dg.DefaultScheduleStatus.STOPPED
    assert set(statuses.values()) == {dg.DefaultScheduleStatus.RUNNING}


def test_schedules_go_by_the_clock_in_london(code_location):
    schedules = code_location.get_repository_def().schedule_defs
    assert {schedule.execution_timezone for schedule in schedules} == {"Europe/London"}


NOW = 1_800_000_000.0


def landed(*paths, ago=1.0):
    return [LandingFile(path, path.partition("/")[0], "jsonl", 1, int((NOW - ago) * 1e9)) for path in paths]


def test_new_files_ask_for_one_run():
    request = decide(landed("signups/a.jsonl", "orders/b.csv"), 0, NOW)
    assert isinstance(request, dg.RunRequest)
    assert request.run_key is None  # a key would keep a file from being asked for again after its run was killed


def test_files_wait_for_the_run_that_is_under_way():
    skipped = decide(landed("signups/a.jsonl"), 1, NOW)
    assert isinstance(skipped, dg.SkipReason)
    assert skipped.skip_message.endswith("under way: 1")


def test_views_and_catalogues_wait_for_an_order_or_a_signup_or_a_minute():
    views = landed("article_views/a.jsonl", "articles/b.jsonl", "products/c.csv", ago=50)
    assert isinstance(decide(views, 0, NOW), dg.SkipReason)
    for email_follows in ("orders/d.jsonl", "signups/e.jsonl"):
        assert isinstance(decide([*views, *landed(email_follows)], 0, NOW), dg.RunRequest)
    assert isinstance(decide([*landed("article_views/f.jsonl"), *views], 0, NOW + 11), dg.RunRequest)


def test_without_new_files_nothing_is_started():
    assert isinstance(decide([], 0, NOW), dg.SkipReason)


def test_the_sensor_sees_a_file_as_soon_as_it_has_its_name_and_not_before(instance, empty_landing):
    def look():
        return landing(dg.build_sensor_context(instance=instance, sensor_name="landing"))

    assert isinstance(look(), dg.SkipReason)
    unfinished = empty_landing / "signups" / "new.jsonl.tmp"
    unfinished.parent.mkdir()
    unfinished.write_text('{"event_id": "n-1"}\n')
    assert isinstance(look(), dg.SkipReason)
    unfinished.rename(empty_landing / "signups" / "new.jsonl")
    assert isinstance(look(), dg.RunRequest)


def test_the_sensor_asks_again_only_when_its_run_is_over(instance, empty_landing):
    def look():
        return landing(dg.build_sensor_context(instance=instance, sensor_name="landing"))

    (empty_landing / "orders").mkdir()
    (empty_landing / "orders" / "new.jsonl").write_text("{}\n")
    run = instance.create_run_for_job(_nothing, status=dg.DagsterRunStatus.STARTING)
    assert isinstance(look(), dg.SkipReason)
    instance.report_run_failed(run, "for this test")
    assert isinstance(look(), dg.RunRequest)


@dg.job(name="event_driven")
def _nothing():
    pass
