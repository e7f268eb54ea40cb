"""Static segments: what Mailchimp's pages call tags."""

import pytest

LIST = "sandbox0001"
SEGMENTS = f"/lists/{LIST}/segments"


def make(sandbox, *addresses: str, name: str = "w1") -> dict:
    return sandbox.client.lists.create_segment(LIST, {"name": name, "static_segment": list(addresses)})


def addresses_in(sandbox, segment: dict, **query) -> list[str]:
    answer = sandbox.client.lists.get_segment_members_list(LIST, segment["id"], **query)
    return [member["email_address"] for member in answer["members"]]


def test_a_segment_holds_the_known_addresses_it_was_made_with(sandbox):
    sandbox.add("ada@x.test", "eve@x.test")
    segment = make(sandbox, "ADA@x.test", "nobody@x.test")
    assert isinstance(segment["id"], int)
    assert (segment["type"], segment["member_count"]) == ("static", 1)
    assert addresses_in(sandbox, segment) == ["ada@x.test"]


def test_members_are_added_and_removed_in_batches_and_unknown_ones_ignored_in_silence(sandbox):
    sandbox.add("ada@x.test", "eve@x.test")
    segment = make(sandbox, "ada@x.test")
    body = {"members_to_add": ["eve@x.test", "ada@x.test", "nobody@x.test"], "members_to_remove": ["who@x.test"]}
    answer = sandbox.client.lists.batch_segment_members(body, LIST, segment["id"])
    assert (answer["total_added"], answer["total_removed"], answer["error_count"]) == (1, 0, 0)
    assert [m["email_address"] for m in answer["members_added"]] == ["eve@x.test"]
    answer = sandbox.client.lists.batch_segment_members({"members_to_remove": ["ada@x.test"]}, LIST, segment["id"])
    assert answer["total_removed"] == 1
    assert addresses_in(sandbox, segment) == ["eve@x.test"]


def test_more_than_five_hundred_at_a_time_is_refused(sandbox):
    segment = make(sandbox)
    addresses = [f"reader{n}@x.test" for n in range(501)]
    assert sandbox.problem("POST", f"{SEGMENTS}/{segment['id']}", json={"members_to_add": addresses})["status"] == 400


def test_only_subscribed_members_are_counted_and_shown_unless_asked_for(sandbox):
    sandbox.add("ada@x.test")
    sandbox.add("gone@x.test", status="unsubscribed")
    segment = make(sandbox, "ada@x.test", "gone@x.test")
    assert segment["member_count"] == 1
    assert addresses_in(sandbox, segment) == ["ada@x.test"]
    assert addresses_in(sandbox, segment, include_unsubscribed=True) == ["ada@x.test", "gone@x.test"]


def test_a_member_shows_its_segments_as_tags(sandbox):
    sandbox.add("ada@x.test")
    segment = make(sandbox, "ada@x.test")
    member = sandbox.client.lists.get_list_member(LIST, "ada@x.test")
    assert (member["tags_count"], member["tags"]) == (1, [{"id": segment["id"], "name": "w1"}])


def test_a_segment_is_renamed_emptied_listed_and_deleted(sandbox):
    sandbox.add("ada@x.test")
    segment = make(sandbox, "ada@x.test")
    renamed = sandbox.client.lists.update_segment(LIST, segment["id"], {"name": "w2", "static_segment": []})
    assert (renamed["name"], renamed["member_count"]) == ("w2", 0)
    found = sandbox.client.lists.list_segments(LIST, type="static")
    assert [s["name"] for s in found["segments"]] == ["w2"]
    assert sandbox.client.lists.list_segments(LIST, type="saved")["total_items"] == 0
    assert sandbox.http.delete(f"{SEGMENTS}/{segment['id']}").status_code == 204
    assert sandbox.problem("GET", f"{SEGMENTS}/{segment['id']}")["title"] == "Resource Not Found"
    assert make(sandbox)["id"] != segment["id"]


def test_two_segments_can_not_have_one_name(sandbox):
    make(sandbox)
    assert sandbox.problem("POST", SEGMENTS, json={"name": "w1", "static_segment": []})["title"] == "Bad Request"


@pytest.mark.parametrize("body", [{"name": "w1"}, {"static_segment": []}, {"name": "w1", "static_segment": "a@x.test"}])
def test_a_segment_that_makes_no_sense_is_refused(sandbox, body):
    assert sandbox.problem("POST", SEGMENTS, json=body)["title"] == "Invalid Resource"
