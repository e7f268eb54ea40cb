"""Finding names in a text, however they are spelt.

Linear in the text. What a word is, or may be the beginning of, is looked up in tables made once from the rules.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from orchestration.core.policy_text import folded, skeleton

_ENDINGS = ("", "s", "es", "ed", "d", "ing", "er", "ers", "y")
_OF_PARTS = ("", "s")  # of a name that is written in parts: "pros cared" is no form of one
# words, and what ends a sentence: no name goes on in the next
_PLAIN = re.compile(r"[a-z0-9]+|[.?!:;](?=\s)")
_SYMBOLS = re.compile(r"[a-z0-9@$!|+€]+|[.?:;](?=\s)")
_HAS_SYMBOL = re.compile(r"[a-z0-9][@$|+€]|[a-z0-9]![a-z0-9]|[@$€|+!][a-z0-9]")
_MASKED = re.compile(r"(?<![a-z])[a-z][a-z0-9]*(?:[*#•●∗✱%^~?&]+[a-z0-9]*)+")
_LONG = 8  # letters from which a name with one slip of the pen is taken for the name
_INSIDE = 4  # characters by which what may stand inside a word is looked up


@dataclass(frozen=True)
class Hit:
    """A wording that was found, and its place in the readable text."""

    label: str
    found: str
    start: int
    end: int


class Spelt:
    """Finds names however they are written: inside longer words, split, in digits, masked ("b*tox").

    `inside` and `alone` map a name to its label. A name of several words is found with any gap between them, or none.
    One that is split begins and ends where words do: "robot oxygen" has no botox in it. A long one may have a slip: "finastride".
    One that is `alone` is never a part of a longer word: "specialist" has no Cialis in it. What is `ordinary` is no name,
    however near it comes to one: "reduction", "silk is".
    """

    def __init__(self, inside: dict[str, str], alone: dict[str, str], ordinary: Collection[str] = ()) -> None:
        self._ordinary = frozenset(ordinary)
        self._label = {**inside, **alone}
        self._whole: dict[str, str] = {}
        self._split: dict[str, str] = {}
        self._inside: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self._begun: set[str] = set()
        self._slips: dict[str, str] = {}
        for name in self._label:
            letters = "".join(_PLAIN.findall(name.lower()))
            for ending in _ENDINGS:
                self._whole.setdefault(skeleton(letters + ending), name)
            for ending in _OF_PARTS:
                self._split.setdefault(folded(letters + ending), name)
            if letters == name and len(skeleton(letters)) >= _LONG:
                self._slips.update((skeleton(slip), name) for slip in _slips(letters))
            whole = folded(letters)
            self._begun.update(whole[:length] for length in range(1, len(whole)))
            if name in inside:
                key = skeleton(letters)
                self._inside[key[:_INSIDE]].append((key, name))
        self._longest_slip = max(map(len, self._slips), default=0)
        self._by_length: dict[int, list[str]] = defaultdict(list)
        for name in self._label:
            self._by_length[len(name)].append(name)
        self._in_word = lru_cache(maxsize=500_000)(self._in_word)

    def hits(self, clean: str) -> Iterator[Hit]:
        """Every name in a readable text, wherever it stands; one that is written in two ways at once may come twice."""
        lower = clean.lower()
        views = [_PLAIN] + ([_SYMBOLS] if _HAS_SYMBOL.search(lower) else [])
        for view in views:
            places = None
            for name, first, last in self._found(view.findall(lower)):
                places = places or list(view.finditer(lower))
                yield Hit(self._label[name], name, places[first].start(), places[last].end())
        for masked in _MASKED.finditer(lower):
            for name in self._by_length.get(len(masked[0]), ()):
                if _could_be(masked[0], name):
                    yield Hit(self._label[name], name, masked.start(), masked.end())

    def _found(self, written: Sequence[str]) -> Iterator[tuple[str, int, int]]:
        """Names, each with its first and last word: within a word, then over several."""
        begun, split = self._begun, self._split
        for at, word in enumerate(written):
            name = self._in_word(word)
            if name and _is_letters(word):
                yield name, at, at
            joined = folded(word)
            if joined not in begun:
                continue
            # doubled letters count here: "boot ox-blood" has no botox in it
            for last in range(at + 1, len(written)):
                joined += folded(written[last])
                name = split.get(joined)
                parts = written[at : last + 1]
                if name and _is_letters("".join(parts)) and " ".join(parts) not in self._ordinary:
                    yield name, at, last
                if joined not in begun:
                    break

    def _in_word(self, word: str) -> str | None:
        if word in self._ordinary:
            return None
        key = skeleton(word)
        if key in self._whole:
            return self._whole[key]
        for at in range(len(key) - _INSIDE + 1):
            for inner, name in self._inside.get(key[at : at + _INSIDE], ()):
                if key.startswith(inner, at):
                    return name
        if not _LONG - 1 <= len(key) <= self._longest_slip + 1:
            return None
        ways = ((word, str), (folded(word), folded), (key, skeleton))
        near = {self._slips[slip] for slip in _slips(key) if slip in self._slips}
        return next((name for name in near if any(_is_slip(written, read(name)) for written, read in ways)), None)


def _slips(key: str) -> set[str]:
    """`key`, and `key` with a letter less: words with one of these in common differ by a letter, or two changed places.

    Where that leaves a letter doubled it is one, as in a skeleton.
    """
    return {key, *(key[:at] + key[at + 1 + (key[at - 1] == key[at + 1 : at + 2]) :] for at in range(1, len(key)))}


def _is_slip(written: str, name: str) -> bool:
    """Whether the two differ by one letter less, more or other, or by two neighbours that changed places."""
    shorter = min(len(written), len(name))
    start = next((at for at in range(shorter) if written[at] != name[at]), shorter)
    one, other = written[start:], name[start:]
    moved = one[:2] == other[1::-1] and one[2:] == other[2:]
    return moved or one[1:] == other[1:] or one[1:] == other or one == other[1:]


def _is_letters(written: str) -> bool:
    """Whether most of it is letters: "8070 x" is no name."""
    return sum(char.isalpha() for char in written) * 2 >= len(written)


def _could_be(masked: str, name: str) -> bool:
    shown = [(one, other) for one, other in zip(masked, name, strict=True) if one.isalnum()]
    return len(shown) * 2 >= len(name) and all(one == other for one, other in shown)
