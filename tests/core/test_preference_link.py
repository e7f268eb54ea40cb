"""The link at the foot of an email."""

import re

from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.preference_link import address_of, preference_token


def test_a_link_is_its_address_and_fits_a_url_and_a_member_field():
    token = preference_token(" Ivy.Moss@Mail.test", "k")
    assert address_of(token, "k") == "ivy.moss@mail.test"
    assert re.fullmatch(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{22}", token)
    assert len(preference_token("a" * 60 + "@" + "b" * 100 + ".test", "k")) <= 255  # where Mailchimp cuts


def test_no_other_key_and_no_other_address_makes_it_right():
    token = preference_token("ivy@mail.test", "k")
    said, signature = token.split(".")
    other = preference_token("eve@mail.test", "k").split(".")[0]
    wrong = [
        preference_token("ivy@mail.test", "other"),
        f"{other}.{signature}",
        said,
        f"{said}.",
        f".{signature}",
        "",
        ".",
    ]
    assert [address_of(one, "k") for one in wrong] == [None] * len(wrong)


@given(st.text())
def test_nothing_else_is_a_link(text):
    assert address_of(text, "k") is None
