"""Finding wordings in a text: names however they are spelt, and words that stand near each other.

Both are linear in the text. What a word is, or may be the beginning of, is looked up in tables made once from the rules.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from orchestration.core.policy_text import BREAK, STOP, folded, placed_words, skeleton, stem, words

_ENDINGS = ("", "s", "es", "ed", "d", "ing", "er", "ers", "y")
_PLAIN = re.compile(r"[a-z0-9]+")
_SYMBOLS = re.compile(r"[a-z0-9@$!|+€]+")
_HAS_SYMBOL = re.compile(r"[a-z0-9][@$|+€]|[a-z0-9]![a-z0-9]|[@$€|+!][a-z0-9]")
_MASKED = re.compile(r"[a-z][a-z0-9]*(?:[*#•●∗✱%^~?&]+[a-z0-9]*)+")
_LONG = 8  # letters from which a name with one slip of the pen is taken for the name
_INSIDE = 4  # characters by which what may stand inside a word is looked up
_NUMBERS = frozenset(
    """
    one two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty fifty
    hundred few couple handful dozen
    """.split()
)
_ORDINAL = re.compile(r"\d+(?:am|pm|st|nd|rd|th)")
_COMPOUND = 7  # letters from which a word may be several written together, each of at least
_PART = 3
NUMBER = "<n>"
_ENDS = ""  # where a wording ends in the tree of all of them


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
    One that is `alone` is never a part of a longer word: "specialist" has no Cialis in it.
    """

    def __init__(self, inside: dict[str, str], alone: dict[str, str]) -> None:
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
                self._split.setdefault(folded(letters + ending), name)
            if letters == name and len(skeleton(letters)) >= _LONG:
                self._slips.update((skeleton(slip), name) for slip in _slips(letters))
            whole = folded(letters)
            self._begun.update(whole[:length] for length in range(1, len(whole)))
            if name in inside:
                key = skeleton(letters)
                self._inside[key[:_INSIDE]].append((key, name))
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
                if name and _is_letters("".join(written[at : last + 1])):
                    yield name, at, last
                if joined not in begun:
                    break

    def _in_word(self, word: str) -> str | None:
        key = skeleton(word)
        if key in self._whole:
            return self._whole[key]
        for at in range(len(key) - _INSIDE + 1):
            for inner, name in self._inside.get(key[at : at + _INSIDE], ()):
                if key.startswith(inner, at):
                    return name
        if len(key) < _LONG - 1:
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
    start = next((at for at, (one, other) in enumerate(zip(written, name, strict=False)) if one != other), 0)
    one, other = written[start:], name[start:]
    moved = one[:2] == other[1::-1] and one[2:] == other[2:]
    return moved or one[1:] == other[1:] or one[1:] == other or one == other[1:]


def _is_letters(written: str) -> bool:
    """Whether most of it is letters: "8070 x" is no name."""
    return sum(char.isalpha() for char in written) * 2 >= len(written)


def _could_be(masked: str, name: str) -> bool:
    shown = [(one, other) for one, other in zip(masked, name, strict=True) if one.isalnum()]
    return len(shown) * 2 >= len(name) and all(one == other for one, other in shown)


@dataclass(frozen=True)
class Near:
    """Wordings that stand together: one of `say`, and where `near` is given one of those within so many words of it.

    `also` is a third, as near to either. Without `across`, no sentence ends between the two. A hit doesn't count `unless_after`
    one of those wordings at most so many words before it in its sentence, `unless_before` one after it, `unless_near` one on
    either side, whatever is between.
    """

    label: str
    say: tuple[tuple[str, ...], ...]
    near: tuple[tuple[str, ...], ...] = ()
    also: tuple[tuple[str, ...], ...] = ()
    within: int = 0
    in_order: bool = False
    across: bool = False
    unless_after: tuple[tuple[str, ...], ...] = ()
    after: int = 0
    unless_before: tuple[tuple[str, ...], ...] = ()
    before: int = 0
    unless_near: tuple[tuple[str, ...], ...] = ()
    around: int = 0


_Span = tuple[int, int]


class Worded:
    """Finds patterns of words in a text. Words of theirs that are written together ("#hairlosscure") are read apart."""

    def __init__(self, patterns: Iterable[Near]) -> None:
        self._patterns = list(patterns)
        self._tree: dict[str, Any] = {}
        self._known: set[str] = set()
        for number, pattern in enumerate(self._patterns):
            for role in ("say", "near", "also", "unless_after", "unless_before", "unless_near"):
                for wording in getattr(pattern, role):
                    node = self._tree
                    for word in wording:
                        node = node.setdefault(word, {})
                    node.setdefault(_ENDS, []).append((number, role))
                    self._known.update(wording)
        self._apart = lru_cache(maxsize=500_000)(self._apart)

    def hits(self, clean: str) -> Iterator[Hit]:
        """What is found in a readable text: of each pattern the first."""
        text = [part for word in words(clean) for part in self._apart(word)]
        spans = self._spans(text)
        placed = None
        for number, pattern in enumerate(self._patterns):
            found = _first(pattern, spans, number, text)
            if found:
                placed = placed or [word for word in placed_words(clean) for _ in self._apart(word.text)]
                start, end = found
                told = " ".join(word for word in text[start:end] if word not in (STOP, BREAK))
                yield Hit(pattern.label, told, placed[start].start, placed[end - 1].end)

    def _apart(self, word: str) -> tuple[str, ...]:
        """The words that one is made of, where each is a word of the patterns; else the word."""
        if len(word) < _COMPOUND or word in self._known or not word.isalpha():
            return (word,)
        # from each place to the end, with the fewest parts
        parts: dict[int, tuple[str, ...]] = {len(word): ()}
        for start in range(len(word) - _PART, -1, -1):
            ways = [
                (part, *parts[end])
                for end in range(start + _PART, len(word) + 1)
                if end in parts and (part := stem(word[start:end])) in self._known
            ]
            if ways:
                parts[start] = min(ways, key=len)
        return parts.get(0, (word,))

    def _spans(self, text: list[str]) -> dict[tuple[int, str], list[_Span]]:
        """Where each wording stands, by the pattern and the part it plays in it."""
        spans: dict[tuple[int, str], list[_Span]] = defaultdict(list)
        tree = self._tree
        for at, word in enumerate(text):
            if word not in tree and not _is_number(word):
                continue
            reached = [tree]
            for end in range(at, len(text)):
                if text[end] == BREAK:
                    continue
                reached = _step(reached, text[end])
                if not reached:
                    break
                for node in reached:
                    for role in node.get(_ENDS, ()):
                        spans[role].append((at, end + 1))
        return spans


def _step(nodes: list[dict[str, Any]], word: str) -> list[dict[str, Any]]:
    further = [node[word] for node in nodes if word in node]
    if _is_number(word):
        further += [node[NUMBER] for node in nodes if NUMBER in node]
    return further


def _is_number(word: str) -> bool:
    return word.isdigit() or word in _NUMBERS or _ORDINAL.fullmatch(word) is not None


def _first(pattern: Near, spans: dict, number: int, text: list[str]) -> _Span | None:
    """From where to where the pattern's first hit that counts stretches."""
    said = spans.get((number, "say"))
    if not said or (pattern.near and not spans.get((number, "near"))):
        return None
    exceptions = {role: spans.get((number, role), []) for role in ("unless_after", "unless_before", "unless_near")}
    said = [span for span in said if _counts(pattern, span, exceptions, text)]
    if not pattern.near:
        return said[0] if said else None
    others = [span for span in spans[number, "near"] if _counts(pattern, span, exceptions, text)]
    for one in said:
        for other in others:
            first, second = (one, other) if one <= other else (other, one)
            if pattern.in_order and first is not one:
                continue
            if first[1] <= second[0] and _close(text, first[1], second[0], pattern.within, across=pattern.across):
                around = range(first[0] - pattern.within, second[1] + pattern.within)
                if not pattern.also or any(start in around for start, _ in spans[number, "also"]):
                    return first[0], second[1]
    return None


def _counts(pattern: Near, span: _Span, exceptions: dict[str, list[_Span]], text: list[str]) -> bool:
    start, end = span
    if any(_close(text, other[1], start, pattern.after) for other in exceptions["unless_after"] if other[1] <= start):
        return False
    if any(_close(text, end, other[0], pattern.before) for other in exceptions["unless_before"] if other[0] >= end):
        return False
    return not any(
        other[0] - end <= pattern.around and start - other[1] <= pattern.around for other in exceptions["unless_near"]
    )


def _close(text: list[str], start: int, end: int, within: int, *, across: bool = False) -> bool:
    between = text[start:end]
    if across:
        return len(between) - between.count(STOP) - between.count(BREAK) <= within
    return len(between) <= within and STOP not in between and BREAK not in between
