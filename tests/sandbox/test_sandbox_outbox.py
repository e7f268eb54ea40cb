"""The outbox: what each person got, as pages and as JSON."""

import pytest
import requests

LIST = "sandbox0001"
HTML = """<title>*|MC:SUBJECT|*</title><p>*|MC_PREVIEW_TEXT|*</p><p>Hello *|IF:FNAME|**|FNAME|**|ELSE:|*there*|END:IF|*</p>
*|IF:ART1=abc|*<p>Mesotherapy</p>*|ELSEIF:ART1=def|*<p>Microneedling</p>*|END:IF|*
<a href="*|UNSUB|*">Unsubscribe</a> <a href="*|UPDATE_PROFILE|*">Preferences</a> <a href="*|ARCHIVE|*">In a browser</a>
<p>*|LIST:COMPANY|*, *|LIST:ADDRESSLINE|* © *|CURRENT_YEAR|* for *|EMAIL|*</p>"""
TEXT = "Hello *|FNAME|*, unsubscribe: *|UNSUB|* *|LIST:ADDRESSLINE|*"


@pytest.fixture
def sent(sandbox):
    """Three readers with different fields, one campaign; → (sandbox, the campaign's id)."""
    sandbox.client.lists.add_list_merge_field(LIST, {"name": "Article", "tag": "ART1", "type": "text"})
    sandbox.add("ada@x.test", FNAME="Ada <3", ART1="abc")
    sandbox.add("eve@x.test", FNAME="Eve", ART1="def")
    sandbox.add("bounce@x.test")
    campaign_id = sandbox.send(
        html=HTML, text=TEXT, title="pennypost w1", subject_line="For *|FNAME|*", preview_text="Two articles"
    )
    return sandbox, campaign_id


def get(url: str) -> str:
    response = requests.get(url, timeout=10)
    assert response.status_code == 200
    return response.text


def test_each_reader_gets_their_own_email(sent):
    sandbox, _ = sent
    ada, eve, bounced = sandbox.outbox()
    html = get(ada["html_url"])
    assert "<title>For Ada &lt;3</title><p>Two articles</p><p>Hello Ada &lt;3</p>" in html
    assert "Mesotherapy" in html
    assert "Microneedling" not in html
    assert f'href="{ada["html_url"]}/unsubscribe"' in html
    assert f'href="{ada["html_url"]}">In a browser' in html
    assert "Larkspur Skin Ltd, 1 Example Row, Sampleton ZZ1 1ZZ, GB ©" in html
    assert "for ada@x.test" in html
    assert "*|" not in html
    assert "Microneedling" in get(eve["html_url"])
    assert "Hello there" in get(bounced["html_url"])
    assert get(ada["text_url"]).startswith("Hello Ada <3, unsubscribe: http://127.0.0.1:")


def test_the_json_names_every_email_and_can_be_narrowed_down(sent):
    sandbox, campaign_id = sent
    ada = sandbox.outbox(campaign_id=campaign_id, to="ADA@x.test")
    assert [{k: ada[0][k] for k in ("campaign_id", "title", "to", "subject", "status", "merge_fields")}] == [
        {
            "campaign_id": campaign_id,
            "title": "pennypost w1",
            "to": "ada@x.test",
            "subject": "For Ada <3",
            "status": "sent",
            "merge_fields": {"FNAME": "Ada <3", "ART1": "abc"},
        }
    ]
    assert ada[0]["sent_at"]
    assert len(ada) == 1
    assert [email["status"] for email in sandbox.outbox()] == ["sent", "sent", "hard bounce"]
    assert sandbox.outbox(campaign_id="other") == []


def test_an_email_shows_the_fields_of_the_moment_it_was_sent(sent):
    sandbox, _ = sent
    sandbox.client.lists.update_list_member(LIST, "eve@x.test", {"merge_fields": {"FNAME": "Changed", "ART1": ""}})
    html = get(sandbox.outbox(to="eve@x.test")[0]["html_url"])
    assert "Hello Eve" in html
    assert "Microneedling" in html


def test_the_first_page_lists_the_campaigns_with_their_figures(sent):
    sandbox, campaign_id = sent
    sandbox.draft(subject_line="<b>Bold</b>", title="pennypost w2")
    page = get(sandbox.url)
    assert page.index("pennypost w2") < page.index("pennypost w1")
    assert f'href="/campaigns/{campaign_id}"' in page
    assert 'data-label="Recipients" class="number">3<' in page
    assert 'data-label="Sent" class="number">2<' in page
    assert 'data-label="Bounced" class="number">1<' in page
    assert "&lt;b&gt;Bold&lt;/b&gt;" in page
    assert "draft" in page


def test_an_empty_outbox_says_so(sandbox):
    assert "No campaign yet" in get(sandbox.url)


def test_a_campaigns_emails_are_searched_by_address(sent):
    sandbox, campaign_id = sent
    page = get(f"{sandbox.url}/campaigns/{campaign_id}")
    assert "ada@x.test" in page
    assert "For Ada &lt;3" in page
    assert "hard bounce" in page
    page = get(f"{sandbox.url}/campaigns/{campaign_id}?q=EVE")
    assert "eve@x.test" in page
    assert "ada@x.test" not in page
    assert "No email to such an address" in get(f"{sandbox.url}/campaigns/{campaign_id}?q=%25")


def test_a_campaigns_emails_come_in_pages(sandbox):
    sandbox.add(*(f"reader{n:03}@x.test" for n in range(120)))
    address = f"{sandbox.url}/campaigns/{sandbox.send()}"
    first, last = get(address), get(f"{address}?q=reader&page=3")
    assert "reader049@x.test" in first
    assert "reader050@x.test" not in first
    assert "Page 1 of 3, 120 emails" in first
    assert "reader119@x.test" in last
    assert "?q=reader&amp;page=2" in last
    assert "Page 3 of 3" in get(f"{address}?page=99")
    assert "Page 1 of 3" in get(f"{address}?page=0")


def test_an_email_is_shown_in_frames_that_can_run_nothing(sent):
    sandbox, _ = sent
    email = sandbox.outbox(to="ada@x.test")[0]
    page = get(f"{email['html_url']}/view")
    assert page.count('sandbox="allow-popups allow-popups-to-escape-sandbox"') == 2
    assert "Phone, 375 px" in page
    for part in ("For Ada &lt;3", "Two articles", "Larkspur &lt;hello@larkspur-skin.test&gt;", "<code>ART1</code> abc"):
        assert part in page
    assert "Hello Ada &lt;3, unsubscribe" in page
    assert "script-src 'none'" in requests.get(email["html_url"], timeout=10).headers["content-security-policy"]


def test_the_pages_need_nothing_from_elsewhere(sent):
    sandbox, campaign_id = sent
    for path in ("/", f"/campaigns/{campaign_id}", "/emails/1/view"):
        page = get(sandbox.url + path)
        assert "<script" not in page
        assert "<link" not in page
        assert 'src="http' not in page


def test_a_draft_is_shown_as_its_first_recipient_would_get_it(sent):
    sandbox, _ = sent
    draft = sandbox.draft(html=HTML, text=TEXT, subject_line="For *|FNAME|*")
    page = get(f"{sandbox.url}/campaigns/{draft}")
    assert "As ada@x.test would get it now. Subject: For Ada &lt;3." in page
    assert f'src="/campaigns/{draft}/preview"' in page
    assert "Hello Ada &lt;3" in get(f"{sandbox.url}/campaigns/{draft}/preview")
    assert len(sandbox.outbox()) == 3


def test_a_draft_to_nobody_is_shown_with_the_fields_names(sandbox):
    draft = sandbox.draft(html=HTML)
    assert "Hello &lt;&lt; Test First Name &gt;&gt;" in get(f"{sandbox.url}/campaigns/{draft}/preview")


def test_the_link_to_preferences_leads_to_a_page(sent):
    sandbox, _ = sent
    assert "Unsubscribe" in get(sandbox.outbox()[0]["html_url"] + "/preferences")


def test_the_unsubscribe_link_works(sent):
    sandbox, campaign_id = sent
    link = sandbox.outbox(to="eve@x.test")[0]["html_url"] + "/unsubscribe"
    assert "Unsubscribe?" in get(link)
    assert sandbox.status("eve@x.test") == "subscribed"
    assert "gets no more email" in requests.post(link, timeout=10).text
    assert sandbox.status("eve@x.test") == "unsubscribed"
    report = sandbox.client.reports.get_unsubscribed_list_for_campaign(campaign_id)
    assert [row["email_address"] for row in report["unsubscribes"]] == ["eve@x.test"]
    problem = sandbox.problem("PATCH", f"/lists/{LIST}/members/eve@x.test", json={"status": "subscribed"})
    assert problem["title"] == "Member In Compliance State"


def test_a_sent_campaign_stays_in_the_outbox_after_it_was_deleted(sent):
    sandbox, campaign_id = sent
    sandbox.http.delete(f"/campaigns/{campaign_id}")
    assert "deleted" in get(sandbox.url)
    assert len(sandbox.outbox()) == 3


@pytest.mark.parametrize("path", ["/campaigns/none", "/emails/99", "/emails/99/view", "/emails/99.txt"])
def test_what_is_not_there_is_a_page_that_says_so(sandbox, path):
    response = requests.get(sandbox.url + path, timeout=10)
    assert response.status_code == 404
    assert "There is no such page" in response.text
