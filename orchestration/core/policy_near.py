"""Finding words that stand near each other: what is said of what, in an order and a distance, but for what takes it back.

Linear in the text, unless it says the same over and over. Where a wording may begin is looked up in one tree of all of them.
"""

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any

from orchestration.core.policy_match import Hit
from orchestration.core.policy_text import BREAK, CUT, MARKS, STOP, placed_words, stem, words

_COMPOUND = 7  # letters from which a word may be several written together, each of at least
_PART = 3
NUMBER = "<n>"
AGE = "<age>"
_ENDS = ""  # where a wording ends in the tree of all of them
_NUMBERS = frozenset(
    """
    one two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty fifty
    hundred few couple handful dozen
    """.split()
)
_ORDINAL = re.compile(r"\d+(?:am|pm|st|nd|rd|th)")
# of those who are no children any more, and may have no procedure yet (CAP Code 12.25)
_AGES = frozenset("12 13 14 15 16 17 twelve thirteen fourteen fifteen sixteen seventeen".split())
_UNITS = {"h": "hour", "m": "minute", "s": "second"}
_PERIODS = {"wk": "week"}
_COUNTED = re.compile(r"(\d+)(h|hr|hour|min|minute|sec)|(day|week|wk|month|year|client|patient)(\d+)")  # 15min, week12
_ROLES = ("say", "near", "also", "unless_after", "unless_before", "unless_near")

_Wordings = tuple[tuple[str, ...], ...]
_Span = tuple[int, int]


@dataclass(frozen=True)
class Near:
    """Wordings that stand together: one of `say`, and where `near` is given one of those within so many words of it.

    `also` is a third, as near to either. Without `across`, no sentence ends between the two. A hit doesn't count `unless_after`
    one of those wordings at most so many words before it in its sentence, `unless_before` one after it, `unless_near` one on
    either side, whatever is between, and `unless_said` one of any of these lists anywhere in its sentence.
    """

    label: str
    say: _Wordings
    near: _Wordings = ()
    also: _Wordings = ()
    within: int = 0
    in_order: bool = False
    across: bool = False
    unless_after: _Wordings = ()
    after: int = 0
    unless_before: _Wordings = ()
    before: int = 0
    unless_near: _Wordings = ()
    around: int = 0
    unless_said: tuple[_Wordings, ...] = ()

    def without_exceptions(self) -> "Near":
        return replace(self, unless_after=(), unless_before=(), unless_near=(), unless_said=())


class Worded:
    """Finds patterns of words in a text. Words of theirs that are written together ("#hairlosscure") are read apart."""

    def __init__(self, patterns: Iterable[Near]) -> None:
        # a list of wordings that plays a part in several patterns is looked for once, by its number: it is the same object
        lists: dict[int, _Wordings] = {}
        self._patterns: list[tuple[Near, dict[str, Any]]] = []
        for one in patterns:
            lists |= {id(each): each for each in (*(getattr(one, role) for role in _ROLES), *one.unless_said)}
            numbers = {role: id(getattr(one, role)) for role in _ROLES}
            self._patterns.append((one, {**numbers, "unless_said": tuple(map(id, one.unless_said))}))
        self._tree: dict[str, Any] = {}
        self._known: set[str] = set()
        for number, wordings in lists.items():
            for wording in wordings:
                node = self._tree
                for word in wording:
                    node = node.setdefault(word, {})
                node.setdefault(_ENDS, []).append(number)
                self._known.update(wording)
        self._longest = max((len(wording) for wordings in lists.values() for wording in wordings), default=0)
        self._longest_word = max(map(len, self._known), default=0) + 2  # with the ending of a plural
        self._apart = lru_cache(maxsize=500_000)(self._apart)

    def hits(self, clean: str, labels: Container[str] | None = None, *, even_taken_back: bool = False) -> Iterator[Hit]:
        """What is found in a readable text: of each pattern the first, and only those with one of these labels.

        With `even_taken_back` also what one of the `unless` says not to count.
        """
        text = [part for word in words(clean) for part in self._apart(word)]
        said = _Said(text, self._spans(text), self._longest)
        placed = None
        for pattern, numbers in self._patterns:
            if labels is not None and pattern.label not in labels:
                continue
            if found := said.first(pattern, numbers, even_taken_back=even_taken_back):
                placed = placed or [word for word in placed_words(clean) for _ in self._apart(word.text)]
                start, end = found
                told = " ".join(word for word in text[start:end] if word not in MARKS)
                yield Hit(pattern.label, told, placed[start].start, placed[end - 1].end)

    def _apart(self, word: str) -> tuple[str, ...]:
        """The words that one is made of, where each is a word of the patterns; else the word."""
        if counted := _COUNTED.fullmatch(word):
            number, unit, period, which = counted.groups()
            return (number, _UNITS[unit[0]]) if unit else (_PERIODS.get(period, period), which)
        if len(word) < _COMPOUND or word in self._known or not word.isalpha():
            return (word,)
        # from each place: into how few parts the rest can be read, and where the first of them ends
        fewest: dict[int, tuple[int, int]] = {len(word): (0, 0)}
        for start in range(len(word) - _PART, -1, -1):
            ends = range(start + _PART, min(start + self._longest_word, len(word)) + 1)
            ways = [(fewest[end][0] + 1, end) for end in ends if end in fewest and stem(word[start:end]) in self._known]
            if ways:
                fewest[start] = min(ways)
        if 0 not in fewest:
            return (word,)
        cuts = [0]
        while cuts[-1] < len(word):
            cuts.append(fewest[cuts[-1]][1])
        return tuple(stem(word[start:end]) for start, end in pairwise(cuts))

    def _spans(self, text: list[str]) -> dict[int, list[_Span]]:
        """Where wordings stand, by the number of their list and in the order of the text."""
        spans: dict[int, list[_Span]] = defaultdict(list)
        tree = self._tree
        for at, word in enumerate(text):
            if word not in tree and not _is_number(word):
                continue
            reached = [tree]
            for end in range(at, len(text)):
                if text[end] in (BREAK, CUT):
                    continue
                reached = _step(reached, text[end])
                if not reached:
                    break
                for node in reached:
                    for number in node.get(_ENDS, ()):
                        spans[number].append((at, end + 1))
        return spans


class _Said:
    """A text in words, with what stands where in it."""

    def __init__(self, text: list[str], spans: dict[int, list[_Span]], longest: int) -> None:
        self._spans = spans
        self._longest = longest
        # before each place: how many sentences have ended, how many cuts came, how many words were said
        self._ended = [0, *accumulate(word in (STOP, BREAK) for word in text)]
        self._cuts = [0, *accumulate(word == CUT for word in text)]
        self._words = [at - self._ended[at] - self._cuts[at] for at in range(len(text) + 1)]

    def first(self, pattern: Near, numbers: dict[str, Any], *, even_taken_back: bool) -> _Span | None:
        """From where to where the pattern's first hit that counts stretches."""
        said = self._spans.get(numbers["say"])
        others = self._spans.get(numbers["near"], [])
        if not said or (pattern.near and not others):
            return None
        if even_taken_back:
            pattern, numbers = pattern.without_exceptions(), {**numbers, "unless_said": ()}
        counted = (span for span in said if self._counts(pattern, numbers, span))
        if not pattern.near:
            return next((span for span in counted if not self._taken_back(numbers, span)), None)
        others = [span for span in others if self._counts(pattern, numbers, span)]
        return next((span for one in counted for span in self._together(pattern, numbers, one, others)), None)

    def _together(self, pattern: Near, numbers: dict[str, Any], one: _Span, others: list[_Span]) -> Iterator[_Span]:
        low = one[0] if pattern.in_order else self._back(one[0], pattern.within + self._longest)
        for other in _starting(others, low, self._on(one[1], pattern.within)):
            first, second = (one, other) if one <= other else (other, one)
            if first[1] <= second[0] and self._close(first[1], second[0], pattern.within, across=pattern.across):
                span = first[0], second[1]
                around = first[0] - pattern.within, second[1] + pattern.within - 1
                if pattern.also and not _starting(self._spans.get(numbers["also"], []), *around):
                    continue
                if not self._taken_back(numbers, span):
                    yield span

    def _counts(self, pattern: Near, numbers: dict[str, Any], span: _Span) -> bool:
        start, end = span
        longest = self._longest
        if pattern.unless_after:
            before = _starting(self._spans.get(numbers["unless_after"], []), start - pattern.after - longest, start)
            # "no surgery: our jabs" denies no jabs
            if any(self._reaches(other, start, pattern.after) for _, other in before):
                return False
        if pattern.unless_before:
            after = _starting(self._spans.get(numbers["unless_before"], []), end, end + pattern.before)
            if any(self._close(end, other, pattern.before) for other, _ in after):
                return False
        if not pattern.unless_near:
            return True
        near = _starting(
            self._spans.get(numbers["unless_near"], []), start - pattern.around - longest, end + pattern.around
        )
        return not any(start - other <= pattern.around for _, other in near)

    def _taken_back(self, numbers: dict[str, Any], span: _Span) -> bool:
        """Whether something in the sentence says the opposite, or that it is about something else."""
        against = [self._spans[number] for number in numbers["unless_said"] if number in self._spans]
        if not against:
            return False
        start = bisect_left(self._ended, self._ended[span[0]])
        end = bisect_right(self._ended, self._ended[span[1]]) - 1
        return any(_starting(spans, start, end - 1) for spans in against)

    def _close(self, start: int, end: int, within: int, *, across: bool = False) -> bool:
        if self._words[end] - self._words[start] > within:
            return False
        return across or self._ended[end] == self._ended[start]

    def _reaches(self, end: int, start: int, within: int) -> bool:
        return end <= start and self._close(end, start, within) and self._cuts[start] == self._cuts[end]

    def _back(self, at: int, count: int) -> int:
        return bisect_left(self._words, self._words[at] - count)

    def _on(self, at: int, count: int) -> int:
        return bisect_right(self._words, self._words[at] + count)


def _starting(spans: list[_Span], low: int, high: int) -> list[_Span]:
    """Those that start from `low` to `high`."""
    return spans[bisect_left(spans, (low,)) : bisect_right(spans, (high, 1 << 60))]


def _step(nodes: list[dict[str, Any]], word: str) -> list[dict[str, Any]]:
    further = [node[word] for node in nodes if word in node]
    if _is_number(word):
        further += [node[NUMBER] for node in nodes if NUMBER in node]
        if word in _AGES:
            further += [node[AGE] for node in nodes if AGE in node]
    return further


def _is_number(word: str) -> bool:
    return word.isdigit() or word in _NUMBERS or word in _AGES or _ORDINAL.fullmatch(word) is not None
