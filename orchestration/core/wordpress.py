"""WordPress's posts (wp/v2, with `_embed=wp:term`) as rows of the articles contract (DESIGN 3).

Texts are HTML there and plain here. An article's treatments are its terms in one taxonomy, as their slugs.
"""

import html
import re
from collections.abc import Mapping
from typing import Any

from orchestration.core.errors import EventRefused

_NOT_TEXT = re.compile(r"<(script|style)\b.*?</\1\s*>|<!--.*?-->", re.DOTALL | re.IGNORECASE)
_BLOCK_ENDS = re.compile(r"</(p|div|h[1-6]|li|blockquote|tr)\s*>|<br\s*/?>", re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")


def article_row(post: Mapping[str, Any], taxonomy: str) -> dict[str, Any]:
    """The articles row of a post in any status; only `publish` is shown to readers. Raises EventRefused for what is no post."""
    post_id = post.get("id") if isinstance(post, Mapping) else None
    if isinstance(post_id, bool) or not isinstance(post_id, int):
        raise EventRefused("not a WordPress post: it has no id")
    return {
        "article_id": str(post_id),
        "url": _text(post, "link"),
        "title": plain(_rendered(post, "title")),
        "summary": plain(_rendered(post, "excerpt")),
        "body": plain(_rendered(post, "content")),
        "treatments": sorted(_terms(post, taxonomy)),
        "published_at": _utc(post.get("date_gmt") or _text(post, "modified_gmt")),
        "status": _text(post, "status"),
    }


def plain(text: str) -> str:
    """HTML as the text that a reader sees."""
    without = _TAG.sub("", _BLOCK_ENDS.sub("\n", _NOT_TEXT.sub("", text)))
    lines = (" ".join(line.split()) for line in html.unescape(without).split("\n"))
    return "\n".join(line for line in lines if line)


def _terms(post: Mapping[str, Any], taxonomy: str) -> set[str]:
    embedded = post.get("_embedded")
    groups = embedded.get("wp:term") if isinstance(embedded, Mapping) else None
    terms = [term for group in groups or [] if isinstance(group, list) for term in group if isinstance(term, Mapping)]
    return {term["slug"] for term in terms if term.get("taxonomy") == taxonomy and isinstance(term.get("slug"), str)}


def _rendered(post: Mapping[str, Any], name: str) -> str:
    part = post.get(name)
    found = part.get("rendered") if isinstance(part, Mapping) else None
    return found if isinstance(found, str) else ""


def _text(post: Mapping[str, Any], name: str) -> str:
    found = post.get(name)
    if not isinstance(found, str) or not found:
        raise EventRefused(f"not a WordPress post: {name} is missing")
    return found


def _utc(text: str) -> str:
    return text if text.endswith("Z") else f"{text}Z"
