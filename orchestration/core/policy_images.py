"""Two pictures in one text that show a before and an after, which neither of them says alone."""

import re
from collections.abc import Iterable

from orchestration.core.policy_parts import address_text
from orchestration.core.policy_text import readable, stem

_STATES = ({"before", "b4", "pre"}, {"after", "post", "afterward", "later", "following"})
# what an everyday thing is done before or after, a balm before bed, a gel after sun, and what is no body: a shelf, a jar
_EVERYDAY = frozenset(
    """
    bed bedtime sun gym shower bath swim shave shaving run workout sleep use work school dinner breakfast you buy care aftercare
    guide shelf cupboard kitchen bathroom drawer desk shop packaging label jar bottle box brush sponge towel recipe
    """.split()
)
_LETTERS = re.compile(r"b4|[a-z]+")
_ANY = frozenset("img image picture photo png jpg jpeg webp gif file the a of our client skin week month day".split())
_CAPTION = re.compile(r"\s*(?:before|after|pre|post|then|now|(?:day|week|month) \d+)\b", re.IGNORECASE)


def captions(images: Iterable[tuple[str, str]]) -> str:
    """The alternative texts that begin as captions of a state do ("Before: …"), as one text; empty where there is only one."""
    said = [alternative for _, alternative in images if _CAPTION.match(readable(alternative))]
    return ", ".join(said) if len(said) > 1 else ""


def pair_of_pictures(images: Iterable[tuple[str, str]]) -> tuple[str, str] | None:
    """The first two images, by their names and alternative texts, of which one is of before and the other of after."""
    of_each: tuple[list, list] = ([], [])
    for address, alternative in images:
        name = readable(address_text(address.rsplit("/", 1)[-1]))
        said = {stem(word) for word in _LETTERS.findall(f"{name} {readable(alternative)}".lower())}
        if _EVERYDAY.intersection(said):
            continue
        about = said - _STATES[0] - _STATES[1] - _ANY
        for state, seen in zip(_STATES, of_each, strict=True):
            if state.intersection(said):
                seen.append((about, alternative or name))
    for one, before in of_each[0]:
        for other, after in of_each[1]:
            # of the same: what else they say is much alike, or one says nothing else
            if before != after and len(one & other) * 2 >= min(len(one), len(other)):
                return before, after
    return None
