"""``/export/clients.parquet?from=2026-01-01&after=…``: tables for analysts over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from datetime import date
from typing import TYPE_CHECKING

import structlog
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from api.callers import Callers
from api.exports.asking import MEDIA_TYPES, Asked, CursorTooOld, ExportRefused, Format, NoSuchExport
from api.graphql.values import Viewer
from api.http import problem
from core.database import Database, driver
from schema.enums import Role

if TYPE_CHECKING:
    from api.exports.reading import Export

log = structlog.get_logger(__name__)

PATH = "/export/{name}.{form}"
_KNOWN = frozenset({"from", "to", "after"})
_MAY = frozenset({Role.OWNER, Role.ANALYST, Role.INTEGRATION})


class ExportDoor:
    """Streams a table to a caller with a token; analysts get personal data masked."""

    def __init__(self, database: Database, callers: Callers) -> None:
        self._database, self._callers = database, callers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        response = await self._answer(request)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method != "GET":
            return problem(405, "Ask for an export by GET.", headers={"Allow": "GET"})
        viewer = await self._callers.who(request)
        if isinstance(viewer, Response):
            return viewer
        if viewer.role not in _MAY:
            return problem(403, f"The role {viewer.role} may not export tables.", code="FORBIDDEN")
        return await self._export(request, viewer)

    async def _export(self, request: Request, viewer: Viewer) -> Response:
        try:
            form = _form(request.path_params["form"])
            asked = _asked(request.query_params, viewer)
        except ExportRefused as error:
            return problem(400, str(error), code=error.code)
        stack = AsyncExitStack()
        try:
            export = await open_export(stack, self._database, request.path_params["name"], asked)
        except CursorTooOld as error:
            await stack.aclose()
            return problem(410, str(error), code=error.code)
        except ExportRefused as error:
            await stack.aclose()
            return problem(404 if isinstance(error, NoSuchExport) else 400, str(error), code=error.code)
        except BaseException:
            await stack.aclose()
            raise
        log.info("export.began", export=export.name, form=str(form), token=viewer.token_id)
        headers = {
            "Skvoz-Cursor": str(export.cursor),
            "Content-Disposition": f'attachment; filename="{export.name}.{form}"',
        }
        return StreamingResponse(_closing(stack, export, form), media_type=MEDIA_TYPES[form], headers=headers)


async def open_export(stack: AsyncExitStack, database: Database, name: str, asked: Asked) -> Export:
    """Begin an export in a transaction that ends with ``stack``. Raises ExportRefused and CursorTooOld."""
    from api.exports.credits import export_credits  # with Arrow, which nothing else of the API needs
    from api.exports.reading import export_view, view_named

    view = None if name == "credits" else view_named(name)
    conn = driver(await stack.enter_async_context(database.snapshot(asked.workspace_id)))
    return await export_credits(conn, asked) if view is None else await export_view(conn, view, asked)


async def _closing(stack: AsyncExitStack, export: Export, form: Format) -> AsyncIterator[bytes]:
    from api.exports.formats import written

    async with stack:
        async for part in written(export, form):
            yield part


def _form(given: str) -> Format:
    try:
        return Format(given)
    except ValueError:
        raise ExportRefused(f"There is no format {given!r}: ask for {', '.join(Format)}.") from None


def _asked(query: Mapping[str, str], viewer: Viewer) -> Asked:
    unknown = sorted(set(query) - _KNOWN)
    if unknown:
        raise ExportRefused(f"There is no parameter {unknown[0]!r}: an export takes from, to and after.")
    after = query.get("after")
    if after is not None and not after.isdecimal():
        raise ExportRefused("after is the cursor of an earlier export: the header Skvoz-Cursor, a number.")
    return Asked(
        viewer.workspace_id,
        viewer.role,
        _day(query, "from"),
        _day(query, "to"),
        None if after is None else int(after),
    )


def _day(query: Mapping[str, str], name: str) -> date | None:
    given = query.get(name)
    if given is None:
        return None
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise ExportRefused(f"{name} is a day like 2026-01-31.") from None
