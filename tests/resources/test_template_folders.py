"""A folder of email templates: what its README says of it is so, a new one is a new email, and a broken one is named."""

import re
import shutil
from pathlib import Path

import pytest

from orchestration.core.errors import RenderError
from orchestration.resources.mailchimp_audience import FIELDS
from orchestration.resources.renderer import Renderer
from orchestration.settings import PROJECT_DIR, Settings
from tests.resources.rendering import OFFER, Page, make_campaign, render

SETTINGS = Settings.from_env({})
README = (PROJECT_DIR / "email_templates" / "README.md").read_text()


def readme_rows(heading: str) -> set[str]:
    """The names in the first column of the table under a heading."""
    table = README.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return {name for row in re.findall(r"^\|([^|]+)\|", table, re.M) for name in re.findall(r"`(\w+)`", row)}


def test_the_readme_lists_the_variables_there_are_and_no_other():
    broken = make_campaign("welcome", offer={**OFFER, "terms": "t"}, preheader="{{ nothing }}")
    with pytest.raises(RenderError) as caught:
        render(Renderer(SETTINGS), broken)
    known = re.search(r"variables it may use are ([\w, ]+) \(", str(caught.value))[1].split(", ")
    assert readme_rows("Variables") == {*known, "preheader"}


def test_the_readme_lists_the_partials_and_fields_there_are_and_no_other():
    folder = PROJECT_DIR / "email_templates" / "partials"
    assert readme_rows("Partials") == {path.name.partition(".")[0] for path in folder.iterdir()}
    named = set(re.findall(r"\*\|([A-Z]+\d?)\|\*", README.partition("## Merge tags")[2].partition("## A new")[0]))
    assert {field for field in FIELDS if not field.endswith("2")} <= named


def test_the_new_email_of_the_readme_is_one_that_renders(tmp_path):
    shutil.copytree(PROJECT_DIR / "email_templates", tmp_path / "templates")
    body = re.search(r"^ {7}\{% extends.*?endblock %\}$", README, re.M | re.S)[0]
    note = tmp_path / "templates" / "note"
    note.mkdir()
    (note / "body.mjml.j2").write_text(re.sub("^ {7}", "", body, flags=re.M))
    (note / "body.txt.j2").write_text('{% extends "layout.txt.j2" %}{% block content %}What it says.{% endblock %}')

    email = render(Renderer(SETTINGS, tmp_path / "templates"), make_campaign("note"))
    assert Page(email.html).words["h1"] == ["What it is about"]
    assert "What it says." in email.text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A templates folder with one small template, `note`, to break."""
    (tmp_path / "brand.yaml").write_text("name: Larkspur Skin\n")
    (tmp_path / "note").mkdir()
    (tmp_path / "note" / "body.mjml.j2").write_text(
        "<mjml><mj-body><mj-section><mj-column>\n<mj-text>{{ subject }}</mj-text>\n"
        "</mj-column></mj-section></mj-body></mjml>"
    )
    (tmp_path / "note" / "body.txt.j2").write_text("{{ subject }}")
    return tmp_path


def test_a_new_folder_is_a_new_template(folder):
    assert render(Renderer(SETTINGS, folder), make_campaign("note")).text == "Hello from Larkspur Skin\n"


@pytest.mark.parametrize(
    ("file", "source", "message"),
    [
        ("body.mjml.j2", "<mjml><mj-body><mj-section></mj-body></mjml>", r"note/body.mjml.j2: MJML can't read"),
        ("body.mjml.j2", "<mjml><mj-body><mj-sektion></mj-sektion></mj-body></mjml>", r"MJML knows no <mj-sektion>"),
        ("body.mjml.j2", "\n{% if %}", r"note/body.mjml.j2, line 2"),
        ("body.txt.j2", "a\n{{ nobody }}", r"note/body.txt.j2, line 2\): 'nobody' is undefined"),
        ("body.txt.j2", '{% include "partials/none.txt.j2" %}', r"partials/none.txt.j2 is missing"),
        ("body.txt.j2", "{{ 'ftp://x' | tracked }}", r"note/body.txt.j2: 'ftp://x' is not a web address"),
        ("body.txt.j2", "{{ ''.__class__.__mro__ }}", r"note/body.txt.j2.*unsafe"),
    ],
)
def test_a_broken_template_is_named_with_what_is_wrong(folder, file, source, message):
    (folder / "note" / file).write_text(source)

    with pytest.raises(RenderError, match=message):
        render(Renderer(SETTINGS, folder), make_campaign("note"))


def test_a_missing_text_part_is_an_error_not_an_email_without_one(folder):
    (folder / "note" / "body.txt.j2").unlink()

    with pytest.raises(RenderError, match=r"note/body.txt.j2 is missing"):
        render(Renderer(SETTINGS, folder), make_campaign("note"))


@pytest.mark.parametrize("content", [None, "- a list", "name: [unclosed"])
def test_a_missing_or_broken_brand_file_is_named(folder, content):
    (folder / "brand.yaml").unlink()
    if content:
        (folder / "brand.yaml").write_text(content)

    with pytest.raises(RenderError, match="brand.yaml"):
        Renderer(SETTINGS, folder)
