"""Merge tags as Mailchimp's cheat sheet and its page on conditional blocks have them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.sandbox.merge_tags import render

READER = {"FNAME": "Ada", "LNAME": "", "ART1": "abc", "AGE": "19"}


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("Hello *|FNAME|*!", "Hello Ada!"),
        ("*|fname|*", "Ada"),
        ("Hello *|LNAME|*!", "Hello !"),
        ("*|NOBODY_KNOWS|*", "*|NOBODY_KNOWS|*"),
        ("*|IF:FNAME|*yes*|END:IF|*", "yes"),
        ("*|IF:LNAME|*yes*|ELSE:|*no*|END:IF|*", "no"),
        ("*|IFNOT:LNAME|*none*|END:IF|*", "none"),
        ("*|IFNOT:ART1=abc|*other*|ELSE:|*abc*|END:IF|*", "abc"),
        ("*|IF:ART1=abc|*1*|ELSEIF:ART1=def|*2*|ELSE:|*3*|END:IF|*", "1"),
        ("*|IF:ART1=xyz|*1*|ELSEIF:ART1=abc|*2*|ELSE:|*3*|END:IF|*", "2"),
        ("*|IF:ART1=xyz|*1*|ELSEIF:ART1=def|*2*|ELSE:|*3*|END:IF|*", "3"),
        ("*|IF:ART1=abc|*1*|ELSEIF:FNAME=Ada|*2*|ELSE:|*3*|END:IF|*", "1"),
        ("*|IF:ART1 = abc|*spaces*|END:IF|*", "spaces"),
        ("*|IF:ART1=ABC|*case*|ELSE:|*differs*|END:IF|*", "differs"),
        ("*|IF:ART1!=abc|*other*|END:IF|*same", "same"),
        ("*|IF:AGE>=18|*adult*|END:IF|*", "adult"),
        ("*|IF:AGE&gt;18|*not a test*|END:IF|*", ""),
        ("*|IF:AGE<18|*child*|ELSE:|*adult*|END:IF|*", "adult"),
        ("*|IF:FNAME>18|*no number*|END:IF|*", ""),
        ("a*|IF:LNAME|*hidden *|FNAME|**|END:IF|*b", "ab"),
        ("*|IF:FNAME|*<*|IF:ART1=abc|*in*|ELSE:|*out*|END:IF|*>*|END:IF|*", "<in>"),
        ("*|IF:LNAME|*<*|IF:ART1=abc|*in*|ELSE:|*out*|END:IF|*>*|ELSE:|*none*|END:IF|*", "none"),
        ("shown *|IF:LNAME|*never closed", "shown "),
        ("*|END:IF|*stray", "stray"),
    ],
)
def test_a_reader_sees(source, seen):
    assert render(source, READER, escape=False) == seen


def test_values_are_escaped_in_html_and_not_in_text():
    values = {"FNAME": 'Ada <b> & "Co"'}
    assert render("*|FNAME|*", values, escape=True) == "Ada &lt;b&gt; &amp; &quot;Co&quot;"
    assert render("*|FNAME|*", values, escape=False) == 'Ada <b> & "Co"'


def test_a_tag_inside_a_value_is_not_rendered_again():
    assert render("*|FNAME|*", {"FNAME": "*|SECRET|*", "SECRET": "x"}, escape=False) == "*|SECRET|*"


@given(st.text().filter(lambda text: "*|" not in text))
def test_text_without_tags_stays_as_it_is(text):
    assert render(text, READER, escape=True) == text


@given(st.text(alphabet="*|:IFELSEND=A "))
def test_no_source_however_broken_raises(source):
    render(source, READER, escape=True)
