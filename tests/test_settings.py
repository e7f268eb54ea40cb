import re

import pytest

from orchestration.settings import PROJECT_DIR, Settings


class Asked(dict):
    """An environment that remembers what it was asked for."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def get(self, name, default=None):
        self.names.add(name)
        return default


def test_the_example_of_settings_names_each_setting_that_is_read_and_no_other():
    asked = Asked()
    Settings.from_env(asked)
    example = (PROJECT_DIR / ".env.example").read_text()
    assert set(re.findall(r"^([A-Z_]+)=", example, re.MULTILINE)) == asked.names


def test_the_example_of_settings_is_one_that_can_be_read_and_says_the_defaults():
    example = dict(
        line.split("=", 1)
        for line in (PROJECT_DIR / ".env.example").read_text().splitlines()
        if line and not line.startswith("#")
    )
    assert Settings.from_env(example | {"DATA_DIR": ""}) == Settings.from_env({})


MAILCHIMP = {"MAILCHIMP_API_KEY": "k-us21"}


@pytest.mark.parametrize(
    ("env", "page"),
    [
        ({"COLLECTOR_URL": "https://events.shop.example/", **MAILCHIMP}, "https://events.shop.example/preferences"),
        (
            {"COLLECTOR_URL": "https://shop.example/pennypost", **MAILCHIMP},
            "https://shop.example/pennypost/preferences",
        ),
        ({"COLLECTOR_URL": "http://events.shop.example", **MAILCHIMP}, None),
        ({"COLLECTOR_URL": "https://localhost:8030", **MAILCHIMP}, None),
        (MAILCHIMP, None),
        ({"COLLECTOR_URL": "https://events.shop.example", "PREFERENCES_KEY": "", **MAILCHIMP}, None),
        ({}, "http://127.0.0.1:8030/preferences"),
        ({"PREFERENCES_KEY": ""}, None),
    ],
)
def test_emails_link_our_own_preference_page_where_their_readers_can_open_it(env, page):
    assert Settings.from_env({"PREFERENCES_KEY": "a key", **env}).preference_page == page
