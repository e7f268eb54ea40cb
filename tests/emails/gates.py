"""What an email must keep before anybody gets one. Each gate gives what is wrong, in words; nothing is an email that passes."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

HERE = Path(__file__).parent
LARGEST = 85_000  # bytes as a reader receives it; Gmail clips at about 102 KB
SPAM_LIMIT = 2.0
WIDTHS = (375, 700)
SCHEMES = ("light", "dark")
_AXE = HERE / "node_modules" / "axe-core" / "axe.min.js"


@dataclass(frozen=True)
class Mail:
    """One email as its reader has it."""

    name: str
    subject: str
    html: str
    text: str


def mjml(markup: dict[str, str], folder: Path) -> list[str]:
    """npm's own MJML on what ours renders from: it knows attributes that do not exist, ours does not."""
    files = [_written(folder, f"{name}.mjml", text) for name, text in markup.items()]
    said = subprocess.run(
        [HERE / "node_modules/.bin/mjml", "--validate", *files], capture_output=True, text=True, cwd=HERE
    )
    lines = [line for line in (said.stdout + said.stderr).splitlines() if line.strip()]
    return lines if said.returncode else []


def npm_tools(mails: Iterable[Mail], folder: Path) -> dict[str, dict[str, list[str]]]:
    """name of the email → what html-validate (with email-profile.json) and caniemail (but for progressive.json) say."""
    files = {str(_written(folder, f"{mail.name}.html", mail.html)): mail.name for mail in mails}
    said = subprocess.run(
        ["node", HERE / "gates.mjs"],  # noqa: S607, of the machine
        input=json.dumps({"html": list(files)}),
        capture_output=True,
        text=True,
        cwd=HERE,
    )
    assert said.returncode == 0, said.stderr
    return {files[file]: found for file, found in json.loads(said.stdout).items()}


def launched(playwright: Any) -> Any:
    """Debian's Chromium, or the one that CHROMIUM names."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert path, "No Chromium: install it, or set CHROMIUM to where it is."
    return playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-background-networking"])


def axe(browser: Any, mail: Mail) -> list[str]:
    """Serious and critical findings of axe-core in a real browser, and anything that is wider than a phone."""
    found = []
    for scheme in SCHEMES:
        page = browser.new_page(color_scheme=scheme)
        page.set_content(mail.html)
        page.add_script_tag(path=str(_AXE))
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            for one in page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]:
                if one["impact"] in ("serious", "critical"):
                    at = "; ".join(node["html"][:90] for node in one["nodes"][:3])
                    found.append(f"{scheme}, {width} px: {one['id']}: {one['help']}: {at}")
        page.set_viewport_size({"width": 320, "height": 800})
        if (wide := page.evaluate("document.documentElement.scrollWidth")) > 320:
            found.append(f"{scheme}: {wide} px wide on a screen of 320")
        page.close()
    return found


def spam(mail: Mail, sent_at: Any) -> list[str]:
    """SpamAssassin's local rules, on the email as a mail server would get it."""
    message = EmailMessage()
    message["From"] = "Larkspur Skin <hello@larkspur-skin.test>"
    message["To"] = "reader@mail.test"
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(sent_at)
    message["Message-ID"] = "<w1.1@larkspur-skin.test>"
    message["List-Unsubscribe"] = "<https://larkspur-skin.test/unsubscribe>"
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    said = subprocess.run(
        ["spamassassin", "-L", "-t"],  # noqa: S607, of the machine
        input=message.as_bytes(),
        capture_output=True,
        check=True,
    )
    told = said.stdout.decode(errors="replace")
    score = float(re.search(r"^X-Spam-Status:.*?score=(-?[\d.]+)", told, re.M | re.S)[1])
    why = re.findall(r"^ *(-?\d+\.\d [A-Z][A-Z0-9_]+ .*)$", told, re.M)
    return [f"score {score}, at most {SPAM_LIMIT} is allowed: {'; '.join(why)}"] if score >= SPAM_LIMIT else []


def size(mail: Mail) -> list[str]:
    got = len(mail.html.encode())
    return [f"{got:,} bytes, at most {LARGEST:,} are allowed"] if got >= LARGEST else []


def links(mail: Mail, *, shop: str, unsubscribe: str, preferences: str) -> list[str]:
    """Every link is absolute, https and one of ours or the reader's own to the preference page, which is in each part.

    There is one to unsubscribe in each part, and none is in one part only.
    """
    html, text = _links(mail.html), re.findall(r"https?://\S+", mail.text)
    found = []
    for link in [*html, *text]:
        parts = urlsplit(link)
        if link == unsubscribe:
            continue
        if parts.scheme != "https" or not parts.netloc:
            found.append(f"{link!r} is not absolute and https")
        elif link == preferences:
            continue
        elif parts.netloc != urlsplit(shop).netloc:
            found.append(f"{link!r} leads to nobody we know")
        elif link != shop and "utm_campaign=" not in parts.query:
            found.append(f"{link!r} does not say which campaign it is of")
    for part, its in (("HTML", html), ("text", text)):
        if its.count(unsubscribe) != 1:
            found.append(f"the {part} part has {its.count(unsubscribe)} links to unsubscribe, not one")
        if its.count(preferences) != 1:
            found.append(f"the {part} part has {its.count(preferences)} links to the reader's preferences, not one")
    return [
        *found,
        *(f"{link!r} is not in the text part" for link in html if urlsplit(link).path != "/" and link not in text),
    ]


def left_over(mail: Mail) -> list[str]:
    """Merge tags that nobody carried out."""
    return [f"{tag} was not carried out" for part in (mail.html, mail.text) for tag in re.findall(r"\*\|.*?\|\*", part)]


def _links(html: str) -> list[str]:
    class Links(HTMLParser):
        found: list[str] = []  # noqa: RUF012

        def handle_starttag(self, tag: str, attrs: list) -> None:
            if tag == "a":
                self.found.append(dict(attrs).get("href") or "")

    parser = Links()
    parser.found = []
    parser.feed(html)
    return parser.found


def _written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path
