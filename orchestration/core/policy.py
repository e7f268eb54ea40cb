"""What an email may say, show and link to: findings over catalogue rows, over drafts, and over what Mailchimp keeps as data.

The rules are policy.yaml, each with its source. This module knows which parts of a thing are which kind of place:

    text   subject, preheader, HTML and text part, an article's title, summary and body, a product's name
    link   addresses that are linked to, and what their pages say where they are ours
    image  addresses and alternative texts of images
    data   what Mailchimp keeps beside an email: titles, tags, member fields, campaign names

Two audiences: the public, and health professionals whose registration the shop has checked (contacts.is_professional), to whom
prescription-only medicines may be named (Human Medicines Regulations 2012 reg. 284 is of the public), with what reg. 294 wants.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import unquote

from orchestration.core.policy_images import captions, pair_of_pictures
from orchestration.core.policy_match import Hit
from orchestration.core.policy_near import Worded
from orchestration.core.policy_parts import (
    address_text,
    addresses_in,
    blocks,
    html_parts,
    humps_apart,
    looks_like_html,
    path_text,
)
from orchestration.core.policy_precedents import reads_like
from orchestration.core.policy_rules import Audience, Place, Rule, finder, matchers, rules
from orchestration.core.policy_text import readable, words

_FREE_AFTER = re.compile(r"[\s-]*free\b", re.IGNORECASE)
_FREE_BEFORE = re.compile(
    r"\b(?:free (?:from|of)|contains? no)\b[^.!?:;–—\n]*$|\bwithout (?:[a-z]+(?:, (?:or |and )?| or | and ))*$"
    r"|\bno (?:[a-z]+,? (?:or|and) )?$",
    re.IGNORECASE,
)
# who reads an address of ours may know who came, not by what name
_PERSONAL_TAG = re.compile(r"\*\|(?:EMAIL|FNAME|LNAME|NAME|PHONE|ADDRESS|BIRTHDAY|UNIQID)\b", re.IGNORECASE)
_OF_A_PERSON = frozenset(
    "FNAME LNAME NAME FULLNAME EMAIL PHONE ADDRESS ADDRESS1 ADDRESS2 STREET CITY TOWN COUNTY COMPANY BIRTHDAY".split()
)
# "not if you take …" keeps somebody from harm, and sells nothing
_TAKEN = re.compile(
    r"\b(?:if|while|when|anyone|people|those)\b[^:;]*\b(?:us(?:e|es|ed|ing)|tak(?:e|es|en|ing)|on|prescribed)(?: [\w,]+){0,3} ?$",
    re.IGNORECASE,
)
_WARNED = re.compile(
    r"\b(?:(?:do not|don['’]?t|never) (?:use|apply|wax|peel|start|combine|mix)|avoid (?:this|it|if|while|when|using)"
    r"|not (?:be )?(?:suitable|for use|used)|unsuitable)\b",
    re.IGNORECASE,
)
_SENTENCE = 200  # characters of one that are looked at on either side of a name
_LIST = 80  # characters that a list of what is not in it may take
_AROUND = 50  # characters of an excerpt on either side


@dataclass(frozen=True)
class Finding:
    """That a rule is broken: where, by what, and the words around it as a reader sees them."""

    rule: str
    place: str
    found: str
    excerpt: str = ""

    @property
    def what(self) -> str:
        return rules()[self.rule].what

    @property
    def source(self) -> str:
        return rules()[self.rule].source

    @property
    def mend(self) -> str:
        return rules()[self.rule].mend

    def __str__(self) -> str:
        quoted = f": “{self.excerpt}”" if self.excerpt else ""
        found = f" ({self.found})" if self.found else ""
        return f"{self.place} {self.what}{found}{quoted} [{self.rule}; {self.source}] {self.mend}"


@dataclass(frozen=True)
class Identity:
    """Which company sends, as it must stand in each part of an email."""

    legal_name: str
    number: str
    registered_office: str


@dataclass(frozen=True)
class Draft:
    """All of an email that a reader sees, and what goes to Mailchimp beside it.

    `data` maps what it is ("campaign title") to its value; `linked` maps each page of ours that the email links to, by what an
    editor knows it by ("article art-0001"), to its fields, as check_catalogue takes them.
    """

    subject: str
    preheader: str
    html: str
    text: str
    identity: Identity
    audience: Audience = "public"
    data: Mapping[str, str] = field(default_factory=dict)
    linked: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def check_text(text: str, place: str = "text", audience: Audience = "public", kind: Place = "text") -> list[Finding]:
    """What is wrong with a text: each rule that it breaks, with each name, or the first wording, that breaks it.

    Where it breaks none by its words, a paragraph of it may read like what the public was not to be told.
    """
    return _by_rules(text, place, audience, kind) or _by_precedents(text, place, audience, kind)


def _by_precedents(text: str, place: str, audience: Audience, kind: Place = "text") -> list[Finding]:
    # what professionals may be told is no precedent for what the public may
    found = []
    for block in blocks(readable(text)) if audience == "public" else []:
        precedent = reads_like(block)
        # what a rule speaks of it has judged: "no cream treats eczema"
        if precedent and matchers(audience, kind).are_silent(block):
            reason = f"it reads like “{precedent.text}”, {precedent.where}"
            found.append(Finding(precedent.rule, place, reason, " ".join(block.split())))
    return found


def _by_rules(text: str, place: str, audience: Audience, kind: Place = "text") -> list[Finding]:
    clean = readable(text)
    found: dict[tuple[str, str], Finding] = {}
    for hit in matchers(audience, kind).hits(clean):
        if hit.found in rules()[hit.label].may_be_warned_of and (_is_absent(clean, hit) or _is_warned_of(clean, hit)):
            continue
        excerpt = " ".join(clean[max(0, hit.start - _AROUND) : hit.end + _AROUND].split())
        found.setdefault((hit.label, hit.found), Finding(hit.label, place, hit.found, excerpt))
    return list(found.values())


def _is_absent(clean: str, hit: Hit) -> bool:
    """Whether a name stands there as what is not in it: "hydroquinone-free", "free from parabens and hydroquinone"."""
    return bool(_FREE_AFTER.match(clean, hit.end) or _FREE_BEFORE.search(clean, max(0, hit.start - _LIST), hit.start))


def _is_warned_of(clean: str, hit: Hit) -> bool:
    """Whether a name stands in a warning to those who take it: "not suitable if you use tretinoin"."""
    before = re.split(r"[.!?\n]", clean[max(0, hit.start - _SENTENCE) : hit.start])[-1]
    after = re.split(r"[.!?\n]", clean[hit.start : hit.start + _SENTENCE])[0]
    return bool(_TAKEN.search(before) and _WARNED.search(before + after))


def check_address(address: str, place: str = "link", audience: Audience = "public") -> list[Finding]:
    """What is wrong with the address of a link: its words, not its page."""
    leaks = [Finding("merge_tag", place, tag) for tag in _PERSONAL_TAG.findall(unquote(address))]
    found = leaks + _by_rules(address_text(address), place, audience, "link")
    return found or _by_precedents(path_text(address), place, audience, "link")


def check_image(address: str, alternative: str, place: str = "image", audience: Audience = "public") -> list[Finding]:
    """What is wrong with an image's name or alternative text. What it shows is not looked at."""
    name = _merge_tags(address, place) + _by_rules(address_text(address), place, audience, "image")
    name = name or _by_precedents(path_text(address), place, audience, "image")
    name += _merge_tags(alternative, f"{place}, alternative text")
    return name + check_text(alternative, f"{place}, alternative text", audience, "image")


def check_data(value: str, place: str = "data", name: str = "") -> list[Finding]:
    """What a title, tag or member field of Mailchimp's, or the field's name, tells of a person's health (UK GDPR art. 9)."""
    merge_tag = _merge_tags(value, place)
    if name.upper() in _OF_A_PERSON:  # Mr Burns may be well
        return merge_tag
    return merge_tag + _by_rules(f"{name}\n\n{humps_apart(value)}".replace("_", " "), place, "public", "data")


def _merge_tags(value: str, place: str) -> list[Finding]:
    ways = (value, unquote(value), unescape(unescape(value)))
    has_one = any(mark in _without_hidden(text) for text in ways for mark in ("*|", "|*"))
    return [Finding("merge_tag", place, "*|")] if has_one else []


def _without_hidden(text: str) -> str:
    """`text` without the characters that nobody sees, which somebody on the way may take out."""
    return text if text.isascii() else "".join(char for char in text if unicodedata.category(char) != "Cf")


def check_html(
    html: str, place: str = "HTML part", audience: Audience = "public", *, is_running_text: bool = False
) -> list[Finding]:
    """What is wrong with the text, links, images and attributes of an HTML text.

    The running text of an article is held against the rules only: what it tells at length is like too much.
    """
    parts = html_parts(html)
    found = _by_rules(parts.text, place, audience)
    if not found and not is_running_text:
        found = _by_precedents(parts.text, place, audience)
    for text in parts.attributes:
        found += check_text(text, f"{place}, attribute", audience)
    for address in dict.fromkeys(parts.links):
        found += check_address(address, f"{place}, link {address}", audience)
    for address, alternative in dict.fromkeys(parts.images):
        found += check_image(address, alternative, f"{place}, image {address}", audience)
    if pair := pair_of_pictures(parts.images):
        found.append(Finding("picture_of_before_and_after", place, "before … after", " | ".join(pair)))
    else:
        found += _by_rules(captions(parts.images), f"{place}, images together", audience, "image")
    return found


def check_catalogue(fields: Mapping[str, str], audience: Audience = "public") -> list[Finding]:
    """What is wrong with an article or a product, so that it must not be recommended.

    `fields` are its texts by their names in the contract (title, summary, body, name), and `url`.
    """
    found: list[Finding] = []
    for name, value in fields.items():
        found += _merge_tags(value, name)
        if name == "url":
            found += check_address(value, name, audience)
        elif looks_like_html(value):
            found += check_html(value, name, audience, is_running_text=name == "body")
        else:
            found += _by_rules(value, name, audience) if name == "body" else check_text(value, name, audience)
            for address in addresses_in(value):
                found += check_address(address, f"{name}, link {address}", audience)
    return _each_once(found)


def check_draft(draft: Draft) -> list[Finding]:
    """Everything that is wrong with an email. Empty: it may go to its audience, as far as software can tell."""
    found = check_text(draft.subject, "subject", draft.audience)
    found += check_text(draft.preheader, "preheader", draft.audience)
    found += check_html(draft.html, "HTML part", draft.audience)
    # by lines: an article's title and summary are judged as in the catalogue
    lines = draft.text.replace("\n", "\n\n")
    found += _by_rules(draft.text, "text part", draft.audience) or _by_precedents(lines, "text part", draft.audience)
    for address in dict.fromkeys(addresses_in(draft.text)):
        found += check_address(address, f"text part, link {address}", draft.audience)
    seen = html_parts(draft.html).text
    # what a subject hurries to may stand only in the email
    broken = {one.rule for one in found}
    together = _by_rules(f"{draft.subject}\n\n{draft.preheader}\n\n{seen}", "subject with HTML part", draft.audience)
    found += [one for one in together if one.rule not in broken]
    for what, fields in draft.linked.items():
        found += [
            Finding(one.rule, f"linked {what}, {one.place}", one.found, one.excerpt)
            for one in check_catalogue(fields, draft.audience)
        ]
    for what, value in draft.data.items():
        found += check_data(value, what)
    return _each_once([*found, *_missing(draft, seen)])


def _missing(draft: Draft, seen: str) -> Iterator[Finding]:
    """What must stand in each part and doesn't."""
    links = {link.strip().upper() for link in html_parts(draft.html).links}
    if "*|UNSUB|*" not in links:
        yield Finding("unsubscribe_missing", "HTML part", "")
    if "*|UNSUB|*" not in draft.text.upper():
        yield Finding("unsubscribe_missing", "text part", "")
    identity = {
        "its name": draft.identity.legal_name,
        "its number": draft.identity.number,
        "its registered office": draft.identity.registered_office,
    }
    for place, text in (("HTML part", seen), ("text part", draft.text)):
        clean = readable(text)
        said = f" {' '.join(words(clean))} "
        for what, value in identity.items():
            wanted = " ".join(words(readable(value)))
            if not wanted or f" {wanted} " not in said:
                yield Finding("identity_missing", place, what)
        if _stands(finder(*rules()["terms_missing"].when), clean):
            yield from _needs(rules()["terms_missing"], place, clean)
        if draft.audience == "professionals" and any(
            one.rule == "medicine_named" for one in _by_rules(text, place, "public")
        ):
            yield from _needs(rules()["prescribing_information_missing"], place, clean)


def _needs(rule: Rule, place: str, clean: str) -> Iterator[Finding]:
    for what, wordings in rule.needs.items():
        if not _stands(finder(*wordings), clean):
            yield Finding(rule.rule, place, what)


def _stands(looking: Worded, clean: str) -> bool:
    return next(looking.hits(clean), None) is not None


def _each_once(found: Iterable[Finding]) -> list[Finding]:
    once = {(one.rule, one.place, one.found): one for one in reversed(list(found))}
    return list(reversed(once.values()))
