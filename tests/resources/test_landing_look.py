"""A look for new files: what it may pass over, and what it never does."""

import os

import pytest

from orchestration.resources import landing_look
from orchestration.resources.landing_disk import passed_over
from orchestration.resources.landing_look import look


def looked(shop, folders=None):
    """The paths of new files, and what the next look may go by."""
    found = look(shop.settings, shop.warehouse, folders)
    return [file.path for file in found.new], found.folders


def long_ago(shop, *folders: str) -> None:
    """As if the folders had changed a minute ago."""
    for folder in folders:
        path = shop.settings.landing_dir / folder
        before = path.stat().st_mtime_ns - 60_000_000_000
        os.utime(path, ns=(before, before))


@pytest.fixture
def listed(monkeypatch):
    """The folders that were listed, by their names."""
    found = []
    names = landing_look.names_in
    monkeypatch.setattr(landing_look, "names_in", lambda folder: found.append(folder.name) or names(folder))
    return found


def test_a_folder_in_which_all_has_landed_is_not_listed_until_it_changes(shop, rows, listed):
    shop.drop("article_views/a.jsonl", [rows.view()])
    shop.ingest()
    long_ago(shop, "article_views")
    _, folders = looked(shop)
    listed.clear()
    assert looked(shop, folders) == ([], folders)
    assert listed == []
    shop.drop("article_views/b.jsonl", [rows.view(event_id="v-2")])
    assert looked(shop, folders)[0] == ["article_views/b.jsonl"]


def test_a_folder_that_changed_just_now_is_listed_again_since_it_may_change_at_the_same_time_once_more(
    shop, rows, listed
):
    shop.drop("article_views/a.jsonl", [rows.view()])
    shop.ingest()
    os.utime(shop.settings.landing_dir / "article_views")
    _, folders = looked(shop)
    assert folders["article_views"] == 0
    long_ago(shop, "article_views")  # were the clock so coarse, this would be the time it had then
    listed.clear()
    looked(shop, folders)
    assert listed == ["article_views"]


def test_new_files_are_told_again_until_they_have_landed(shop, rows):
    shop.drop("article_views/a.jsonl", [rows.view()])
    long_ago(shop, "article_views")
    for _ in range(2):
        new, folders = looked(shop)
        assert new == ["article_views/a.jsonl"]
        assert looked(shop, folders)[0] == new
    shop.ingest()
    assert looked(shop, folders)[0] == []


def test_folders_in_folders_are_found_also_below_one_that_has_not_changed(shop, rows, listed):
    shop.drop("article_views/2026/11/a.jsonl", [rows.view()])
    shop.ingest()
    long_ago(shop, "article_views", "article_views/2026", "article_views/2026/11")
    _, folders = looked(shop)
    listed.clear()
    shop.drop("article_views/2026/11/b.jsonl", [rows.view(event_id="v-2")])
    new, folders = looked(shop, folders)
    assert (new, listed) == (["article_views/2026/11/b.jsonl"], ["11"])
    assert looked(shop, folders)[0] == new
    shop.drop("article_views/2027/c.jsonl", [rows.view(event_id="v-3")])
    assert looked(shop, folders)[0] == ["article_views/2026/11/b.jsonl", "article_views/2027/c.jsonl"]


def test_hidden_and_unfinished_names_and_what_is_no_sources_are_not_new(shop, rows):
    for name in ("signups/a.jsonl.tmp", "signups/.b.jsonl", "signups/_c/d.jsonl", "signups/e.txt", "people/f.jsonl"):
        shop.drop(name, "{}\n")
    assert looked(shop)[0] == []


def test_a_folder_that_may_not_be_opened_holds_up_no_other_and_is_told_until_it_may(shop, rows, monkeypatch):
    shop.drop("orders/march/a.jsonl", [rows.order()])
    shop.drop("article_views/a.jsonl", [rows.view()])
    long_ago(shop, "orders", "orders/march", "article_views")
    with monkeypatch.context() as closed:  # tests may be root, who may open all
        for name in ("listdir", "scandir"):
            closed.setattr(os, name, _refusing(getattr(os, name)))
        new, folders = looked(shop)
        assert new == ["article_views/a.jsonl"]
        assert passed_over(shop.settings) == ["orders/march/"]
        shop.ingest()
    assert looked(shop, folders)[0] == ["orders/march/a.jsonl"]


def _refusing(function):
    def asked(folder):
        if os.fspath(folder).endswith("orders/march"):
            raise PermissionError(13, "Permission denied", os.fspath(folder))
        return function(folder)

    return asked
