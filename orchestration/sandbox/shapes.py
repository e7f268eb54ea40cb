"""What the fields of bodies and parameters must look like, as Mailchimp checks it before it does anything else.

A shape is a type; a tuple of the words allowed; a list with the shape of its items; a dict of fields, where `*` is the
shape of those not named. Other fields are passed over, and what is required the handlers ask for.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from orchestration.sandbox.calls import expect, instant, invalid, one_of

STATUSES = ("subscribed", "unsubscribed", "cleaned", "pending", "transactional")
CAMPAIGN_TYPES = ("regular", "plaintext", "absplit", "rss", "variate")
MERGE_FIELD_TYPES = tuple("text number address phone date url imageurl radio dropdown birthday zip".split())

_MEMBER = {
    "email_address": str,
    "email_type": str,
    "status": STATUSES,
    "merge_fields": dict,
    "interests": {"*": bool},
    "language": str,
    "vip": bool,
    "location": {"latitude": float, "longitude": float},
    "ip_signup": str,
    "timestamp_signup": datetime,
    "ip_opt": str,
    "timestamp_opt": datetime,
}
_ONE_MEMBER = _MEMBER | {
    "marketing_permissions": [{"marketing_permission_id": str, "enabled": bool}],
    "tags": [str],
}
OPTIONS = {
    "default_country": int,
    "phone_format": str,
    "date_format": str,
    "choices": [str],
    "size": int,
}
_SETTINGS = {
    **dict.fromkeys("subject_line preview_text title from_name reply_to to_name folder_id".split(), str),
    **dict.fromkeys("use_conversation authenticate auto_footer inline_css auto_tweet fb_comments".split(), bool),
    "auto_fb_post": [str],
    "template_id": int,
}
_CONDITIONS = {"match": ("any", "all"), "conditions": list}
_CAMPAIGN = {
    "recipients": {"list_id": str, "segment_opts": _CONDITIONS | {"saved_segment_id": int}},
    "settings": _SETTINGS,
    "tracking": {
        **dict.fromkeys("opens html_clicks text_clicks goal_tracking ecomm360".split(), bool),
        "google_analytics": str,
        "clicktale": str,
        "salesforce": {"campaign": bool, "notes": bool},
        "capsule": {"notes": bool},
    },
    "social_card": {"image_url": str, "description": str, "title": str},
}
BODIES: dict[str, Mapping[str, Any]] = {
    "POST /lists/{list_id}": {"members": [_MEMBER], "sync_tags": bool, "update_existing": bool},
    "POST /lists/{list_id}/merge-fields": {
        "name": str,
        "type": MERGE_FIELD_TYPES,
        **dict.fromkeys("tag default_value help_text".split(), str),
        **dict.fromkeys("required public".split(), bool),
        "display_order": int,
        "options": OPTIONS,
    },
    "POST /lists/{list_id}/members": _ONE_MEMBER | {"email_address": str, "status": STATUSES},
    "PUT /lists/{list_id}/members/{subscriber_hash}": _ONE_MEMBER | {"email_address": str, "status_if_new": STATUSES},
    "PATCH /lists/{list_id}/members/{subscriber_hash}": _ONE_MEMBER | {"status": STATUSES[:4]},
    "POST /lists/{list_id}/members/{subscriber_hash}/tags": {
        "tags": [{"name": str, "status": ("inactive", "active")}],
        "is_syncing": bool,
    },
    "POST /lists/{list_id}/segments": {"name": str, "static_segment": [str], "options": _CONDITIONS},
    "PATCH /lists/{list_id}/segments/{segment_id}": {"name": str, "static_segment": [str], "options": _CONDITIONS},
    "POST /lists/{list_id}/segments/{segment_id}": {"members_to_add": [str], "members_to_remove": [str]},
    "POST /campaigns": _CAMPAIGN | {"type": CAMPAIGN_TYPES, "content_type": ("template", "multichannel")},
    "PATCH /campaigns/{campaign_id}": _CAMPAIGN,
    "PUT /campaigns/{campaign_id}/content": {"html": str, "plain_text": str},
    "POST /campaigns/{campaign_id}/actions/test": {"test_emails": [str], "send_type": ("html", "plaintext")},
}

_FLAGS = set(
    "include_total_contacts has_ecommerce_store skip_merge_validation skip_duplicate_check required vip_only "
    "since_last_campaign include_cleaned include_transactional include_unsubscribed".split()
)
_WORDS = {
    "sort_dir": ("ASC", "DESC"),
    "interest_match": ("any", "all", "none"),
}
_WORDS_OF = {
    "GET /lists": {"sort_field": ("date_created",)},
    "GET /lists/{list_id}/members": {
        "status": (*STATUSES, "archived"),
        "sort_field": ("timestamp_opt", "timestamp_signup", "last_changed"),
    },
    "GET /reports": {"type": CAMPAIGN_TYPES},
    "GET /campaigns": {
        "type": CAMPAIGN_TYPES,
        "status": ("save", "paused", "schedule", "sending", "sent"),
        "sort_field": ("create_time", "send_time"),
    },
}


def check_body(endpoint: str, body: Mapping[str, Any] | None) -> None:
    """Raises Problem when a field is not of the kind it must be, or when there is no body where one is wanted."""
    if endpoint in BODIES:
        if body is None:
            raise invalid("", "Schema describes object, NULL found instead")
        _check_fields(body, BODIES[endpoint], "")


def check_query(endpoint: str, query: Mapping[str, str]) -> None:
    """Raises Problem when a parameter is not of the kind it must be. Unknown ones are passed over."""
    words = _WORDS | _WORDS_OF.get(endpoint, {})
    for name, text in query.items():
        if name in _FLAGS and text.lower() not in ("true", "false", "1", "0"):
            raise invalid(name, "Schema describes boolean, string found instead")
        if name in words:
            one_of(name, text, words[name])


def _check_fields(given: Mapping[str, Any], shape: Mapping[str, Any], within: str) -> None:
    for name in given:
        wanted = shape.get(name, shape.get("*"))
        if wanted is not None:
            _check(given, name, wanted, within)


def _check(given: Mapping[str, Any], name: str, wanted: Any, within: str) -> None:
    if isinstance(wanted, tuple):
        one_of(within + name, expect(given, name, str, within=within), wanted)
    elif wanted is datetime:
        instant(within + name, expect(given, name, str, within=within))
    elif isinstance(wanted, Mapping):
        _check_fields(expect(given, name, dict, within=within), wanted, f"{within}{name}.")
    elif isinstance(wanted, list):
        for number, one in enumerate(expect(given, name, list, within=within)):
            _check({f"item:{number}": one}, f"item:{number}", wanted[0], f"{within}{name}.")
    else:
        expect(given, name, wanted, within=within)
