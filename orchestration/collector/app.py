"""The collector as one Starlette application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from orchestration.collector.callers import Callers, Rate
from orchestration.collector.counts import CONTENT_TYPE, Counts
from orchestration.collector.events import EventDoor
from orchestration.collector.journal import Journal, NotStored
from orchestration.collector.openapi import described
from orchestration.collector.preferences import PreferencePage
from orchestration.collector.webhooks import WebhookDoors
from orchestration.core.contracts import ARTICLE_VIEWS, SIGNUPS
from orchestration.settings import Settings

BEACON = Path(__file__).parent / "static" / "beacon.js"


class Cors(CORSMiddleware):
    """Starlette's, but a request without an origin, which is no browser's on a page, passes by untouched."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and b"origin" not in dict(scope["headers"]):
            await self.app(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def create_app(settings: Settings) -> Starlette:
    """The application that writes into settings.landing_dir; it starts to write when it is served."""
    journal, counts = Journal(settings.landing_dir), Counts()
    rate = Rate(settings.collector_rate)
    callers = Callers(settings.collector_key, settings.collector_origins, rate)
    webhooks = WebhookDoors(settings, rate, journal, counts)
    preferences = PreferencePage(settings, rate, journal, counts)

    async def healthz(request: Request) -> Response:
        return JSONResponse({"status": "up"})

    async def metrics(request: Request) -> Response:
        return Response(counts.text(journal), headers={"Content-Type": CONTENT_TYPE})

    async def beacon(request: Request) -> Response:
        return FileResponse(BEACON, media_type="text/javascript", headers={"Cache-Control": "public, max-age=3600"})

    async def openapi(request: Request) -> Response:
        return JSONResponse(described(settings))

    async def refused(request: Request, error: HTTPException) -> Response:
        counts.refused(error.status_code)
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)

    async def not_stored(request: Request, error: NotStored) -> Response:
        counts.refused(503)
        return JSONResponse({"error": "can't be stored just now: send it again"}, 503, {"Retry-After": "10"})

    async def failed(request: Request, error: Exception) -> Response:
        counts.refused(500)
        return JSONResponse({"error": "something went wrong here"}, 500)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await journal.start()
        yield
        await journal.stop()

    routes = [
        Route("/v1/article-views", EventDoor(ARTICLE_VIEWS, settings, callers, journal, counts), methods=["POST"]),
        Route("/v1/signups", EventDoor(SIGNUPS, settings, callers, journal, counts), methods=["POST"]),
        Route("/webhooks/woocommerce", webhooks.woocommerce, methods=["POST"]),
        Route("/webhooks/mailchimp", webhooks.mailchimp_validation, methods=["GET"]),
        Route("/webhooks/mailchimp", webhooks.mailchimp, methods=["POST"]),
        Route("/preferences/{token}", preferences.show, methods=["GET"]),
        Route("/preferences/{token}", preferences.take, methods=["POST"]),
        Route("/beacon.js", beacon),
        Route("/healthz", healthz),
        Route("/metrics", metrics),
        Route("/openapi.json", openapi),
    ]
    return Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[
            Middleware(
                Cors,
                allow_origins=settings.collector_origins,
                allow_methods=["POST"],
                allow_headers=["Content-Type"],
            )
        ],
        exception_handlers={HTTPException: refused, NotStored: not_stored, Exception: failed},
    )
