"""Calls to Mailchimp that the sandbox recorded (orchestration/sandbox/recording.py), held against its specification."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from mailchimp_marketing.api_client import ApiClient

from tests.conformance.specification import Specification

OURS = ApiClient().default_headers["User-Agent"]


@dataclass
class Traffic:
    """What was recorded of the calls through the mailchimp-marketing client."""

    calls: dict[str, dict] = field(default_factory=dict)
    """Of each shape the first call."""
    times: Counter[str] = field(default_factory=Counter)
    """How many calls there were of each shape."""

    def by_endpoint(self, specification: Specification) -> dict[str, tuple[int, int]]:
        """Endpoint → how many calls of how many shapes."""
        found: dict[str, tuple[int, int]] = {}
        for shape, call in self.calls.items():
            name = specification.endpoint(call["method"], call["path"]) or f"{call['method']} {call['path']}"
            calls, shapes = found.get(name, (0, 0))
            found[name] = calls + self.times[shape], shapes + 1
        return dict(sorted(found.items()))


def read(recording: Path) -> Traffic:
    """Half a line, of a process that was killed, is passed over."""
    traffic = Traffic()
    times: Counter[str] = Counter()
    with recording.open() as file:
        for line in file:
            try:
                call = json.loads(line)
            except ValueError:
                continue
            times[call["shape"]] += 1
            if call.get("agent") == OURS:
                traffic.calls.setdefault(call["shape"], call)
    traffic.times.update({shape: times[shape] for shape in traffic.calls})
    return traffic


def wrong_calls(traffic: Traffic, specification: Specification) -> list[str]:
    """What is wrong with requests and answers, each once. Answers that the sandbox was told to spoil are not looked at."""
    found: dict[str, None] = {}
    for call in traffic.calls.values():
        name = call["method"], call["path"]
        found.update(dict.fromkeys(specification.request(*name, call["query"], call["request"])))
        if not call["is_faulty"]:
            partial = not {"fields", "exclude_fields"}.isdisjoint(call["query"])
            answer = call["status"], call["kind"], call["response"]
            found.update(dict.fromkeys(specification.answer(*name, *answer, partial=partial)))
    return list(found)
