"""What a reader can say through the link at the foot of an email, and what the page does not tell."""

import re

import pytest

from orchestration.core.contracts import SIGNUPS
from orchestration.core.landing_row import landing_row
from orchestration.core.preference_link import preference_token
from tests.collector.conftest import SECRETS

LINK = f"/preferences/{preference_token('ivy@mail.test', SECRETS['PREFERENCES_KEY'])}"


def test_looking_at_the_page_changes_nothing_and_shows_no_address(collector):
    answer = collector.http.get(LINK)
    assert answer.status_code == 200
    assert "ivy@mail.test" not in answer.text
    assert "i…@mail.test" in answer.text
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert collector.rows("signups") == []


def test_what_is_left_as_it_is_stays_and_what_is_said_is_one_event(collector):
    form = {"profiling_consent": "no", "health_consent": "", "tracking_consent": "yes", "interests": ["hair", "lips"]}
    answer = collector.post(LINK, data=form)
    assert "Thank you, that is noted." in answer.text
    [row] = collector.rows("signups")
    assert row == landing_row(SIGNUPS, row)
    said = {"profiling_consent": False, "health_consent": None, "tracking_consent": True, "interests": ["hair", "lips"]}
    assert {name: row[name] for name in said} == said
    assert (row["email"], row["action"], row["source"]) == ("ivy@mail.test", "update_preferences", "preference_page")


def test_unsubscribing_is_one_button(collector):
    assert "You will get no more emails" in collector.post(LINK, data={"action": "unsubscribe"}).text
    [row] = collector.rows("signups")
    assert (row["email"], row["action"]) == ("ivy@mail.test", "unsubscribe")


@pytest.mark.parametrize("form", [{}, {"profiling_consent": ""}, {"profiling_consent": "perhaps", "interests": "cars"}])
def test_a_form_that_says_nothing_changes_nothing(collector, form):
    assert "Nothing was changed." in collector.post(LINK, data=form).text
    assert collector.rows("signups") == []


@pytest.mark.parametrize("token", ["x", preference_token("ivy@mail.test", "another key"), LINK.rpartition("/")[2][:-1]])
def test_a_link_that_is_not_ours_opens_nothing(collector, token):
    for answer in (
        collector.http.get(f"/preferences/{token}"),
        collector.post(f"/preferences/{token}", data={"action": "unsubscribe"}),
    ):
        assert (answer.status_code, list(answer.json())) == (404, ["error"])
    assert collector.rows("signups") == []


def test_the_page_asks_for_every_consent_of_the_contract_and_sends_it_to_itself(collector):
    page = collector.http.get(LINK).text
    consents = [field.name for field in SIGNUPS.fields if field.name.endswith("_consent")]
    assert sorted(set(re.findall(r'name="(\w+_consent)"', page))) == sorted(consents)
    assert "action=" not in page  # a form without an action posts to its own address
