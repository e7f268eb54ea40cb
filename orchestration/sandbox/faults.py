"""Faults the sandbox is told to have: which call gets one, and which. What a fault does is in fault_answers.

A rule is a JSON object (control.py has the addresses it is told at). All but `endpoint` and `fault` may be left out:

    {"endpoint": "POST /campaigns/{id}/actions/send", "fault": "close", "when": "after", "nth": 3}

    endpoint  method and path as in Mailchimp's documentation, with any name in the braces; `*` stands for anything
    fault     429, 403 (no body), 500 (no body), 502 (HTML): that answer;    timeout: none, the connection is held
              close: none, the connection is closed;    slow: the right answer, late
              connections: 429 when more than `most` calls are under way;    refuse_members: some of a batch fail in a 200
              any: one of the first seven, drawn like `chance`
    when      before: nothing is done (the default); after: the work is done, and then the answer is lost
    nth       the first call it is for, of those the rule sees; default 1
    times     how many calls get it at the most; default 1, for `chance` and `connections` null: no end
    chance    the share of the calls that get it; drawn from `seed`, the endpoint and the number of the call there, so that
              the same calls get the same faults again
    seed      default 0
    seconds   how late slow is (default 2); when timeout's connection is closed at last (default 150)
    members   how many refuse_members refuses, the first of the batch; default 1
    most      default 10, as Mailchimp has it
"""

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from fnmatch import fnmatchcase
from typing import Any

TOO_MANY, FORBIDDEN, EMPTY, GATEWAY = "429", "403", "500", "502"
TIMEOUT, CLOSE, SLOW = "timeout", "close", "slow"
CONNECTIONS, REFUSE_MEMBERS, ANY = "connections", "refuse_members", "any"
# What `any` draws from. Mailchimp says 429 before it does anything, so that is never after the work.
DRAWN = [
    (TOO_MANY, "before"),
    *((kind, when) for kind in (FORBIDDEN, EMPTY, GATEWAY, TIMEOUT, CLOSE, SLOW) for when in ("before", "after")),
]
KINDS = (TOO_MANY, FORBIDDEN, EMPTY, GATEWAY, TIMEOUT, CLOSE, SLOW, CONNECTIONS, REFUSE_MEMBERS, ANY)
BATCHES = ("POST /lists/{list_id}", "POST /lists/{list_id}/segments/{segment_id}")

_SECONDS = {SLOW: 2.0, TIMEOUT: 150.0}
_BRACES = re.compile(r"\{[^}]*\}")


class BadRule(ValueError):
    """A rule that makes no sense; the message says why."""


@dataclass(frozen=True)
class Fault:
    """What happens to one call."""

    kind: str
    when: str
    seconds: float
    members: int
    most: int


@dataclass(frozen=True)
class Rule:
    endpoint: str
    fault: str
    when: str = "before"
    nth: int = 1
    times: int | None = 1
    chance: float = 1.0
    seed: int = 0
    seconds: float | None = None
    members: int = 1
    most: int = 10

    @classmethod
    def told(cls, given: Any, served: Collection[str]) -> "Rule":
        """A rule from JSON; `served`: every endpoint there is. Raises BadRule."""
        if not isinstance(given, Mapping) or not {"endpoint", "fault"} <= given.keys():
            raise BadRule("A rule is a JSON object with an endpoint and a fault at least.")
        unknown = given.keys() - {one.name for one in fields(cls)}
        if unknown:
            raise BadRule(f"A rule has no {', '.join(sorted(unknown))}.")
        endless = {"times": None} if "chance" in given or given["fault"] == CONNECTIONS else {}
        rule = cls(**{**endless, **given, "fault": str(given["fault"])})
        rule.check(served)
        return rule

    def check(self, served: Collection[str]) -> None:
        if self.fault not in KINDS:
            raise BadRule(f"fault is one of {', '.join(KINDS)}, not {self.fault!r}.")
        if self.when not in ("before", "after") or (self.when == "after" and self.fault == TOO_MANY):
            raise BadRule("when is before or after; 429 is always before: Mailchimp says it before it does anything.")
        for name, least in (("nth", 1), ("times", 1), ("members", 1), ("most", 0), ("seed", None)):
            value = getattr(self, name)
            if name == "times" and value is None:
                continue
            if type(value) is not int or (least is not None and value < least):
                raise BadRule(f"{name} is a whole number" + ("." if least is None else f", {least} or more."))
        for name, most in (("chance", 1), ("seconds", 3600)):
            value = getattr(self, name)
            if value is not None and (type(value) not in (int, float) or not 0 <= value <= most):
                raise BadRule(f"{name} is a number from 0 to {most}.")
        if not isinstance(self.endpoint, str) or not any(self.matches(name) for name in served):
            raise BadRule(f"No endpoint here is {self.endpoint!r} and can have the fault {self.fault}.")

    def matches(self, endpoint: str) -> bool:
        if self.fault == REFUSE_MEMBERS and endpoint not in BATCHES:
            return False
        return fnmatchcase(_BRACES.sub("{}", endpoint), _BRACES.sub("{}", self.endpoint))

    def drawn(self, endpoint: str, number: int) -> Fault | None:
        """The fault of the `number`th call of this endpoint, if it gets one by chance."""
        if self.chance < 1 and _draw(f"{self.seed} {endpoint} {number}") >= self.chance:
            return None
        kind, when = self.fault, self.when
        if kind == ANY:
            kind, when = DRAWN[int(_draw(f"{self.seed} {endpoint} {number} fault") * len(DRAWN))]
        seconds = _SECONDS.get(kind, 0.0) if self.seconds is None else self.seconds
        return Fault(kind, when, seconds, self.members, self.most)


@dataclass
class Told:
    """A rule and what became of it so far."""

    id: int
    rule: Rule
    seen: int = 0
    fired: int = 0
    seen_at: Counter[str] = field(default_factory=Counter)

    def next(self, endpoint: str) -> Fault | None:
        """Count this call; the fault it would get."""
        if not self.rule.matches(endpoint):
            return None
        self.seen += 1
        self.seen_at[endpoint] += 1
        if self.seen < self.rule.nth or self.fired == self.rule.times:
            return None
        return self.rule.drawn(endpoint, self.seen_at[endpoint])

    def as_json(self) -> dict[str, Any]:
        return {"id": self.id, **asdict(self.rule), "seen": self.seen, "fired": self.fired}


class Faults:
    """The rules, and the calls under way. Everything happens in the server's event loop: no locks."""

    def __init__(self, served: Collection[str]) -> None:
        self.told: list[Told] = []
        self._served = served
        self._next_id = 1
        self._under_way = 0

    def tell(self, given: list[Any]) -> list[Told]:
        """Add these rules (JSON objects), or none of them. Raises BadRule."""
        rules = [Rule.told(one, self._served) for one in given]
        added = [Told(self._next_id + number, rule) for number, rule in enumerate(rules)]
        self._next_id += len(added)
        self.told += added
        return added

    @contextmanager
    def under_way(self, endpoint: str) -> Iterator[Fault | None]:
        """One call, from its coming to its answer: the fault it gets. Of several rules the one told first."""
        fault = self._fault(endpoint) if self.told else None
        self._under_way += 1
        try:
            yield fault
        finally:
            self._under_way -= 1

    def _fault(self, endpoint: str) -> Fault | None:
        chosen: Fault | None = None
        for told in self.told:
            fault = told.next(endpoint)
            if fault is not None and fault.kind == CONNECTIONS:
                fault = replace(fault, kind=TOO_MANY) if self._under_way >= fault.most else None
            if chosen is None and fault is not None:
                told.fired += 1
                chosen = fault
        return chosen


def _draw(text: str) -> float:
    """A number from 0 to below 1 that is always the same for this text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6]) / 2**48
