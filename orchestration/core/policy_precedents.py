"""What reads like a phrase that was judged before, for what no list of words foresees.

policy_precedents/ holds labelled phrases, half of them barred and half innocent, each judged by a source. What is one of them is
judged as it was. Of any other text a linear model of their words and letters tells how much it reads like the barred ones; a
finding cites the one that it is most like. core/policy_training.py fits the model into policy_weights.npz (`make precedents`).

It is asked about short texts only: a subject, a heading, a paragraph, a title; and where no rule speaks of them.
"""

import heapq
import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from zlib import crc32

import numpy as np
import yaml

from orchestration.core.errors import PolicyError
from orchestration.core.policy_parts import blocks, html_parts, path_text
from orchestration.core.policy_rules import rules
from orchestration.core.policy_text import MARKS, readable, words

FOLDER = Path(__file__).parent / "policy_precedents"
WEIGHTS = Path(__file__).parent / "policy_weights.npz"
SIZE = 1 << 17  # places for the features, which share them by their hashes
SURE = math.log(0.9 / 0.1)  # the odds from which it is a finding
_SHORTEST, _LONGEST = 4, 60  # words: what is shorter tells too little, what is longer is like too much
_NEAREST = 10
_LETTERS = (3, 4, 5)  # in a row, within a word
KINDS = tuple(
    """
    prescription_only_medicine prescription_only_medicine_hint unlicensed_medicine medicinal_claim pressure_on_procedure
    fake_urgency same_day_delivery before_after_picture under_18_procedure merge_tag_injection health_word_in_data
    """.split()
)
_DATA = ("member_field", "tag", "campaign_title")
_ADDRESSES = ("link", "image")


@dataclass(frozen=True)
class Precedent:
    """A labelled phrase and where it stands, in words too, and the rule that it breaks; None where it is innocent."""

    text: str
    where: str
    said: tuple[str, ...]
    rule: str | None


@dataclass(frozen=True)
class Model:
    """What is kept of the precedents: weights of shape (SIZE,), a bias, and by their keys the phrases themselves."""

    weights: np.ndarray
    bias: float
    barred: frozenset[int] = frozenset()
    innocent: frozenset[int] = frozenset()


def reads_like(clean: str) -> Precedent | None:
    """The barred phrase that a readable text is most like, where it is surely like those and not like the innocent ones."""
    said, model = words(clean), _model()
    if key(said) in model.innocent or not _SHORTEST <= sum(word not in MARKS for word in said) <= _LONGEST:
        return None
    found = features(said)
    return _most_like(found) if key(said) in model.barred or likeness(found, model) > SURE else None


def key(said: Sequence[str]) -> int:
    """What a text in words is known by."""
    return int.from_bytes(blake2b(" ".join(said).encode(), digest_size=8).digest())


def likeness(found: Mapping[int, float], model: Model) -> float:
    """How much features are like those of barred phrases, as the logarithm of the odds."""
    return model.bias + sum(model.weights[place] * value for place, value in found.items())


def _most_like(found: Mapping[int, float]) -> Precedent:
    """The nearest of those that break the rule that most of the nearest break."""
    alike = ((sum(found.get(place, 0) * value for place, value in its.items()), one) for one, its in _barred())
    nearest = heapq.nlargest(_NEAREST, alike, key=lambda each: each[0])
    of_rules = Counter[str]()
    for much, one in nearest:
        of_rules[one.rule] += much
    return next(one for _, one in nearest if one.rule == of_rules.most_common(1)[0][0])


def features(said: Sequence[str]) -> dict[int, float]:
    """What a text has of words and pairs of them, and of letters in a row: place → weight. Each of the two kinds has length 1."""
    pairs = [f"{one} {other}" for one, other in itertools.pairwise(said)]
    letters = [
        f" {word} "[at : at + length]
        for word in said
        for length in _LETTERS
        for at in range(max(1, len(word) + 3 - length))
    ]
    found = Counter[int]()
    for kind, of_kind in (("w", [*said, *pairs]), ("l", letters)):
        found.update(_weighed(kind, of_kind))
    return found


def _weighed(kind: str, of_kind: Iterable[str]) -> Mapping[int, float]:
    counts = Counter(crc32(f"{kind}{one}".encode()) % SIZE for one in of_kind)
    values = {place: 1 + math.log(count) for place, count in counts.items()}
    length = math.hypot(*values.values()) or 1
    return {place: value / length for place, value in values.items()}


def precedents(files: Iterable[Path] | None = None) -> Iterator[Precedent]:
    """Those of these files, or of all, that the model learns from.

    They are to the public, of a kind that has its rule, and not of Mailchimp's data. Of markup only what is innocent: which part
    of it is barred is not told.
    """
    rule_of = {kind: rule.rule for rule in rules().values() for kind in rule.precedents}
    for where, phrase in itertools.chain.from_iterable(map(_phrases, sorted(files or FOLDER.glob("*.yaml")))):
        text, place, is_barred = phrase["text"], phrase["place"], phrase["expected"] == "barred"
        rule = rule_of.get(phrase["kind"]) if is_barred else None
        if phrase.get("audience", "public") != "public" or place in _DATA:
            continue
        if is_barred and (rule is None or place == "html"):
            continue
        seen = path_text(text) if place in _ADDRESSES else text
        for block in blocks(html_parts(seen).text) if place == "html" else [seen]:
            said = tuple(words(readable(block)))
            if not MARKS.issuperset(said):
                yield Precedent(text, where, said, rule)


def _phrases(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Each phrase of a file with where it stands. Raises PolicyError where one is not as set_01.yaml tells."""
    try:
        phrases = yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))["phrases"]  # noqa: S506
    except yaml.YAMLError as error:
        raise PolicyError(f"{path.name} is no YAML ({error}). A text with a colon in it wants quotes.") from error
    known = set()
    for phrase in phrases:
        where = f"{phrase.get('id', 'a phrase without id')} in {path.name}"
        missing = [name for name in ("id", "place", "text", "expected") if not phrase.get(name)]
        if missing:
            raise PolicyError(f"{where} has no {', '.join(missing)}.")
        if phrase["expected"] not in ("allowed", "barred"):
            raise PolicyError(f"{where} is expected to be {phrase['expected']!r}; write allowed or barred.")
        if phrase["expected"] == "barred" and phrase.get("kind") not in KINDS:
            raise PolicyError(
                f"{where} is barred, and its kind is {phrase.get('kind')!r}; write one of {', '.join(KINDS)}."
            )
        if phrase["id"] in known:
            raise PolicyError(f"{where} is there twice; give one of them an id of its own.")
        known.add(phrase["id"])
        yield where, phrase


@cache
def _model() -> Model:
    with np.load(WEIGHTS) as kept:
        keys = (frozenset(kept[name].tolist()) for name in ("barred", "innocent"))
        return Model(kept["weights"].astype(np.float64), float(kept["bias"]), *keys)


@cache
def _barred() -> list[tuple[Precedent, dict[int, float]]]:
    # three seconds to read, and only for what is found
    return [(one, features(one.said)) for one in precedents() if one.rule]
