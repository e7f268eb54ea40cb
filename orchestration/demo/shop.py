"""The demo shop's blog as pages: with the collector's beacon, a banner that asks first, and the newsletter form."""

from pathlib import Path

import uvicorn
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from orchestration.demo.catalogue import articles
from orchestration.demo.events import WORDING
from orchestration.settings import Settings

TEMPLATES = Path(__file__).parent / "templates"
HOST = "127.0.0.1"


def serve(settings: Settings) -> None:
    """Serve the pages on settings.demo_port until stopped."""
    uvicorn.run(create_app(settings.collector_url), host=HOST, port=settings.demo_port, log_level="warning")


def create_app(collector_url: str) -> Starlette:
    """The pages: `/` lists what is published, `/blog/<slug>` is an article."""
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    page = environment.get_template("page.html")
    published = {article.slug: article for article in articles().values() if article.status == "publish"}

    def shown(request: Request) -> Response:
        slug = request.path_params.get("slug")
        if slug is not None and slug not in published:
            raise HTTPException(404, "There is no such article.")
        said = {"article": published.get(slug), "articles": published.values(), "wording": WORDING}
        return HTMLResponse(page.render(said, collector_url=collector_url))

    return Starlette(routes=[Route("/", shown), Route("/blog/{slug}", shown)])
