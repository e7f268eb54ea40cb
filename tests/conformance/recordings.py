"""Recorded calls of Mailchimp's own API, from ../shared/data/mailchimp/recordings, in the order they were made."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from tests.conformance.specification import mailchimp_file


@dataclass(frozen=True)
class Recorded:
    """One call and its answer; `response` is None where it has no body."""

    method: str
    path: str
    query: dict[str, str]
    request: Any
    status: int
    kind: str
    response: Any

    def members(self) -> Iterator[dict]:
        """The members it shows."""
        if isinstance(self.response, dict):
            yield from self.response.get("members", [])
            if "unique_email_id" in self.response:
                yield self.response


def recordings() -> dict[str, list[Recorded]]:
    """Name of the recording → its calls of the Marketing API."""
    folder = mailchimp_file("recordings")
    return {path.stem: list(_calls(path.read_text())) for path in sorted(folder.glob("*.jsonl"))}


def _calls(text: str) -> Iterator[Recorded]:
    for line in text.splitlines():
        call = json.loads(line)
        if not call["path"].startswith("/3.0"):
            continue
        headers = dict(zip(call["headers"][::2], call["headers"][1::2], strict=True))
        yield Recorded(
            method=call["method"],
            path=call["path"].removeprefix("/3.0"),
            # Recorded as they were in the address, escaped.
            query={name: unquote(value) for name, value in call.get("query", {}).items()},
            request=call["request"] or None,
            status=call["status"],
            kind=headers["Content-Type"].partition(";")[0],
            response=None if call["response"] == "" else call["response"],
        )
