"""Ping, keys, lists and merge fields."""

import httpx
import mailchimp_marketing
import pytest
from mailchimp_marketing.api_client import ApiClientError

LIST = "sandbox0001"


def test_ping_answers_as_mailchimp_does(sandbox):
    assert sandbox.client.ping.get() == {"health_status": "Everything's Chimpy!"}


@pytest.mark.parametrize("auth", [None, ("user", "")])
def test_without_a_key_every_call_is_refused(sandbox, auth):
    response = httpx.get(f"{sandbox.url}/3.0/lists", auth=auth)
    assert response.status_code == 401
    assert response.json()["title"] == "API Key Invalid"


def test_the_client_sees_a_refused_key_as_an_error(sandbox):
    client = mailchimp_marketing.Client()
    client.api_client.host = f"{sandbox.url}/3.0"
    with pytest.raises(ApiClientError) as error:
        client.ping.get()
    assert error.value.status_code == 401


def test_an_unknown_path_or_list_is_not_found(sandbox):
    for path in ("/nothing", "/lists/other", "/lists/other/members", "/campaigns/0000000000", "/reports/0000000000"):
        problem = sandbox.problem("GET", path)
        assert (problem["title"], problem["detail"]) == (
            "Resource Not Found",
            "The requested resource could not be found.",
        )


def test_a_wrong_method_names_the_right_ones(sandbox):
    response = sandbox.http.delete("/lists")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET"
    assert response.json()["title"] == "Method Not Allowed"


def test_a_body_that_is_no_json_is_refused(sandbox):
    assert sandbox.problem("POST", "/campaigns", content="{")["title"] == "JSON Parse Error"
    assert sandbox.problem("POST", "/campaigns", content="[]")["title"] == "Invalid Resource"


def test_one_list_is_there_from_the_start_and_counts_its_members(sandbox):
    sandbox.add("a@x.test", "b@x.test")
    sandbox.add("c@x.test", status="unsubscribed")
    lists = sandbox.client.lists.get_all_lists()
    assert [found["id"] for found in lists["lists"]] == [LIST]
    found = sandbox.client.lists.get_list(LIST)
    assert (found["stats"]["member_count"], found["stats"]["unsubscribe_count"]) == (2, 1)
    assert found["contact"]["company"] == "Larkspur Skin Ltd"


def test_a_merge_field_can_be_added_once(sandbox):
    body = {"name": "Article 1", "tag": "ART1", "type": "text", "public": False}
    field = sandbox.client.lists.add_list_merge_field(LIST, body)
    assert (field["tag"], field["merge_id"], field["options"]) == ("ART1", 5, {"size": 25})
    tags = [f["tag"] for f in sandbox.client.lists.get_list_merge_fields(LIST)["merge_fields"]]
    assert tags == ["ADDRESS", "ART1", "FNAME", "LNAME", "PHONE"]
    problem = sandbox.problem("POST", f"/lists/{LIST}/merge-fields", json=body)
    assert problem["detail"] == 'A Merge Field with the tag "ART1" already exists for this list.'


def test_a_tag_longer_than_ten_characters_is_refused(sandbox):
    body = {"name": "Too long", "tag": "ELEVENCHARS", "type": "text"}
    problem = sandbox.problem("POST", f"/lists/{LIST}/merge-fields", json=body)
    assert problem["errors"][0]["field"] == "tag"


def test_a_list_has_thirty_merge_fields_at_the_most(sandbox):
    for number in range(26):
        sandbox.client.lists.add_list_merge_field(LIST, {"name": f"N{number}", "tag": f"N{number}", "type": "text"})
    problem = sandbox.problem("POST", f"/lists/{LIST}/merge-fields", json={"name": "X", "tag": "X", "type": "text"})
    assert "30" in problem["detail"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"name": "X"}, "Required fields were not provided: type"),
        ({"name": 1, "type": "text"}, "Schema describes string, integer found instead"),
    ],
)
def test_a_merge_field_that_makes_no_sense_is_refused_with_its_field(sandbox, body, message):
    problem = sandbox.problem("POST", f"/lists/{LIST}/merge-fields", json=body)
    assert problem["title"] == "Invalid Resource"
    assert problem["errors"][0]["message"] == message


@pytest.mark.parametrize(
    "path",
    [
        f"/lists?offset={10**30}",
        f"/lists?offset={2**63}",
        f"/lists?offset={'9' * 5000}",
        f"/lists/{LIST}/segments?count={10**30}",
    ],
    ids=["31 digits", "one too many", "5000 digits", "a count"],
)
def test_a_number_too_large_to_be_one_is_refused(sandbox, path):
    assert "larger than the maximum" in sandbox.problem("GET", path)["errors"][0]["message"]


def test_a_number_too_large_to_be_one_is_refused_in_a_body_and_leads_nowhere_in_a_path(sandbox):
    body = {"name": "Age", "type": "number", "display_order": 10**30}
    problem = sandbox.problem("POST", f"/lists/{LIST}/merge-fields", json=body)
    assert problem["errors"][0]["field"] == "display_order"
    assert sandbox.problem("GET", f"/lists/{LIST}/segments/{10**30}")["status"] == 404
