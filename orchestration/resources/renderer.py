"""A campaign's templates, made into the email that Mailchimp sends.

    email_templates/<template>/body.mjml.j2 ── Jinja2 ──► MJML ── mjml-python ──► HTML
    email_templates/<template>/body.txt.j2  ── Jinja2 ──────────────────────────► text
    subject, preheader, offer terms of the campaign file ── Jinja2 ──►

Jinja comes first, so that MJML sees whole text. What is personal stays in it as Mailchimp merge tags. Templates are the
project's own and may use merge tags; what comes from the shop (articles, products) may not: Mailchimp would carry them out.
The variables that templates get are listed in email_templates/README.md.
"""

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import mjml
import yaml
from jinja2 import FileSystemLoader, StrictUndefined, TemplateNotFound, TemplateSyntaxError, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from orchestration.core.campaign import Campaign, Card, Content, ProductCard, Rendered
from orchestration.core.dispatch import dispatch_day
from orchestration.core.errors import RenderError
from orchestration.core.policy import Identity
from orchestration.settings import PROJECT_DIR, Settings

_CODE = re.compile(r"[A-Za-z0-9_-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Renderer:
    """Renders campaigns from one folder of templates.

    The folder is read and the environment built once, here; raises RenderError when brand.yaml is missing or broken.
    """

    def __init__(self, settings: Settings, templates_dir: Path = PROJECT_DIR / "email_templates") -> None:
        self._dir = templates_dir
        self._preference_page = settings.preference_page
        self.brand = _read_brand(templates_dir / "brand.yaml") | {"shop_url": settings.shop_url}
        # Sandboxed: the campaign files, whose strings are templates too, are written by marketers.
        self._jinja = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(templates_dir),
            undefined=StrictUndefined,
            autoescape=_is_markup,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._jinja.filters["tracked"] = _tracked_filter

    @property
    def identity(self) -> Identity:
        """Which company sends, by brand.yaml. Raises RenderError where that is left out."""
        try:
            company = self.brand["company"]
            return Identity(company["legal_name"], str(company["number"]), company["registered_office"])
        except (KeyError, TypeError) as error:
            raise RenderError(
                f"{self._dir.name}/brand.yaml: `company` needs legal_name, number and registered_office."
            ) from error

    def render(
        self, campaign: Campaign, *, wave_id: str, content: Content, as_of: datetime, send_at: datetime | None
    ) -> Rendered:
        """The email of one wave, merge tags still in it.

        content.articles[i] and .products[i] hold the cards that may stand in slot i: a reader sees the one whose code is in their
        merge field ART<i+1> or PROD<i+1>, and nothing there when the field is empty. `send_at` is when it goes out, None when
        nobody knows. Raises RenderError.
        """
        context = self._context(campaign, wave_id=wave_id, content=content, as_of=as_of, send_at=send_at)
        return Rendered(
            subject=context["subject"],
            preheader=context["preheader"],
            html=_html(self._file(campaign, "body.mjml.j2", context), f"{campaign.template}/body.mjml.j2"),
            text=re.sub(r"\n{3,}", "\n\n", self._file(campaign, "body.txt.j2", context)).strip() + "\n",
        )

    def markup(
        self, campaign: Campaign, *, wave_id: str, content: Content, as_of: datetime, send_at: datetime | None
    ) -> str:
        """The MJML that `render` makes HTML of, for whoever wants to check it."""
        context = self._context(campaign, wave_id=wave_id, content=content, as_of=as_of, send_at=send_at)
        return self._file(campaign, "body.mjml.j2", context)

    def _context(
        self, campaign: Campaign, *, wave_id: str, content: Content, as_of: datetime, send_at: datetime | None
    ) -> dict[str, Any]:
        """The variables of templates, as email_templates/README.md lists them."""
        self._check_template(campaign)
        _check_slots(campaign, content)
        day = dispatch_day(send_at, self._dispatch_cutoff()) if send_at else None
        context: dict[str, Any] = {
            "campaign": campaign,
            "wave_id": wave_id,
            "as_of": as_of,
            "brand": self.brand,
            "preference_page": self._preference_page,
            "articles": [[_article(card, campaign.name, wave_id) for card in cards] for cards in content.articles],
            "products": [[_product(card, campaign.name, wave_id) for card in cards] for cards in content.products],
            "dispatch_day": day and _day(day, weekday=True),
        }
        if campaign.offer and content.offer:
            context["offer"] = {"percent": content.offer.percent, "closes_on": _day(content.offer.closes_on)}
            context["offer"]["terms"] = self._line(campaign, "offer.terms", campaign.offer.terms, context)
        context["subject"] = self._line(campaign, "subject", campaign.subject, context)
        context["preheader"] = self._line(campaign, "preheader", campaign.preheader, context)
        return context

    def _dispatch_cutoff(self) -> time:
        written = (self.brand.get("delivery") or {}).get("dispatch_cutoff", "15:00")
        try:
            return time.fromisoformat(written)
        except (TypeError, ValueError) as error:
            raise RenderError(
                f'brand.yaml, delivery.dispatch_cutoff: {written!r} is not a time of day. Write one such as "15:00".'
            ) from error

    def _check_template(self, campaign: Campaign) -> None:
        known = sorted(path.parent.name for path in self._dir.glob("*/body.mjml.j2"))
        if campaign.template not in known:
            raise RenderError(
                f"Campaign {campaign.name}: there is no template {campaign.template!r} in {self._dir.name}/. "
                f"Name one of {', '.join(known)}, or add the folder with its body.mjml.j2 and body.txt.j2."
            )

    def _line(self, campaign: Campaign, field: str, source: str, context: dict[str, Any]) -> str:
        """One of the campaign file's own strings, rendered onto one line."""
        with self._named(f"Campaign {campaign.name}, `{field}`", context):
            text = _one_line(self._jinja.from_string(source).render(context))
        if not text:
            raise RenderError(f"Campaign {campaign.name}: `{field}` is empty. Write one in its defs.yaml.")
        return text

    def _file(self, campaign: Campaign, name: str, context: dict[str, Any]) -> str:
        path = f"{campaign.template}/{name}"
        with self._named(f"Campaign {campaign.name}, {self._dir.name}/{path}", context):
            return self._jinja.get_template(path).render(context)

    @contextmanager
    def _named(self, what: str, context: dict[str, Any]) -> Iterator[None]:
        """Turns whatever goes wrong in a template into a RenderError that says what, where and what to do."""
        try:
            yield
        except RenderError as error:
            raise RenderError(f"{what}: {error}") from error
        except TemplateNotFound as error:
            raise RenderError(f"{what}: {self._dir.name}/{error.name} is missing. Add that file.") from error
        except Exception as error:
            known = ", ".join(sorted(context))
            raise RenderError(
                f"{what}{self._place(error)}: {error}. Mend it there; the variables it may use are {known} "
                f"(see {self._dir.name}/README.md)."
            ) from error

    def _place(self, error: Exception) -> str:
        if isinstance(error, TemplateSyntaxError):
            return f" ({error.name or 'the text itself'}, line {error.lineno})"
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            path = Path(frame.filename)
            if path.is_relative_to(self._dir):
                return f" ({path.relative_to(self._dir)}, line {frame.lineno})"
        return ""


def tracked(url: str, *, campaign: str, wave_id: str) -> str:
    """`url` with the parameters that let a visit be counted for its campaign; its own query and fragment stay.

    Raises RenderError unless it is an http or https address.
    """
    try:
        parts = urlsplit(url)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_web = False
    if not is_web or re.search(r"\s", url) or _CONTROL.search(url):
        raise RenderError(f"{url!r} is not a web address. Give one that starts with https:// and has no spaces.")
    ours = {"utm_source": "email", "utm_medium": "email", "utm_campaign": campaign, "utm_content": wave_id}
    kept = [pair for pair in parts.query.split("&") if pair and pair.partition("=")[0] not in ours]
    query = "&".join([*kept, *(f"{name}={value}" for name, value in ours.items())])
    return urlunsplit(parts._replace(path=parts.path or "/", query=query))


@pass_context
def _tracked_filter(context: Context, url: str) -> str:
    return tracked(url, campaign=context["campaign"].name, wave_id=context["wave_id"])


def _is_markup(name: str | None) -> bool:
    return name is not None and name.endswith(".mjml.j2")


def _read_brand(path: Path) -> dict[str, Any]:
    try:
        brand = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise RenderError(f"{path.parent.name}/{path.name} can't be read: {error}. Put it right.") from error
    if not isinstance(brand, dict):
        raise RenderError(f"{path.parent.name}/{path.name} holds no names and values. Put it right.")
    return brand


def _check_slots(campaign: Campaign, content: Content) -> None:
    minimum = campaign.articles.minimum if campaign.articles else 0
    filled = sum(1 for cards in content.articles if cards)
    allowed = {"article": campaign.articles, "product": campaign.products}
    for what, cards in (("article", content.articles), ("product", content.products)):
        slots = allowed[what].slots if allowed[what] else 0
        if len(cards) > slots:
            raise RenderError(
                f"Campaign {campaign.name} has {slots} {what} slots, but cards came for {len(cards)}. "
                f"Set `{what}s: {{slots: …}}` in its defs.yaml, or plan the wave again."
            )
    if filled < minimum:
        raise RenderError(
            f"Campaign {campaign.name} needs articles in at least {minimum} slots, but only {filled} "
            "have any. Plan the wave again; a reader with fewer articles is excluded there."
        )
    owners: dict[str, str] = {}
    named = [(card.code, f"article {card.article_id}") for cards in content.articles for card in cards]
    named += [(card.code, f"product {card.sku}") for cards in content.products for card in cards]
    for code, item in named:
        if owners.setdefault(code, item) != item:
            raise RenderError(
                f"Campaign {campaign.name}: {owners[code]} and {item} share the card code "
                f"{code!r}, so a reader would get the wrong one. Plan the wave again with a code for each."
            )


def _article(card: Card, campaign: str, wave_id: str) -> dict[str, str]:
    return _shown(f"Article {card.article_id}", card, campaign, wave_id)


def _product(card: ProductCard, campaign: str, wave_id: str) -> dict[str, str]:
    return _shown(f"Product {card.sku}", card, campaign, wave_id)


def _shown(what: str, card: Card | ProductCard, campaign: str, wave_id: str) -> dict[str, str]:
    """A card as templates get it: checked, on one line each, its link tracked."""
    fields = card.model_dump()
    for field, value in fields.items():
        if any(mark in text for text in (value, unquote(value)) for mark in ("*|", "|*")):
            raise RenderError(
                f"{what}: its {field} contains *| or |*, which Mailchimp would carry out "
                "as a merge tag. Take it out in the shop."
            )
    if not _CODE.fullmatch(card.code):
        raise RenderError(f"{what}: the card code {card.code!r} is not made of letters and digits only.")
    try:
        url = tracked(card.url, campaign=campaign, wave_id=wave_id)
    except RenderError as error:
        raise RenderError(f"{what}, url: {error}") from error
    return {name: _one_line(value) for name, value in fields.items()} | {"url": url}


def _day(day: date, *, weekday: bool = False) -> str:
    """`25 November 2026`, or `Wednesday 25 November`: of a day so near, nobody says the year."""
    return f"{day:%A} {day.day} {day:%B}" if weekday else f"{day.day} {day:%B %Y}"


def _one_line(text: str) -> str:
    """`text` without line breaks and control characters, which MJML can't read and a subject must not have."""
    return " ".join(_CONTROL.sub(" ", text).split())


def _html(markup: str, name: str) -> str:
    try:
        html = mjml.mjml2html(markup)
    except ValueError as error:
        # MJML names a place in the rendered markup, in bytes, which nobody can look up: show what stands there.
        at = re.search(r"position (\d+)", str(error))
        near = markup.encode()[max(0, int(at[1]) - 60) :][:120].decode(errors="ignore") if at else ""
        raise RenderError(
            f"{name}: MJML can't read what it renders to: {error}"
            + (f", near {' '.join(near.split())!r}" if near else "")
            + ". Look for a tag that is not closed, or two mj tags with a space but no line break between them."
        ) from error
    unknown = re.search(r"<(mj-[\w-]+)", html)
    if unknown:
        raise RenderError(
            f"{name}: MJML knows no <{unknown[1]}> at the place where it stands. Mend its name or its place."
        )
    return html
