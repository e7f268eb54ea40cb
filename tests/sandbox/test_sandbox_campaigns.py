"""Campaigns from draft to report, and what each kind of address makes of one."""

import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from orchestration.sandbox.server import running

LIST = "sandbox0001"


def sent_to(sandbox, campaign_id: str) -> dict[str, str]:
    answer = sandbox.client.reports.get_campaign_recipients(campaign_id, count=1000)
    return {row["email_address"]: row["status"] for row in answer["sent_to"]}


def left(sandbox, campaign_id: str) -> dict[str, str]:
    answer = sandbox.client.reports.get_unsubscribed_list_for_campaign(campaign_id)
    return {row["email_address"]: row["reason"] for row in answer["unsubscribes"]}


def errors_of(sandbox, campaign_id: str) -> list[str]:
    answer = sandbox.client.campaigns.get_send_checklist(campaign_id)
    errors = [item["heading"] for item in answer["items"] if item["type"] == "error"]
    assert answer["is_ready"] == (not errors)
    return errors


def test_a_campaign_goes_from_save_to_sent_and_everybody_gets_it_once(sandbox):
    sandbox.add("ada@x.test", "eve@x.test", FNAME="Reader")
    campaign_id = sandbox.draft(title="pennypost w1")
    draft = sandbox.client.campaigns.get(campaign_id)
    assert (draft["status"], draft["send_time"], draft["recipients"]["recipient_count"]) == ("save", "", 2)
    sandbox.send(campaign_id)
    sent = sandbox.client.campaigns.get(campaign_id)
    assert (sent["status"], sent["emails_sent"]) == ("sent", 2)
    assert sent["send_time"]
    assert [email["to"] for email in sandbox.outbox(campaign_id=campaign_id)] == ["ada@x.test", "eve@x.test"]


def test_a_campaign_that_was_sent_can_not_be_sent_or_changed_again(sandbox):
    sandbox.add("ada@x.test")
    campaign_id = sandbox.send()
    problem = sandbox.problem("POST", f"/campaigns/{campaign_id}/actions/send", content="null")
    assert (problem["status"], problem["title"]) == (400, "Bad Request")
    assert problem["detail"] == "Your Campaign is not ready to send."
    for path, body in ((f"/campaigns/{campaign_id}/content", {"html": "x"}), (f"/campaigns/{campaign_id}", {})):
        assert sandbox.problem("PUT" if "html" in body else "PATCH", path, json=body)["title"] == "Bad Request"
    assert len(sandbox.outbox()) == 1


@pytest.mark.parametrize("status", ["unsubscribed", "cleaned", "pending", "transactional"])
def test_only_subscribed_members_get_it(sandbox, status):
    sandbox.add("ada@x.test")
    sandbox.add("other@x.test", status=status)
    assert sent_to(sandbox, sandbox.send()) == {"ada@x.test": "sent"}


def test_somebody_who_unsubscribes_between_draft_and_send_gets_nothing(sandbox):
    sandbox.add("ada@x.test", "eve@x.test")
    campaign_id = sandbox.draft()
    sandbox.client.lists.update_list_member(LIST, "eve@x.test", {"status": "unsubscribed"})
    assert sent_to(sandbox, sandbox.send(campaign_id)) == {"ada@x.test": "sent"}


def test_a_segment_narrows_the_recipients(sandbox):
    sandbox.add("ada@x.test", "eve@x.test")
    segment = sandbox.client.lists.create_segment(LIST, {"name": "w1", "static_segment": ["eve@x.test"]})
    campaign_id = sandbox.send(segment=segment["id"])
    assert sent_to(sandbox, campaign_id) == {"eve@x.test": "sent"}
    options = sandbox.client.campaigns.get(campaign_id)["recipients"]["segment_opts"]
    assert options["saved_segment_id"] == segment["id"]


def test_a_segment_id_has_to_be_an_integer_of_a_segment_that_exists(sandbox):
    for segment in ("1", 99):
        body = {"type": "regular", "recipients": {"list_id": LIST, "segment_opts": {"saved_segment_id": segment}}}
        problem = sandbox.problem("POST", "/campaigns", json=body)
        assert problem["errors"][0]["field"] == "recipients.segment_opts.saved_segment_id"


@pytest.mark.parametrize(
    ("address", "report", "member", "reason"),
    [
        ("bounce1@x.test", "hard", "cleaned", None),
        ("softbounce1@x.test", "soft", "subscribed", None),
        ("complaint1@x.test", "sent", "unsubscribed", "abuse"),
        ("Unsubscribe1@x.test", "sent", "unsubscribed", "None given"),
        ("ada@x.test", "sent", "subscribed", None),
    ],
)
def test_an_address_steers_what_becomes_of_its_email(sandbox, address, report, member, reason):
    sandbox.add(address)
    campaign_id = sandbox.send()
    assert sent_to(sandbox, campaign_id) == {address: report}
    assert sandbox.status(address) == member
    assert left(sandbox, campaign_id) == ({address: reason} if reason else {})


@pytest.mark.parametrize("address", ["bounce@x.test", "complaint@x.test", "unsubscribe@x.test"])
def test_who_bounced_complained_or_left_can_not_be_subscribed_by_a_call(sandbox, address):
    sandbox.add(address)
    sandbox.send()
    body = {"members": [{"email_address": address, "status": "subscribed"}], "update_existing": True}
    answer = sandbox.client.lists.batch_list_members(LIST, body)
    assert "is in a compliance state" in answer["errors"][0]["error"]
    problem = sandbox.problem("PATCH", f"/lists/{LIST}/members/{address}", json={"status": "subscribed"})
    assert problem["title"] == "Member In Compliance State"
    assert sandbox.client.lists.update_list_member(LIST, address, {"status": "pending"})["status"] == "pending"


def test_the_report_counts_each_outcome(sandbox):
    sandbox.add("ada@x.test", "bounce@x.test", "softbounce@x.test", "complaint@x.test", "unsubscribe@x.test")
    report = sandbox.client.reports.get_campaign_report(sandbox.send(title="pennypost w1"))
    assert (report["campaign_title"], report["emails_sent"]) == ("pennypost w1", 5)
    assert report["bounces"] == {"hard_bounces": 1, "soft_bounces": 1, "syntax_errors": 0}
    assert (report["abuse_reports"], report["unsubscribed"]) == (1, 1)


def test_a_draft_has_no_report(sandbox):
    assert sandbox.problem("GET", f"/reports/{sandbox.draft()}")["status"] == 404


def test_sent_to_comes_in_pages_and_holds_the_merge_fields_of_the_send(sandbox):
    sandbox.add(*(f"reader{n}@x.test" for n in range(12)), FNAME="Then")
    campaign_id = sandbox.send()
    sandbox.client.lists.update_list_member(LIST, "reader11@x.test", {"merge_fields": {"FNAME": "Now"}})
    page = sandbox.client.reports.get_campaign_recipients(campaign_id, count=5, offset=10)
    assert page["total_items"] == 12
    assert [row["email_address"] for row in page["sent_to"]] == ["reader10@x.test", "reader11@x.test"]
    assert page["sent_to"][1]["merge_fields"]["FNAME"] == "Then"


def test_what_is_missing_is_on_the_checklist_and_forbids_the_send(sandbox):
    campaign_id = sandbox.client.campaigns.create({"type": "regular", "recipients": {"list_id": LIST}})["id"]
    assert errors_of(sandbox, campaign_id) == [
        "List",
        "Subject Line",
        "From name and reply-to",
        "HTML Email",
        "Plain-Text Email",
        "Unsubscribe link",
        "Postal address",
    ]
    problem = sandbox.problem("POST", f"/campaigns/{campaign_id}/actions/send", content="null")
    assert problem["detail"] == "Your Campaign is not ready to send."
    assert sandbox.client.campaigns.get(campaign_id)["status"] == "save"
    assert errors_of(sandbox, sandbox.draft()) == ["List"]
    sandbox.add("ada@x.test")
    assert errors_of(sandbox, sandbox.draft()) == []
    assert errors_of(sandbox, sandbox.draft(text="no link")) == ["Unsubscribe link"]


def test_a_campaign_whose_segment_was_deleted_goes_to_nobody(sandbox):
    sandbox.add("ada@x.test")
    segment = sandbox.client.lists.create_segment(LIST, {"name": "w1", "static_segment": ["ada@x.test"]})
    campaign_id = sandbox.draft(segment=segment["id"])
    sandbox.client.lists.delete_segment(LIST, segment["id"])
    assert errors_of(sandbox, campaign_id) == ["List"]


def test_settings_and_tracking_are_kept_and_changed_piece_by_piece(sandbox):
    body = {
        "type": "regular",
        "settings": {"title": "pennypost w1", "subject_line": "One"},
        "tracking": {"opens": False, "html_clicks": False, "text_clicks": False},
    }
    campaign_id = sandbox.client.campaigns.create(body)["id"]
    two = {"subject_line": "Two", "from_name": "Larkspur", "reply_to": "hello@larkspur-skin.test"}
    sandbox.client.campaigns.update(campaign_id, {"settings": two})
    campaign = sandbox.client.campaigns.get(campaign_id)
    assert (campaign["settings"]["title"], campaign["settings"]["subject_line"]) == ("pennypost w1", "Two")
    assert (campaign["tracking"]["opens"], campaign["tracking"]["html_clicks"]) == (False, False)
    problem = sandbox.problem("PATCH", f"/campaigns/{campaign_id}", json={"settings": {"title": 3}})
    assert problem["errors"] == [
        {"field": "settings.title", "message": "Schema describes string, integer found instead"}
    ]


def test_content_without_a_text_part_gets_one_made_from_the_html(sandbox):
    campaign_id = sandbox.draft()
    html = (
        "<html><head><title>no</title></head><body><h1>Hello</h1><p>Read <a href='https://a.test'>this</a></p></body>"
    )
    sandbox.client.campaigns.set_content(campaign_id, {"html": html})
    content = sandbox.client.campaigns.get_content(campaign_id)
    assert content["html"] == html
    assert content["plain_text"] == "Hello\n\nRead this (https://a.test)"
    assert sandbox.problem("PUT", f"/campaigns/{campaign_id}/content", json={})["title"] == "Invalid Resource"


def test_campaigns_are_found_by_status_list_and_time_newest_first(state_file, connected):
    moments = {"now": datetime(2026, 3, 1, 12, tzinfo=UTC)}
    with running(state_file, now=lambda: moments["now"]) as url:
        sandbox = connected(url)
        sandbox.add("ada@x.test")
        for title in ("one", "two", "three"):
            sandbox.draft(title=title)
            moments["now"] += timedelta(hours=1)
        sandbox.send(sandbox.client.campaigns.list(sort_field="create_time", sort_dir="ASC")["campaigns"][0]["id"])

        def titles(**query) -> list[str]:
            found = sandbox.client.campaigns.list(**query)
            assert found["total_items"] >= len(found["campaigns"])
            return [campaign["settings"]["title"] for campaign in found["campaigns"]]

        assert titles() == ["three", "two", "one"]
        assert titles(status="save", sort_field="create_time", sort_dir="ASC") == ["two", "three"]
        assert titles(since_create_time="2026-03-01T13:00:00Z") == ["three", "two"]
        assert titles(before_create_time="2026-03-01T13:00:00+00:00") == ["one"]
        assert titles(list_id="other") == []
        assert titles(count=1, offset=1) == ["two"]
        sandbox.http.close()


def test_a_deleted_draft_is_gone_everywhere(sandbox):
    campaign_id = sandbox.draft()
    assert sandbox.http.delete(f"/campaigns/{campaign_id}").status_code == 204
    assert sandbox.problem("GET", f"/campaigns/{campaign_id}")["title"] == "Resource Not Found"
    assert sandbox.client.campaigns.list()["total_items"] == 0


def test_a_test_send_is_seen_in_the_outbox_but_counts_nowhere(sandbox):
    sandbox.add("ada@x.test")
    campaign_id = sandbox.draft()
    sandbox.client.campaigns.send_test_email(campaign_id, {"test_emails": ["me@shop.test"], "send_type": "html"})
    assert sandbox.client.campaigns.get(campaign_id)["status"] == "save"
    assert sandbox.outbox() == []
    page = sandbox.http.get(f"{sandbox.url}/campaigns/{campaign_id}").text
    assert "me@shop.test" in page
    assert "[Test] Hello" in page


def test_state_survives_a_restart(state_file, connected):
    with running(state_file) as url:
        sandbox = connected(url)
        sandbox.add("ada@x.test", "bounce@x.test", FNAME="Ada")
        campaign_id = sandbox.send(title="pennypost w1")
    with running(state_file) as url:
        sandbox = connected(url)
        assert sandbox.status("bounce@x.test") == "cleaned"
        assert sandbox.client.campaigns.get(campaign_id)["settings"]["title"] == "pennypost w1"
        assert sent_to(sandbox, campaign_id) == {"ada@x.test": "sent", "bounce@x.test": "hard"}


def test_a_send_that_was_cut_off_is_finished_at_the_next_start(state_file, connected):
    with running(state_file) as url:
        sandbox = connected(url)
        sandbox.add("ada@x.test", "eve@x.test")
        campaign_id = sandbox.draft()
    # What a process leaves that is killed right after it answered the send.
    with sqlite3.connect(state_file) as db:
        db.execute("update campaigns set status = 'sending', send_time = '2026-11-23T08:00:00+00:00'")
    db.close()
    with running(state_file) as url:
        sandbox = connected(url)
        sandbox.wait_until_sent(campaign_id)
        assert sent_to(sandbox, campaign_id) == {"ada@x.test": "sent", "eve@x.test": "sent"}
    with running(state_file) as url:
        assert len(connected(url).outbox()) == 2
