"""What an email's markup and an address consist of: the texts that somebody reads, the links, the images.

HTML ── tags out, text joined ──► text, and what stands in attributes
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from html import unescape
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

_INLINE = frozenset(
    """
    a abbr b bdi bdo big cite code data del dfn em font i ins kbd mark q s samp small span strike strong sub sup u var wbr
    """.split()
)
_UNSEEN = {"style", "script", "o:pixelsperinch"}
_TEXT_ATTRIBUTES = (
    "alt", "title", "aria-label", "aria-description", "content", "placeholder", "value", "summary", "label", "download",
)  # fmt: skip
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True)
class HtmlParts:
    """What a reader, or a machine, sees of an HTML part: its text, its links, its images, and the texts of attributes."""

    text: str
    links: tuple[str, ...]
    images: tuple[tuple[str, str], ...]  # address, alternative text
    attributes: tuple[str, ...]


def _gap(tag: str) -> str:
    return "" if tag in _INLINE else "\n" if tag == "br" else "\n\n"


class _Parts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.links: list[str] = []
        self.images: list[tuple[str, str]] = []
        self.attributes: list[str] = []
        self.unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.unseen += tag in _UNSEEN
        self.text.append(_gap(tag))
        self.links += [found[name] for name in ("href", "action") if found.get(name)]
        images = [found[name] for name in ("src", "srcset", "background", "poster") if found.get(name)]
        images += re.findall(r"url\(\s*['\"]?([^'\")]+)", found.get("style", ""))
        self.images += [(address, found.get("alt", "")) for address in images]
        self.attributes += [found[name] for name in _TEXT_ATTRIBUTES if found.get(name)]

    def handle_endtag(self, tag: str) -> None:
        self.unseen = max(0, self.unseen - (tag in _UNSEEN))
        self.text.append(_gap(tag))

    def handle_data(self, data: str) -> None:
        if not self.unseen:
            self.text.append(re.sub(r"\s+", " ", data))

    def handle_comment(self, data: str) -> None:
        # Outlook shows what others take for a comment
        if data.lstrip().lower().startswith("[if"):
            inner = html_parts(data[data.find(">") + 1 : data.rfind("<!")])
            self.text.append(inner.text)
            self.links += inner.links
            self.images += inner.images
            self.attributes += inner.attributes


def html_parts(html: str) -> HtmlParts:
    """The parts of an HTML text. Inline tags leave no gap ("b<b>ot</b>ox" is one word), all others do."""
    try:
        parser = _parsed(html)
    except AssertionError:  # a declaration that is none, such as "<![if"
        parser = _parsed(re.sub(r"<!(?!--)", "&lt;!", html))
    return HtmlParts("".join(parser.text), tuple(parser.links), tuple(parser.images), tuple(parser.attributes))


def _parsed(html: str) -> _Parts:
    parser = _Parts()
    parser.feed(html)
    parser.close()
    return parser


def blocks(text: str) -> list[str]:
    """The paragraphs, headings and cells of a text of HtmlParts, or of one that is written so."""
    return [block for block in re.split(r"\n\s*\n", text) if block.strip()]


def looks_like_html(text: str) -> bool:
    return re.search(r"<[a-zA-Z/!]", text) is not None


_ADDRESS = re.compile(r"https?://[^\s<>\"')\]]+", re.IGNORECASE)


def addresses_in(text: str) -> Iterator[str]:
    """The web addresses that stand in a plain text."""
    for found in _ADDRESS.finditer(text):
        yield found[0].rstrip(".,;:!?")


_CAMPAIGN = re.compile(r"\butm_\w+=[^&#]*&?", re.IGNORECASE)
_PUNYCODE = re.compile(r"\bxn--[a-z0-9-]+", re.IGNORECASE)


@cache
def _punycode(label: str) -> str:
    try:
        return label.encode("ascii").decode("idna")
    except UnicodeError:
        return label


def humps_apart(name: str) -> str:
    """A name as it is and, where it is written like "EczemaClub", once more in words: capitals may also mean nothing."""
    apart = _HUMP.sub(" ", name)
    return name if apart == name else f"{name}\n\n{apart}"


def address_text(address: str) -> str:
    """What an address says, as text: percent-encoding undone as often as it was done, a host's look-alike letters shown."""
    for _ in range(3):
        address = unquote(unescape(address))
    address = _PUNYCODE.sub(lambda label: _punycode(label[0].lower()), address)
    # a folder's name is no part of the file's, and may be a letter: "i/b-e-f-o-r-e"
    return humps_apart(address).replace("/", "/\n")


def path_text(address: str) -> str:
    """What an address says but for its host and its campaign, which are the same for many links and images."""
    try:
        rest = urlsplit(address)._replace(scheme="", netloc="").geturl()
    except ValueError:
        rest = address
    return address_text(_CAMPAIGN.sub("", rest))
