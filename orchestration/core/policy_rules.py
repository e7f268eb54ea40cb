"""The rules of policy.yaml, read once and expanded into what core/policy_match.py looks for."""

import hashlib
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from orchestration.core.policy_match import Hit, Spelt
from orchestration.core.policy_near import AGE, NUMBER, Near, Worded
from orchestration.core.policy_text import words

Audience = Literal["public", "professionals"]
Place = Literal["text", "link", "image", "data"]
_FOLDER = Path(__file__).parent
_Exception = tuple[str | list[str], int]
# what a "no" that denies nothing begins with (core/policy_text.py)
_DENIALS = frozenset("no not why cant wont wouldnt dont do".split())


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Pattern(_Strict):
    """An entry of `worded` that is more than a wording."""

    say: str
    near: str | None = None
    also: str | None = None
    within: int = 0
    in_order: bool = False
    across: bool = False
    unless_said: str | None = None
    always: bool = False


class Rule(_Strict):
    """One rule, as policy.yaml tells it; the keys are explained there."""

    rule: str
    what: str
    source: str
    mend: str
    audiences: tuple[Audience, ...] = ("public", "professionals")
    places: tuple[Place, ...] = ("text", "link", "image")
    spelt: list[str] = Field(default_factory=list)
    spelt_alone: list[str] = Field(default_factory=list)
    may_be_warned_of: list[str] = Field(default_factory=list)
    worded: list[str | Pattern] = Field(default_factory=list)
    unless_after: _Exception | None = None
    unless_before: _Exception | None = None
    unless_near: _Exception | None = None
    unless_said: str | None = None
    when: list[str] = Field(default_factory=list)
    needs: dict[str, list[str]] = Field(default_factory=dict)
    precedents: tuple[str, ...] = ()


class _File(_Strict):
    words: dict[str, list[str]]
    ordinary: list[str]
    rules: list[Rule]


@dataclass(frozen=True)
class Matchers:
    """What looks for the rules of one audience and one kind of place."""

    rules: frozenset[str]
    spelt: Spelt
    worded: Worded

    def hits(self, clean: str) -> Iterator[Hit]:
        """What is found in a readable text. A hit's label is the rule's name."""
        yield from self.spelt.hits(clean)
        yield from self.worded.hits(clean, self.rules)

    def are_silent(self, clean: str) -> bool:
        """Whether no rule speaks of it at all, not even to take it back."""
        spoken = itertools.chain(self.spelt.hits(clean), self.worded.hits(clean, self.rules, even_taken_back=True))
        return next(spoken, None) is None


@cache
def rules() -> dict[str, Rule]:
    """Every rule by its name, in the order of the file."""
    return {rule.rule: rule for rule in _file().rules}


@cache
def rules_hash() -> str:
    """Changes with the rules, and with how they are looked for: what was checked under another is checked again."""
    files = sorted(path for path in _FOLDER.glob("policy*") if path.is_file())
    return hashlib.sha256(b"\x1f".join(path.read_bytes() for path in files)).hexdigest()


@cache
def matchers(audience: Audience, place: Place) -> Matchers:
    """What looks for the rules that hold for this audience at this place."""
    held = [rule for rule in rules().values() if audience in rule.audiences and place in rule.places]
    inside = {name: rule.rule for rule in held for wording in rule.spelt for name in _names(wording)}
    alone = {name: rule.rule for rule in held for wording in rule.spelt_alone for name in _names(wording)}
    return Matchers(
        frozenset(rule.rule for rule in held), Spelt(inside, alone, _file().ordinary), _worded(for_data=place == "data")
    )


@cache
def _worded(*, for_data: bool) -> Worded:
    """One for all that is read by people, since their rules are much the same, and one for what Mailchimp keeps as data."""
    held = [rule for rule in rules().values() if ("data" in rule.places if for_data else set(rule.places) - {"data"})]
    return Worded(_near(rule, entry) for rule in held for entry in rule.worded)


@cache
def finder(*wordings: str) -> Worded:
    """What looks for any of these wordings."""
    return Worded([Near("found", tuple(expanded(wordings)))])


def expanded(wordings: Any) -> Iterator[tuple[str, ...]]:
    """Each way to say these wordings, as words without their endings."""
    for wording in wordings:
        yield from _ways(wording)


def _names(wording: str) -> list[str]:
    return [" ".join(way.split()) for way in _spelled_out(wording)]


def _near(rule: Rule, entry: str | Pattern) -> Near:
    entry = Pattern(say=entry) if isinstance(entry, str) else entry
    exceptions = (None, None, None) if entry.always else (rule.unless_after, rule.unless_before, rule.unless_near)
    after, before, around = (_exception(one) for one in exceptions)
    taken_back = (None if entry.always else rule.unless_said, entry.unless_said)
    return Near(
        label=rule.rule,
        say=_tuple(entry.say),
        near=_tuple(entry.near) if entry.near else (),
        also=_tuple(entry.also) if entry.also else (),
        within=entry.within,
        in_order=entry.in_order,
        across=entry.across,
        unless_after=after[0],
        after=after[1],
        unless_before=before[0],
        before=before[1],
        unless_near=around[0],
        around=around[1],
        unless_said=tuple(_tuple(one) for one in taken_back if one),
    )


def _exception(given: _Exception | None) -> tuple[tuple[tuple[str, ...], ...], int]:
    if given is None:
        return (), 0
    wordings, within = given
    return _all(wordings if isinstance(wordings, str) else tuple(wordings)), within


@cache
def _all(wordings: str | tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    return (
        _tuple(wordings) if isinstance(wordings, str) else tuple(itertools.chain.from_iterable(map(_tuple, wordings)))
    )


@cache
def _tuple(wording: str) -> tuple[tuple[str, ...], ...]:
    return tuple(dict.fromkeys(_ways(wording)))


def _ways(wording: str) -> Iterator[tuple[str, ...]]:
    """A wording, or a list of them in [brackets], with groups and @lists spelled out."""
    for one in wording[1:-1].split(",") if wording.startswith("[") else [wording]:
        yield from _said(one.strip())


@cache
def _said(wording: str) -> tuple[tuple[str, ...], ...]:
    """Each way to say it, in words. A @list, or a group, stands in many wordings, and is spelled out once."""
    if re.fullmatch(r"@\w+", wording):
        return tuple(itertools.chain.from_iterable(_said(one) for one in _file().words[wording[1:]]))
    return tuple(said for way in itertools.product(*map(_part, _parts(wording))) if (said := _joined(way)))


def _parts(wording: str) -> list[str]:
    """A wording cut at its spaces, but for those in a group."""
    depth, cut = 0, [0]
    for at, char in enumerate(wording):
        depth += (char == "(") - (char == ")")
        if char == " " and not depth:
            cut.append(at)
    return [wording[start:end].strip() for start, end in itertools.pairwise([*cut, len(wording)])]


@cache
def _part(part: str) -> tuple[str, ...]:
    return tuple(_spelled_out(part))


def _joined(way: tuple[str, ...]) -> tuple[str, ...]:
    said = tuple(itertools.chain.from_iterable(map(_words, way)))
    # "no more" is one word, whatever parts it comes from
    return said if _DENIALS.isdisjoint(said) else tuple(itertools.chain.from_iterable(map(_words, [" ".join(way)])))


@cache
def _words(text: str) -> tuple[str, ...]:
    split = re.split(f"({NUMBER}|{AGE})", text)
    return tuple(itertools.chain.from_iterable([one] if one in (NUMBER, AGE) else words(one) for one in split))


def forms(verb: str) -> tuple[str, ...]:
    """A regular verb as it may stand in a sentence: "stop" and "stopped", "stopping". Its "stops" is read as "stop" anyway."""
    if verb.endswith("e"):
        return verb, f"{verb}d", f"{verb[:-1]}ing"
    if re.search(r"[^aeiou]y$", verb):
        return verb, f"{verb[:-1]}ied", f"{verb}ing"
    doubled = verb + verb[-1] if re.fullmatch(r"[^aeiou]*[aeiou][^aeiouwxy]", verb) else verb
    return verb, f"{doubled}ed", f"{doubled}ing"


def _spelled_out(wording: str) -> Iterator[str]:
    if listed := re.search(r"@(\w+)", wording):
        for one in _file().words[listed[1]]:
            yield from _spelled_out(wording[: listed.start()] + one + wording[listed.end() :])
    elif group := re.search(r"\(([^()]*)\)", wording):
        for one in group[1].split("|"):
            yield from _spelled_out(wording[: group.start()] + one + wording[group.end() :])
    elif verb := re.search(r"(\w+)~", wording):
        for form in forms(verb[1]):
            yield from _spelled_out(wording[: verb.start()] + form + wording[verb.end() :])
    else:
        yield wording


@cache
def _file() -> _File:
    # without types: "no" is a word here
    text = (_FOLDER / "policy.yaml").read_text(encoding="utf-8")
    return _File.model_validate(yaml.load(text, getattr(yaml, "CBaseLoader", yaml.BaseLoader)))  # noqa: S506
