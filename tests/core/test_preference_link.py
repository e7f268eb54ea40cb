"""The link at the foot of an email."""

import base64
import re

from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.preference_link import address_of, preference_token


def test_a_link_is_its_address_and_fits_a_url_and_a_member_field():
    token = preference_token(" Ivy.Moss@Mail.test", "k")
    assert address_of(token, "k") == "ivy.moss@mail.test"
    assert token == preference_token("ivy.moss@mail.test", "k")
    assert re.fullmatch(r"[A-Za-z0-9_-]{64}", token)
    longest = "a" * 150 + "@mail.test"
    assert address_of(preference_token(longest, "k"), "k") == longest
    assert len(preference_token(longest, "k")) <= 255  # where Mailchimp cuts
    assert preference_token("a" + longest, "k") == ""


def test_a_link_tells_nothing_of_whose_it_is():
    one, other = (preference_token(address, "k") for address in ("ivy@mail.test", "ivy.moss@mail.test"))
    assert len(one) == len(other)
    assert one[:8] != other[:8]
    seen = base64.urlsafe_b64decode(one)
    assert not any(part in seen.lower() for part in (b"ivy", b"mail", b"test"))


def test_no_other_key_and_no_change_of_a_link_makes_it_right():
    token = preference_token("ivy@mail.test", "k")
    other = preference_token("eve@mail.test", "k")
    wrong = [
        preference_token("ivy@mail.test", "other"),
        other[:22] + token[22:],
        token[:22] + other[22:],
        token[:-1],
        token + "A",
        ("B" if token[0] == "A" else "A") + token[1:],
        "",
    ]
    assert [address_of(one, "k") for one in wrong] == [None] * len(wrong)


@given(st.text())
def test_nothing_else_is_a_link(text):
    assert address_of(text, "k") is None
