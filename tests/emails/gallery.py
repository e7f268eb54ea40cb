"""`make gallery`: one page with every email in each mode, as its reader sees it, to be looked at by a person.

Written to `gallery/` under DATA_DIR. Widths of a small phone, a phone and a desk; light and dark; images off; the text part.
"""

import html
import shutil
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from orchestration.settings import Settings
from tests.emails.gates import Mail, launched
from tests.emails.mailing import SHOWN, mailed

WIDTHS = (320, 375, 700)
MODES = (("light", True), ("dark", True), ("light", False))  # colour scheme, and whether images are shown
PAGE = """<!doctype html>
<html lang="en-GB"><head><meta charset="utf-8"><title>Pennypost: every email in each mode</title><style>
body { font: 16px/1.5 sans-serif; margin: 32px; background: #e8e8ea; color: #222 }
section { margin: 0 0 56px } h2 { margin: 0 } figure { display: inline-block; vertical-align: top; margin: 12px 16px 12px 0 }
figcaption { font-size: 14px; color: #555 } img { box-shadow: 0 1px 4px #0004 } p { margin: 4px 0 }
pre { white-space: pre-wrap; overflow-wrap: anywhere; max-width: 720px; padding: 20px }
pre { background: #fff; box-shadow: 0 1px 4px #0004 }
</style></head><body><h1>Every email in each mode</h1>%s</body></html>
"""


def main() -> None:
    folder = Settings.from_env().data_dir / "gallery"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with (
        tempfile.TemporaryDirectory() as data_dir,
        mailed(Path(data_dir), crowd=40) as mailing,
        sync_playwright() as playwright,
    ):
        chromium = launched(playwright)
        mails = [mailing.mail(name) for name in SHOWN]
        sections = [_section(chromium, mail, folder) for mail in mails]
        chromium.close()
    page = folder / "index.html"
    page.write_text(PAGE % "".join(sections), encoding="utf-8")
    print(f"{len(mails)} emails: {page}")


def _section(chromium: Any, mail: Mail, folder: Path) -> str:
    figures = []
    for scheme, images in MODES:
        page = chromium.new_page(color_scheme=scheme)
        if not images:
            page.route("**/*.{png,jpg,jpeg,gif,webp,svg}", lambda route: route.abort())
        page.set_content(mail.html)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 400})
            mode = f"{width} px, {scheme}{'' if images else ', images off'}"
            name = f"{mail.name}-{mode.replace(', ', '-').replace(' ', '-')}.png"
            page.screenshot(path=folder / name, full_page=True)
            figures.append(
                f'<figure><figcaption>{mode}</figcaption><img src="{name}" width="{width}" alt="{mail.name}, {mode}"></figure>'
            )
        page.close()
    return (
        f"<section><h2>{mail.name}</h2><p>{html.escape(mail.subject)}</p>{''.join(figures)}"
        f"<figure><figcaption>text part</figcaption><pre>{html.escape(mail.text)}</pre></figure></section>"
    )


if __name__ == "__main__":
    main()
