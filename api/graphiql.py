"""The explorer at ``/graphiql``, served from this machine alone: GraphiQL if it was built (``make web``), else a
plain page of our own with which queries can be sent too."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

_BUILT = Path(__file__).parent.parent / "web" / "dist" / "graphiql"
_PLAIN = Path(__file__).parent / "pages" / "plain.html"
_SCRIPT = Path(__file__).parent / "pages" / "plain.js"
_POLICY = (
    "default-src 'none'; script-src 'self' blob:; worker-src 'self' blob:; style-src 'self' 'unsafe-inline'; "
    "font-src 'self' data:; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}


def explorer_routes() -> list[Route]:
    return [
        Route("/graphiql", _page, methods=["GET"]),
        Route("/graphiql/{name:path}", _asset, methods=["GET"]),
    ]


async def _page(_request: Request) -> Response:
    page = _BUILT / "index.html"
    return HTMLResponse((page if page.is_file() else _PLAIN).read_text(encoding="utf-8"), headers=_HEADERS)


async def _asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name == _SCRIPT.name:
        return FileResponse(_SCRIPT, headers=_HEADERS)
    found = (_BUILT / name).resolve()
    if not found.is_relative_to(_BUILT) or not found.is_file():
        return Response("There is no such file.", 404, media_type="text/plain")
    return FileResponse(found, headers=_HEADERS)
