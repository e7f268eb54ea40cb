"""The floor of bench_collector.py: the collector's framework and server, answering an empty 204. `empty_answer.py PORT`."""

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


async def nothing(request: Request) -> Response:
    return Response(status_code=204)


if __name__ == "__main__":
    app = Starlette(routes=[Route("/v1/article-views", nothing, methods=["POST"])])
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", access_log=False, server_header=False)
