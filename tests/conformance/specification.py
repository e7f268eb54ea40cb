"""Mailchimp's specification, put right where its recorded answers contradict it, and calls held against it.

    SHARED (default ../shared) ─► data/mailchimp/openapi.json ─► CORRECTIONS ─► schemathesis (generated calls)
                                                                            └─► Specification (recorded traffic)

Stricter than the specification says of itself: fields, and parameters, that it does not name count as wrong. None of the
recorded answers has one, and an invented field is just what a stand-in gets away with.
"""

import copy
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs

from orchestration.sandbox.api import ENDPOINTS

Json = dict[str, Any]

_KINDS = ("type", "enum")
METHODS = ("get", "post", "put", "patch", "delete")
PROJECT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("SHARED") or PROJECT / "../shared").resolve()


def mailchimp_file(name: str) -> Path:
    path = SHARED / "data" / "mailchimp" / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is not there: set SHARED to the folder that has data/mailchimp in it.")
    return path


@cache
def _as_published() -> str:
    """The document, without what the sandbox does not serve (most of it)."""
    document = json.loads(mailchimp_file("openapi.json").read_text())
    document["paths"] = {
        path: {key: one for key, one in methods.items() if f"{key.upper()} {path}" in ENDPOINTS}
        for path, methods in document["paths"].items()
    }
    document["paths"] = {path: methods for path, methods in document["paths"].items() if methods}
    return json.dumps(document)


# ---------------------------------------------------------------- where it is wrong


def _dates_may_be_empty(document: Json) -> None:
    for _, operation in operations(document):
        for schema in _answers(operation):
            for part in list(_parts(schema)):
                if part.get("format") == "date-time":
                    part.update({"anyOf": [{"format": part.pop("format")}, {"enum": [""]}]})


def _known_members_need_no_status(document: Json) -> None:
    operation = document["paths"]["/lists/{list_id}/members/{subscriber_hash}"]["put"]
    _body(operation)["required"].remove("status_if_new")


def _problems_name_fields(document: Json) -> None:
    field = {"type": "object", "properties": {"field": {"type": "string"}, "message": {"type": "string"}}}
    for _, operation in operations(document):
        for content in operation["responses"]["default"]["content"].values():
            content["schema"]["properties"]["errors"] = {"type": "array", "items": field}


@dataclass(frozen=True)
class Correction:
    what: str
    reason: str
    is_recorded: bool
    apply: Callable[[Json], None]


CORRECTIONS = [
    Correction(
        "in answers a date-time may be empty",
        "recorded: timestamp_signup, last_sub_date, last_unsub_date and campaign_last_sent are '' where it never happened",
        True,
        _dates_may_be_empty,
    ),
    Correction(
        "PUT of a member does not require status_if_new",
        "recorded: 200 without it, for a member that is there already",
        True,
        _known_members_need_no_status,
    ),
    Correction(
        "problem documents may have errors[] of field and message",
        "Mailchimp's glossary of errors, and FACTS.md: 'Your merge fields were invalid.' with errors[{field,message}]",
        False,
        _problems_name_fields,
    ),
]


def corrected(corrections: Sequence[Correction] = tuple(CORRECTIONS)) -> Json:
    """The specification as a document of its own, with these corrections."""
    document = json.loads(_as_published())
    for correction in corrections:
        correction.apply(document)
    return document


def operations(document: Json) -> Iterator[tuple[str, Json]]:
    """("GET /lists/{list_id}", operation) for each there is."""
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                yield f"{method.upper()} {path}", methods[method]


def _body(operation: Json) -> Json:
    return operation["requestBody"]["content"]["application/json"]["schema"]


def _answers(operation: Json) -> Iterator[Json]:
    for response in operation["responses"].values():
        for content in response.get("content", {}).values():
            yield content["schema"]


def _parts(schema: Any) -> Iterator[Json]:
    """A schema and all schemas in it."""
    if isinstance(schema, list):
        for one in schema:
            yield from _parts(one)
    elif isinstance(schema, dict):
        yield schema
        for key, value in list(schema.items()):
            # Under `properties` the keys are names of fields, and `example` holds no schema.
            if key == "properties":
                yield from _parts(list(value.values()))
            elif key not in ("example", "default", "enum"):
                yield from _parts(value)


# ---------------------------------------------------------------- holding calls against it


class Specification:
    """What is wrong with a call, in words; an empty list when nothing is."""

    def __init__(self, document: Json | None = None) -> None:
        self._operations = dict(operations(document or corrected()))
        self._patterns = [
            (re.compile(re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(path))), path)
            for path in {name.partition(" ")[2] for name in self._operations}
        ]
        self._validators: dict[tuple[str, str], Any] = {}

    def endpoint(self, method: str, path: str) -> str | None:
        """The operation that a call is of, such as "GET /lists/{list_id}"; None for one that the sandbox does not serve."""
        # A path without parameters goes before one that has some.
        found = sorted((p for pattern, p in self._patterns if pattern.fullmatch(path)), key=lambda p: p.count("{"))
        names = [f"{method} {one}" for one in found]
        return next((name for name in names if name in self._operations), None)

    def request(self, method: str, path: str, query: Mapping[str, Sequence[str]], body: str) -> list[str]:
        name = self.endpoint(method, path)
        if name is None:
            return [f"{method} {path}: the sandbox serves no such endpoint"]
        operation = self._operations[name]
        wrong = list(self._query(operation, query))
        if "requestBody" in operation:
            wrong += self._json(name, "request", _body(operation), body or "null")
        elif body:
            wrong.append("a body where none is taken")
        return [f"{name}: {one}" for one in wrong]

    def answer(
        self, method: str, path: str, status: int | None, kind: str, body: str, *, partial: bool = False
    ) -> list[str]:
        """`status`: None for no answer; `kind`: the media type without parameters; `body`: as text; `partial`: only some
        fields were asked for.
        """
        name = self.endpoint(method, path)
        if status is None:
            return [f"{name}: no answer"]
        responses = self._operations[name]["responses"] if name else {}
        # A call to nowhere is answered with a problem document like any other error.
        problem = next(iter(self._operations.values()))["responses"]["default"]
        response = responses.get(str(status)) or responses.get("default", problem)
        if "content" not in response:
            return [f"{name}: {status} with a body"] if body else []
        expected = "application/problem+json" if status >= 400 else "application/json"
        if status < 400 and str(status) not in responses:
            return [f"{name}: {status} is no answer of this endpoint"]
        if kind != expected:
            return [f"{name}: {status} as {kind or 'nothing'}, not {expected}"]
        partial = partial and status < 400
        part = f"{status}{' in part' if partial else ''}"
        wrong = self._json(name or "", part, response["content"][kind]["schema"], body, partial=partial)
        return [f"{name}: {status}: {one}" for one in wrong]

    def kinds(self, name: str, query: Mapping[str, Sequence[str]], body: bytes | str) -> list[str]:
        """What in a call to this endpoint is of the wrong kind (no number, none of the words allowed …), fields and
        parameters that the specification does not name aside.
        """
        operation = self._operations[name]
        wrong = [one for one in self._query(operation, query) if not one.startswith("no parameter")]
        if "requestBody" in operation:
            try:
                document = json.loads(body or b"null")
            except ValueError:
                return [*wrong, "the body is no JSON"]
            errors = jsonschema_rs.Draft4Validator(_plain(_body(operation))).iter_errors(document)
            wrong += [f"{_place(one.instance_path)}: {one.message[:300]}" for one in errors if one.kind.name in _KINDS]
        return wrong

    def _query(self, operation: Json, query: Mapping[str, Sequence[str]]) -> Iterator[str]:
        known = {one["name"]: one["schema"] for one in operation.get("parameters", []) if one["in"] == "query"}
        for parameter, values in query.items():
            if parameter not in known:
                yield f"no parameter {parameter}"
                continue
            schema = known[parameter]
            if schema["type"] == "array":
                continue
            for value in values[-1:]:
                given = _typed(schema["type"], value)
                if not jsonschema_rs.is_valid(_closed(schema), given):
                    yield f"parameter {parameter}={value}"

    def _json(self, name: str, part: str, schema: Json, text: str, *, partial: bool = False) -> list[str]:
        try:
            document = json.loads(text)
        except ValueError:
            return ["the body is no JSON"]
        key = (name, part)
        if key not in self._validators:
            self._validators[key] = jsonschema_rs.Draft4Validator(
                _closed(schema, partial=partial), validate_formats=True, formats={"date-time": _is_instant}
            )
        return [
            f"{_place(one.instance_path)}: {one.message[:300]}" for one in self._validators[key].iter_errors(document)
        ]


def _plain(schema: Json) -> Json:
    """The schema in plain JSON Schema."""
    schema = copy.deepcopy(schema)
    for part in list(_parts(schema)):
        if part.pop("nullable", False) and "type" in part:
            part["type"] = [part["type"], "null"]
    return schema


def _closed(schema: Json, *, partial: bool = False) -> Json:
    """The schema in plain JSON Schema, where a field that is not named is wrong; `partial`: none is required."""
    schema = _plain(schema)
    for part in list(_parts(schema)):
        if "properties" in part and not {"oneOf", "anyOf", "allOf"} & part.keys():
            part.setdefault("additionalProperties", False)
        if partial:
            part.pop("required", None)
    return schema


def _typed(kind: str, text: str) -> Any:
    """A parameter's text as what the specification says it is; the text itself where it is no such thing."""
    if kind == "integer" and re.fullmatch(r"-?\d+", text):
        return int(text)
    if kind == "boolean" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    return text


def _is_instant(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _place(path: Sequence[str | int]) -> str:
    return ".".join(str(one) for one in path) or "the body"
