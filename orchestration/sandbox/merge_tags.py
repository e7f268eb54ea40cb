"""Mailchimp's merge tags: what a reader sees of `*|FNAME|*` and `*|IF:ART1=abc|* … *|ELSE:|* … *|END:IF|*`.

Pure functions. What they follow is Mailchimp's "All the merge tags cheat sheet" and "Use conditional merge tag blocks".
A tag nobody knows stays as it is written, as at Mailchimp, so that a mistake can be seen.
"""

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_TAG = re.compile(r"\*\|(.*?)\|\*", re.DOTALL)
_TEST = re.compile(r"\s*([A-Z0-9_:]+)\s*(?:(!=|>=|<=|=|>|<)\s*(.*))?", re.DOTALL | re.IGNORECASE)


@dataclass
class _Block:
    """An open IF: whether what surrounds it is shown, whether a branch was already taken, whether this one is shown."""

    outer: bool
    taken: bool
    shown: bool


def render(source: str, values: Mapping[str, str], *, escape: bool) -> str:
    """`source` as the reader sees it. `values`: tag name, upper case → text; with `escape` they go in as HTML text.

    Blocks may be nested. An IF that is never closed reaches to the end, as at Mailchimp.
    """
    parts: list[str] = []
    blocks: list[_Block] = []
    for text, tag in _tokens(source):
        if not blocks or blocks[-1].shown:
            parts.append(text)
        if tag is None or _steer(blocks, tag, values):
            continue
        if not blocks or blocks[-1].shown:
            parts.append(_value(tag, values, escape=escape))
    return "".join(parts)


def _tokens(source: str) -> Iterator[tuple[str, str | None]]:
    """The text before each tag, and the tag; the last one has no tag."""
    position = 0
    for match in _TAG.finditer(source):
        yield source[position : match.start()], match.group(1)
        position = match.end()
    yield source[position:], None


def _steer(blocks: list[_Block], tag: str, values: Mapping[str, str]) -> bool:
    """Open, switch or close a block; False if the tag does none of that."""
    kind, _, test = tag.strip().partition(":")
    kind = kind.upper()
    if kind in ("IF", "IFNOT"):
        outer = not blocks or blocks[-1].shown
        holds = _holds(test, values) != (kind == "IFNOT")
        blocks.append(_Block(outer=outer, taken=holds, shown=outer and holds))
    elif kind == "END" and test.strip().upper() == "IF":
        if blocks:
            blocks.pop()
    elif kind == "ELSEIF" and blocks:
        _switch(blocks[-1], _holds(test, values))
    elif kind == "ELSE" and blocks:
        _switch(blocks[-1], True)
    else:
        return False
    return True


def _switch(block: _Block, holds: bool) -> None:
    block.shown = block.outer and holds and not block.taken
    block.taken = block.taken or holds


def _holds(test: str, values: Mapping[str, str]) -> bool:
    """`X` holds when X has a value; `X=v` and its like compare numbers as numbers and all else as text."""
    match = _TEST.fullmatch(test)
    if match is None:
        return False
    name, operator, wanted = match.groups()
    value = values.get(name.upper(), "").strip()
    if operator is None:
        return value != ""
    wanted = html.unescape(wanted).strip()
    if operator == "=":
        return value == wanted
    if operator == "!=":
        return value != wanted
    return _ordered(operator, value, wanted)


def _ordered(operator: str, value: str, wanted: str) -> bool:
    try:
        left, right = float(value), float(wanted)
    except ValueError:
        return False
    return {">": left > right, ">=": left >= right, "<": left < right, "<=": left <= right}[operator]


def _value(tag: str, values: Mapping[str, str], *, escape: bool) -> str:
    name = tag.strip().upper()
    if name not in values:
        return f"*|{tag}|*"
    return html.escape(values[name]) if escape else values[name]
