"""The outbox: plain pages that show every campaign, and every email as its reader sees it."""

import json
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from orchestration.sandbox.letter import Letter, letter_of, preview_of
from orchestration.sandbox.reports import outcome_counts
from orchestration.sandbox.sending import audience_size, leave
from orchestration.sandbox.store import Store

PAGE_SIZE = 50

# The email is somebody else's HTML: it may show itself and follow links, and nothing more.
_EMAIL_POLICY = "sandbox allow-popups allow-popups-to-escape-sandbox; script-src 'none'; form-action 'none'"
_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; form-action 'self'"

_pages = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class Outbox:
    """The pages over one store. Each method answers one request."""

    def __init__(self, store: Store, clock: Callable[[], str]) -> None:
        self._store = store
        self._clock = clock

    def campaigns(self, request: Request) -> Response:
        with self._store.transaction() as db:
            rows = db.execute(
                """
                select * from campaigns
                where not is_deleted or exists (select 1 from emails where emails.campaign_id = campaigns.id)
                order by web_id desc
                """
            ).fetchall()
            campaigns = [_summary(db, row) for row in rows]
        return _page("campaigns.html", campaigns=campaigns)

    def campaign(self, request: Request) -> Response:
        with self._store.transaction() as db:
            row = _campaign(db, request.path_params["campaign_id"])
            if row is None:
                return _missing()
            emails, total, page = _search(db, row["id"], request.query_params)
            letters = [letter_of(db, email, _root(request)) for email in emails]
            summary = _summary(db, row)
            is_draft = row["status"] == "save" and row["html"] is not None
            preview = preview_of(db, row, _root(request), self._clock()) if is_draft else None
        return _page(
            "campaign.html",
            campaign=summary,
            letters=letters,
            preview=preview,
            total=total,
            page=page,
            pages=max(1, -(-total // PAGE_SIZE)),
            query=request.query_params.get("q", ""),
        )

    def preview(self, request: Request) -> Response:
        with self._store.transaction() as db:
            row = _campaign(db, request.path_params["campaign_id"])
            letter = None if row is None else preview_of(db, row, _root(request), self._clock())
        return _missing() if letter is None else _email_page(letter)

    def email(self, request: Request) -> Response:
        letter = self._letter(request)
        return _missing() if letter is None else _page("email.html", letter=letter)

    def html(self, request: Request) -> Response:
        letter = self._letter(request)
        return _missing() if letter is None else _email_page(letter)

    def text(self, request: Request) -> Response:
        letter = self._letter(request)
        return _missing() if letter is None else PlainTextResponse(letter.text)

    def unsubscribe(self, request: Request) -> Response:
        """What the links to unsubscribe and to preferences lead to. GET asks, POST unsubscribes."""
        with self._store.transaction() as db:
            email = _email(db, request)
            if email is None:
                return _missing()
            if request.method == "POST":
                leave(db, email, self._clock())
                return RedirectResponse(request.url.path, status_code=303)
            letter = letter_of(db, email, _root(request))
        return _page("unsubscribe.html", letter=letter)

    def as_json(self, request: Request) -> Response:
        """Every email but tests, oldest first; `campaign_id` and `to` narrow it down."""
        wanted = {
            "campaign": request.query_params.get("campaign_id"),
            "to": request.query_params.get("to", "").lower() or None,
        }
        with self._store.transaction() as db:
            emails = db.execute(
                """
                select * from emails
                where not is_test and (:campaign is null or campaign_id = :campaign)
                    and (:to is null or lower(email_address) = :to)
                order by id
                """,
                wanted,
            ).fetchall()
            cache: dict[str, Any] = {}
            root = _root(request)
            return JSONResponse([_entry(letter_of(db, email, root, cache), root) for email in emails])

    def _letter(self, request: Request) -> Letter | None:
        with self._store.transaction() as db:
            email = _email(db, request)
            return None if email is None else letter_of(db, email, _root(request))


def outbox_routes(store: Store, clock: Callable[[], str]) -> list[Route]:
    pages = Outbox(store, clock)
    return [
        Route("/", pages.campaigns),
        Route("/outbox.json", pages.as_json),
        Route("/campaigns/{campaign_id}", pages.campaign),
        Route("/campaigns/{campaign_id}/preview", pages.preview),
        Route("/emails/{email_id:int}", pages.html),
        Route("/emails/{email_id:int}.txt", pages.text),
        Route("/emails/{email_id:int}/view", pages.email),
        Route("/emails/{email_id:int}/unsubscribe", pages.unsubscribe, methods=["GET", "POST"]),
        Route("/emails/{email_id:int}/preferences", pages.unsubscribe, methods=["GET", "POST"]),
    ]


def _entry(letter: Letter, root: str) -> Mapping[str, Any]:
    return {
        "campaign_id": letter.campaign_id,
        "title": letter.title,
        "to": letter.to,
        "subject": letter.subject,
        "html_url": f"{root}/emails/{letter.email_id}",
        "text_url": f"{root}/emails/{letter.email_id}.txt",
        "sent_at": letter.sent_at,
        "status": letter.status,
        "merge_fields": letter.merge_fields,
    }


def _summary(db: sqlite3.Connection, row: sqlite3.Row) -> Mapping[str, Any]:
    settings = json.loads(row["settings"])
    counts = outcome_counts(db, row["id"])
    is_sent = row["status"] in ("sending", "sent")
    return {
        "id": row["id"],
        "title": settings.get("title") or "(no title)",
        "subject": settings.get("subject_line") or "(no subject)",
        "status": "deleted" if row["is_deleted"] else row["status"],
        "time": row["send_time"] or row["create_time"],
        "recipients": counts["sent"] if is_sent else audience_size(db, row),
        "sent": counts["sent"] - counts["hard"] - counts["soft"],
        "bounced": counts["hard"] + counts["soft"],
        "unsubscribed": counts["unsubscribed"] + counts["complaints"],
        "complaints": counts["complaints"],
    }


def _campaign(db: sqlite3.Connection, campaign_id: str) -> sqlite3.Row | None:
    return db.execute("select * from campaigns where id = ?", (campaign_id,)).fetchone()


def _email(db: sqlite3.Connection, request: Request) -> sqlite3.Row | None:
    return db.execute("select * from emails where id = ?", (request.path_params["email_id"],)).fetchone()


def _search(db: sqlite3.Connection, campaign_id: str, query: Mapping[str, str]) -> tuple[list[sqlite3.Row], int, int]:
    """A page of the campaign's emails whose address contains `q`; how many there are; which page it is (from 1)."""
    source = "from emails where campaign_id = ? and instr(lower(email_address), ?) > 0"
    wanted = (campaign_id, query.get("q", "").strip().lower())
    total = db.execute(f"select count(*) {source}", wanted).fetchone()[0]
    asked = query.get("page", "1")
    page = min(int(asked) if asked.isdecimal() else 1, max(1, -(-total // PAGE_SIZE))) or 1
    rows = db.execute(f"select * {source} order by id limit ? offset ?", (*wanted, PAGE_SIZE, (page - 1) * PAGE_SIZE))
    return rows.fetchall(), total, page


def _root(request: Request) -> str:
    return str(request.base_url).rstrip("/")


def _page(name: str, **values: Any) -> Response:
    text = _pages.get_template(name).render(**values)
    return HTMLResponse(text, headers={"Content-Security-Policy": _PAGE_POLICY})


def _email_page(letter: Letter) -> Response:
    return HTMLResponse(letter.html, headers={"Content-Security-Policy": _EMAIL_POLICY})


def _missing() -> Response:
    text = _pages.get_template("missing.html").render()
    return HTMLResponse(text, 404, headers={"Content-Security-Policy": _PAGE_POLICY})
