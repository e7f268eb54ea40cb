"""What somebody who watches the data sees in Dagster."""

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_the_asset_graph_is_grouped_by_stage(page, pennypost):
    page.goto(f"{pennypost.ui}/asset-groups")
    for group in ("ingestion", "staging", "intermediate", "marts", "feedback", "campaigns"):
        expect(page.get_by_text(group, exact=True).first).to_be_visible()


def test_a_table_says_what_it_is_and_how_many_rows_it_has(page, pennypost):
    page.goto(f"{pennypost.ui}/assets/marts/contacts")
    expect(page.get_by_text(re.compile("One row per contact")).first).to_be_visible()
    rows = page.get_by_text("Row count").locator("xpath=..")
    expect(rows).to_contain_text(re.compile(r"\d{2,}"))
    expect(page.get_by_text("Raw SQL")).to_have_count(0)


def test_a_source_with_rejects_shows_a_check_that_says_so(page, pennypost):
    page.goto(f"{pennypost.ui}/assets/raw/article_views?view=checks")
    expect(page.get_by_text("nothing_rejected").first).to_be_visible()


def test_nobody_is_asked_for_an_email_address_before_they_may_look(page, pennypost):
    page.goto(f"{pennypost.ui}/asset-groups")
    expect(page.get_by_text("marts", exact=True).first).to_be_visible()
    expect(page.get_by_text("Join the Dagster community")).to_have_count(0)
