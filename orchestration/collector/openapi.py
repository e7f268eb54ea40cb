"""The collector's own description (OpenAPI 3.1), its events made from the contract."""

from typing import Any

from orchestration.core.contracts import ARTICLE_VIEWS, SIGNUPS, Field, Source
from orchestration.settings import Settings

OPTIONAL = ("event_id", "occurred_at", "interests")
# No NUL, which no table takes.
TEXT = r"^[^\x00]*$"
ADDRESS = r"^[^@\s\x00-\x20\x7f]{1,120}@[^@\s\x00-\x20\x7f]{1,120}$"
JSON_TYPES: dict[str, dict[str, Any]] = {
    "text": {"type": "string", "pattern": TEXT},
    "id": {"anyOf": [{"type": "string", "pattern": r"^[^\x00]+$"}, {"type": "integer"}]},
    "email": {"type": "string", "pattern": ADDRESS, "examples": ["ivy@mail.test"]},
    "instant": {"type": "string", "format": "date-time"},
    "boolean": {"type": "boolean"},
    "texts": {"type": "array", "items": {"type": "string", "pattern": TEXT}},
}
ITEM = {
    "type": "object",
    "required": ["status"],
    "properties": {
        "status": {"enum": ["accepted", "refused", "left_out"]},
        "event_id": {"type": "string"},
        "why": {"type": "string"},
    },
}
ITEMS = {
    "type": "object",
    "required": ["items"],
    "properties": {"items": {"type": "array", "minItems": 1, "items": ITEM}},
}
ERROR = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
STATUS = {"type": "object", "required": ["status"], "properties": {"status": {"type": "string"}}}
REFUSALS = {
    400: "what was sent makes no sense; the body says why",
    401: "neither the key nor a signature nor a page of the shop",
    413: "larger than the limit",
    429: "too often; Retry-After says when again",
    503: "not stored: send it again",
}


def described(settings: Settings) -> dict[str, Any]:
    """The document, with the limits of these settings."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Pennypost collector",
            "version": "1",
            "description": "Answers 2xx when an event is on disk.",
        },
        "servers": [{"url": settings.collector_url}],
        "components": {
            "schemas": {
                "Signup": _event(SIGNUPS),
                "ArticleView": _event(ARTICLE_VIEWS),
                "Items": ITEMS,
                "Error": ERROR,
                "Status": STATUS,
            },
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer"},
                "woocommerce": {"type": "apiKey", "in": "header", "name": "X-WC-Webhook-Signature"},
                "mailchimp": {"type": "apiKey", "in": "query", "name": "key"},
            },
        },
        "paths": {
            "/v1/signups": {"post": _events("Signup", "What a person said about being written to.", settings)},
            "/v1/article-views": {"post": _events("ArticleView", "What was read.", settings)},
            "/webhooks/woocommerce": {"post": _woocommerce()},
            "/webhooks/mailchimp": {
                "get": _simple("Mailchimp's look whether somebody is there."),
                "post": _mailchimp(),
            },
            "/healthz": {"get": _simple("Whether it is up.")},
            "/metrics": {
                "get": {
                    "summary": "Counters, as Prometheus reads them.",
                    "responses": {"200": {"description": "text format 0.0.4", "content": {"text/plain": {}}}},
                }
            },
        },
    }


def _event(source: Source) -> dict[str, Any]:
    return {
        "type": "object",
        "required": [field.name for field in source.fields if field.required and field.name not in OPTIONAL],
        "properties": {field.name: _property(field) for field in source.fields},
    }


def _property(field: Field) -> dict[str, Any]:
    schema = {"enum": list(field.allowed)} if field.allowed else JSON_TYPES[field.kind]
    if field.required and field.name not in OPTIONAL:
        return schema
    return {"anyOf": [schema, {"type": "null"}]}


def _events(schema: str, summary: str, settings: Settings) -> dict[str, Any]:
    one = {"$ref": f"#/components/schemas/{schema}"}
    many = {"type": "array", "items": one, "minItems": 1, "maxItems": settings.collector_largest_batch}
    return {
        "summary": summary,
        "security": [{"key": []}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": {"oneOf": [one, many]}}}},
        "responses": {
            "200": _answer("At least one event was accepted, or left out as a bot's; each has its item.", "Items"),
            "204": {"description": "One event was accepted under the id it came with."},
            **_refusals(),
            "400": {
                "description": "no JSON, or no event of it is acceptable",
                "content": {"application/json": {"schema": {"anyOf": [_ref("Items"), _ref("Error")]}}},
            },
        },
    }


def _woocommerce() -> dict[str, Any]:
    topic = {"name": "X-WC-Webhook-Topic", "in": "header", "required": True, "schema": {"type": "string"}}
    return {
        "summary": "WooCommerce's webhooks: orders, products; customers and coupons are acknowledged and not needed.",
        "security": [{"woocommerce": []}],
        "parameters": [topic],
        "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
        "responses": {"200": _answer("On disk, or not needed.", "Status"), **_refusals()},
    }


def _mailchimp() -> dict[str, Any]:
    form = {"type": "object", "required": ["type", "fired_at"], "additionalProperties": {"type": "string"}}
    return {
        "summary": "Mailchimp's audience webhooks.",
        "security": [{"mailchimp": []}],
        "requestBody": {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": form}}},
        "responses": {"200": _answer("On disk, or not needed.", "Status"), **_refusals()},
    }


def _simple(summary: str) -> dict[str, Any]:
    return {"summary": summary, "responses": {"200": _answer("Yes.", "Status")}}


def _refusals() -> dict[str, Any]:
    return {str(status): _answer(what, "Error") for status, what in REFUSALS.items()}


def _answer(what: str, schema: str) -> dict[str, Any]:
    return {"description": what, "content": {"application/json": {"schema": _ref(schema)}}}


def _ref(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}
