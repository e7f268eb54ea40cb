"""Members: batches, single ones, and every way Mailchimp refuses one."""

import hashlib
from datetime import UTC, datetime

import pytest

from orchestration.sandbox.server import running

LIST = "sandbox0001"
MEMBERS = f"/lists/{LIST}/members"
COMPLIANCE = "{} is in a compliance state due to unsubscribe, bounce, or compliance review and cannot be subscribed."
FAKE = "{} looks fake or invalid, please enter a real email address."


def hash_of(address: str) -> str:
    return hashlib.md5(address.encode(), usedforsecurity=False).hexdigest()


def member(address: str, status: str = "subscribed", **merge_fields) -> dict:
    return {"email_address": address, "status": status, "merge_fields": merge_fields}


def test_a_batch_adds_members_and_reports_the_refused_ones_in_a_200(sandbox):
    answer = sandbox.add("ada@x.test", "fake@x.test", "compliance@x.test", "no address", FNAME="Ada")
    assert [m["email_address"] for m in answer["new_members"]] == ["ada@x.test"]
    assert (answer["total_created"], answer["total_updated"], answer["error_count"]) == (1, 0, 3)
    assert [(e["email_address"], e["error"], e["error_code"]) for e in answer["errors"]] == [
        ("fake@x.test", FAKE.format("fake@x.test"), "ERROR_GENERIC"),
        ("compliance@x.test", COMPLIANCE.format("compliance@x.test"), "ERROR_GENERIC"),
        ("no address", "Please provide a valid email address.", "ERROR_GENERIC"),
    ]
    added = answer["new_members"][0]
    assert added["id"] == hash_of("ada@x.test")
    assert added["merge_fields"] == {"FNAME": "Ada", "LNAME": "", "ADDRESS": "", "PHONE": ""}


def test_a_batch_leaves_known_members_alone_unless_told_to_update(sandbox):
    sandbox.add("ada@x.test", FNAME="Ada")
    answer = sandbox.add("ADA@x.test", FNAME="Eve")
    assert answer["errors"][0]["error_code"] == "ERROR_CONTACT_EXISTS"
    assert answer["errors"][0]["error"] == (
        "ADA@x.test is already a list member, do you want to update? "
        "please provide update_existing:true in the request body"
    )
    assert sandbox.client.lists.get_list_member(LIST, "ada@x.test")["merge_fields"]["FNAME"] == "Ada"


def test_updating_in_a_batch_overwrites_the_status_and_so_resubscribes(sandbox):
    sandbox.add("ada@x.test", status="unsubscribed", FNAME="Ada", LNAME="L")
    body = {"members": [member("ada@x.test", FNAME="Eve")], "update_existing": True}
    answer = sandbox.client.lists.batch_list_members(LIST, body)
    assert (answer["total_created"], answer["total_updated"], answer["error_count"]) == (0, 1, 0)
    updated = answer["updated_members"][0]
    assert updated["status"] == "subscribed"
    assert (updated["merge_fields"]["FNAME"], updated["merge_fields"]["LNAME"]) == ("Eve", "L")


def test_updating_in_a_batch_without_a_status_keeps_it(sandbox):
    sandbox.add("ada@x.test", status="unsubscribed")
    body = {"members": [{"email_address": "ada@x.test", "merge_fields": {"FNAME": "Eve"}}], "update_existing": True}
    assert sandbox.client.lists.batch_list_members(LIST, body)["updated_members"][0]["status"] == "unsubscribed"


def test_a_batch_has_five_hundred_members_at_the_most(sandbox):
    five_hundred = [member(f"reader{n}@x.test") for n in range(500)]
    answer = sandbox.client.lists.batch_list_members(LIST, {"members": five_hundred})
    assert (answer["total_created"], answer["error_count"]) == (500, 0)
    problem = sandbox.problem("POST", f"/lists/{LIST}", json={"members": [*five_hundred, member("one@more.test")]})
    assert problem["title"] == "Bad Request"


@pytest.mark.parametrize(
    ("address", "title", "detail"),
    [
        ("fake.person@x.test", "Invalid Resource", FAKE.format("fake.person@x.test")),
        ("compliance.person@x.test", "Member In Compliance State", COMPLIANCE.format("compliance.person@x.test")),
        ("nonsense", "Invalid Resource", "Please provide a valid email address."),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_one_member_is_refused_in_mailchimps_words(sandbox, method, address, title, detail):
    path = MEMBERS if method == "POST" else f"{MEMBERS}/{hash_of(address)}"
    status = "status" if method == "POST" else "status_if_new"
    problem = sandbox.problem(method, path, json={"email_address": address, status: "subscribed"})
    assert (problem["status"], problem["title"], problem["detail"]) == (400, title, detail)


def test_adding_a_known_member_again_is_refused(sandbox):
    sandbox.add("ada@x.test")
    problem = sandbox.problem("POST", MEMBERS, json=member("ada@x.test"))
    assert problem["title"] == "Member Exists"
    assert problem["detail"] == "ada@x.test is already a list member. Use PUT to insert or update list members."


def test_put_adds_with_status_if_new_and_later_leaves_the_status_alone(sandbox):
    body = {"email_address": "ada@x.test", "status_if_new": "subscribed"}
    assert sandbox.client.lists.set_list_member(LIST, hash_of("ada@x.test"), body)["status"] == "subscribed"
    sandbox.client.lists.update_list_member(LIST, "ada@x.test", {"status": "unsubscribed"})
    body["merge_fields"] = {"FNAME": "Ada"}
    answer = sandbox.client.lists.set_list_member(LIST, hash_of("ada@x.test"), body)
    assert (answer["status"], answer["merge_fields"]["FNAME"]) == ("unsubscribed", "Ada")
    assert answer["unsubscribe_reason"] == "N/A (Unsubscribed by an admin)"


def test_put_of_somebody_new_needs_a_status(sandbox):
    problem = sandbox.problem("PUT", f"{MEMBERS}/{hash_of('ada@x.test')}", json={"email_address": "ada@x.test"})
    assert problem["errors"][0]["field"] == "status_if_new"


def test_a_member_is_found_by_hash_and_by_address(sandbox):
    sandbox.add("Ada@x.test", FNAME="Ada", LNAME="Byron")
    by_hash = sandbox.client.lists.get_list_member(LIST, hash_of("ada@x.test"))
    assert by_hash == sandbox.client.lists.get_list_member(LIST, "ADA@x.test")
    assert (by_hash["email_address"], by_hash["full_name"]) == ("Ada@x.test", "Ada Byron")
    assert sandbox.problem("GET", f"{MEMBERS}/{hash_of('eve@x.test')}")["title"] == "Resource Not Found"


def test_an_address_can_change_and_the_member_stays_the_same(sandbox):
    sandbox.add("ada@x.test", "eve@x.test")
    before = sandbox.client.lists.get_list_member(LIST, "ada@x.test")
    after = sandbox.client.lists.update_list_member(LIST, before["id"], {"email_address": "ada@new.test"})
    assert (after["id"], after["contact_id"]) == (hash_of("ada@new.test"), before["contact_id"])
    problem = sandbox.problem("PATCH", f"{MEMBERS}/{after['id']}", json={"email_address": "eve@x.test"})
    assert problem["title"] == "Member Exists"


def test_archiving_works_once_and_never_for_cleaned_or_pending(sandbox):
    sandbox.add("ada@x.test")
    sandbox.add("pending@x.test", status="pending")
    sandbox.add("gone@x.test", status="cleaned")
    assert sandbox.http.delete(f"{MEMBERS}/{hash_of('ada@x.test')}").status_code == 204
    assert sandbox.status("ada@x.test") == "archived"
    for address in ("ada@x.test", "pending@x.test", "gone@x.test"):
        problem = sandbox.problem("DELETE", f"{MEMBERS}/{hash_of(address)}")
        assert (problem["status"], problem["title"]) == (405, "Method Not Allowed")
        assert problem["detail"] == (
            "This list member cannot be removed. Can not archive a contact that is bounced, pending or archived"
        )
    assert sandbox.http.post(MEMBERS, json=member("ada@x.test")).json()["status"] == "subscribed"


def test_a_permanently_deleted_address_can_not_come_back_by_a_call(sandbox):
    sandbox.add("ada@x.test")
    sandbox.client.lists.delete_list_member_permanent(LIST, hash_of("ada@x.test"))
    problem = sandbox.problem("POST", MEMBERS, json=member("ada@x.test"))
    assert problem["title"] == "Forgotten Email Not Subscribed"
    assert problem["detail"] == (
        "ada@x.test was permanently deleted and cannot be re-imported. "
        "The contact must re-subscribe to get back on the list."
    )


def test_merge_text_is_cut_at_255_bytes_and_unknown_tags_are_dropped(sandbox):
    sandbox.add("ada@x.test", FNAME="é" * 200, NOSUCH="x", LNAME=12)
    fields = sandbox.client.lists.get_list_member(LIST, "ada@x.test")["merge_fields"]
    assert fields["FNAME"] == "é" * 127
    assert fields["LNAME"] == "12"
    assert "NOSUCH" not in fields


def test_invalid_merge_fields_are_named(sandbox):
    body = {"name": "Age", "tag": "AGE", "type": "number", "required": True}
    sandbox.client.lists.add_list_merge_field(LIST, body)
    problem = sandbox.problem("POST", MEMBERS, json=member("ada@x.test", AGE="old", ADDRESS={"addr1": "1 Road"}))
    assert (problem["title"], problem["detail"]) == ("Invalid Resource", "Your merge fields were invalid.")
    assert problem["errors"] == [
        {"field": "AGE", "message": "Please enter a number"},
        {"field": "ADDRESS", "message": "Please enter a complete address"},
    ]
    error = sandbox.add("ada@x.test")["errors"][0]
    assert (error["error"], error["field"], error["field_message"]) == (
        "Your merge fields were invalid.",
        "AGE",
        "Please enter a value",
    )
    assert sandbox.http.post(f"{MEMBERS}?skip_merge_validation=true", json=member("ada@x.test")).status_code == 200


def test_an_unknown_status_is_refused(sandbox):
    problem = sandbox.problem("POST", MEMBERS, json=member("ada@x.test", "delighted"))
    assert problem["errors"][0]["field"] == "status"


def test_members_are_listed_in_pages_and_by_status(sandbox):
    sandbox.add(*(f"reader{n:02}@x.test" for n in range(25)))
    sandbox.add("gone@x.test", status="unsubscribed")
    page = sandbox.client.lists.get_list_members_info(LIST, count=10, offset=20, status="subscribed")
    assert [m["email_address"] for m in page["members"]] == [f"reader{n:02}@x.test" for n in range(20, 25)]
    assert page["total_items"] == 25
    assert len(sandbox.client.lists.get_list_members_info(LIST)["members"]) == 10
    assert sandbox.problem("GET", f"{MEMBERS}?count=1001")["errors"][0]["field"] == "count"


def test_fields_and_exclude_fields_follow_dots_through_lists(sandbox):
    sandbox.add("ada@x.test", FNAME="Ada", LNAME="Byron")
    answer = sandbox.client.lists.get_list_members_info(
        LIST, fields=["members.email_address", "members.merge_fields.FNAME", "total_items"]
    )
    assert answer == {
        "members": [{"email_address": "ada@x.test", "merge_fields": {"FNAME": "Ada"}}],
        "total_items": 1,
    }
    answer = sandbox.client.lists.get_list_members_info(LIST, exclude_fields=["members.merge_fields", "_links"])
    assert "_links" not in answer
    assert "merge_fields" not in answer["members"][0]
    assert answer["members"][0]["_links"]


@pytest.mark.parametrize(
    ("since", "found"),
    [
        ("2026-03-01T11:59:59Z", ["late@x.test"]),
        ("2026-03-01T12:00:00+00:00", ["late@x.test"]),
        ("2026-03-01T13:00:00+01:00", ["late@x.test"]),
        ("2026-03-01T12:00:00.001Z", []),
        ("2026-01-01T00:00:00Z", ["early@x.test", "late@x.test"]),
    ],
)
def test_members_changed_since_a_moment(state_file, connected, since, found):
    moments = {"now": datetime(2026, 2, 1, tzinfo=UTC)}
    with running(state_file, now=lambda: moments["now"]) as url:
        sandbox = connected(url)
        sandbox.add("early@x.test")
        moments["now"] = datetime(2026, 3, 1, 12, tzinfo=UTC)
        sandbox.add("late@x.test")
        answer = sandbox.client.lists.get_list_members_info(LIST, since_last_changed=since)
        assert [m["email_address"] for m in answer["members"]] == found
        sandbox.http.close()


def test_a_member_is_tagged_and_untagged(sandbox):
    sandbox.add("ada@x.test")
    path = f"{MEMBERS}/ada@x.test/tags"
    tags = [{"name": "w1", "status": "active"}, {"name": "w2", "status": "active"}]
    assert sandbox.http.post(path, json={"tags": tags}).status_code == 204
    assert sandbox.http.post(path, json={"tags": [{"name": "w1", "status": "inactive"}]}).status_code == 204
    member = sandbox.client.lists.get_list_member(LIST, "ada@x.test")
    assert ([tag["name"] for tag in member["tags"]], member["tags_count"]) == (["w2"], 1)
    segments = sandbox.client.lists.list_segments(LIST)["segments"]
    assert [(one["name"], one["member_count"]) for one in segments] == [("w1", 0), ("w2", 1)]


def test_a_new_member_can_be_given_tags(sandbox):
    body = {"email_address": "ada@x.test", "status": "subscribed", "tags": ["w1"]}
    assert [tag["name"] for tag in sandbox.client.lists.add_list_member(LIST, body)["tags"]] == ["w1"]


def test_marketing_permissions_are_shown_once_they_are_turned_on(sandbox):
    sandbox.add("ada@x.test")
    assert "marketing_permissions" not in sandbox.client.lists.get_list_member(LIST, "ada@x.test")
    assert sandbox.http.post(f"{sandbox.url}/sandbox/lists/{LIST}/marketing-permissions").status_code == 204
    assert sandbox.client.lists.get_list(LIST)["marketing_permissions"] is True
    first, *others = sandbox.client.lists.get_list_member(LIST, "ada@x.test")["marketing_permissions"]
    assert (first["text"], first["enabled"], len(others)) == ("Email", False, 2)
    given = {"marketing_permission_id": first["marketing_permission_id"], "enabled": True}
    sandbox.client.lists.update_list_member(LIST, "ada@x.test", {"marketing_permissions": [given]})
    [member] = sandbox.client.lists.get_list_members_info(LIST)["members"]
    assert [one["enabled"] for one in member["marketing_permissions"]] == [True, False, False]
    unknown = {"marketing_permissions": [{"marketing_permission_id": "none", "enabled": True}]}
    problem = sandbox.problem("PATCH", f"{MEMBERS}/ada@x.test", json=unknown)
    assert problem["errors"][0]["message"] == "The marketing permission does not exist."


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"vip": "yes"}, "vip", "Schema describes boolean, string found instead"),
        ({"location": {"latitude": "north"}}, "location.latitude", "Schema describes number, string found instead"),
        ({"interests": {"a1": 1}}, "interests.a1", "Schema describes boolean, integer found instead"),
        ({"tags": [3]}, "tags.item:0", "Schema describes string, integer found instead"),
        ({"timestamp_opt": "yesterday"}, "timestamp_opt", "Value is not a valid ISO 8601 date"),
        (
            {"status": "erased"},
            "status",
            "Value must be one of: subscribed, unsubscribed, cleaned, pending, transactional",
        ),
    ],
)
def test_a_field_of_the_wrong_kind_is_refused_by_its_name(sandbox, change, field, message):
    body = {"email_address": "ada@x.test", "status": "subscribed"} | change
    problem = sandbox.problem("POST", MEMBERS, json=body)
    assert (problem["status"], problem["errors"]) == (400, [{"field": field, "message": message}])


def test_a_parameter_of_the_wrong_kind_is_refused_by_its_name(sandbox):
    problem = sandbox.problem("GET", f"{MEMBERS}?sort_dir=UP")
    assert problem["errors"] == [{"field": "sort_dir", "message": "Value must be one of: ASC, DESC"}]


def test_a_time_of_another_zone_is_stored_as_utc(sandbox):
    body = {"email_address": "ada@x.test", "status": "subscribed", "timestamp_opt": "2026-01-02T03:00:00+02:00"}
    assert sandbox.client.lists.add_list_member(LIST, body)["timestamp_opt"] == "2026-01-02T01:00:00+00:00"


def test_half_a_character_is_no_json(sandbox):
    half, whole = rb'{"email_address": "a\ud83d@x.test", "status": "subscribed"}', b'{"tags": ["\\ud83d\\ude00"]}'
    assert sandbox.problem("POST", MEMBERS, content=half)["title"] == "JSON Parse Error"
    assert "Required fields" in sandbox.problem("POST", MEMBERS, content=whole)["errors"][0]["message"]


@pytest.mark.parametrize("value", ["NaN", "inf", "many", 10**400])
def test_a_number_field_takes_only_numbers(sandbox, value):
    sandbox.client.lists.add_list_merge_field(LIST, {"name": "Age", "tag": "AGE", "type": "number"})
    body = {"email_address": "ada@x.test", "status": "subscribed", "merge_fields": {"AGE": value}}
    problem = sandbox.problem("POST", MEMBERS, json=body)
    assert problem["errors"] == [{"field": "AGE", "message": "Please enter a number"}]
