"""``/report/2026-10.pdf?lang=ru``: the monthly report over HTTP, and how it is printed."""

from __future__ import annotations

import asyncio
from datetime import date, datetime
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.callers import Callers
from api.graphql.ids import parse_id
from api.graphql.masks import MASKED_ROLES
from api.http import problem
from core.database import Database, PsycopgConnection, driver
from reports.client_document import LANGUAGES, document
from reports.client_page import as_html
from reports.client_pdf import as_pdf
from reports.client_report import client_report
from reports.terms import Terms, read_terms
from schema.enums import Role

PATH = "/report/{month}.{form}"
FORMS = {"html": "text/html; charset=utf-8", "pdf": "application/pdf"}
"""What the report is printed as, with its media type."""
_KNOWN = frozenset({"client", "lang"})


async def printed(
    conn: PsycopgConnection,
    terms: Terms,
    month: date,
    client_id: UUID | None,
    language: str,
    form: str,
    *,
    masked: bool = False,
) -> bytes:
    """The report of a month as HTML or PDF. Raises ``LookupError`` for an unknown client."""
    report = await client_report(conn, terms, month, client_id, masked=masked)

    def draw() -> bytes:
        page = document(report, language, of_client=client_id is not None)
        return as_pdf(page) if form == "pdf" else as_html(page).encode()

    return await asyncio.to_thread(draw)


class ReportDoor:
    """Prints the monthly report for a caller with a token; analysts get it without names."""

    def __init__(self, database: Database, callers: Callers) -> None:
        self._database, self._callers = database, callers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(Request(scope))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method != "GET":
            return problem(405, "Ask for a report by GET.", headers={"Allow": "GET"})
        viewer = await self._callers.who(request)
        if isinstance(viewer, Response):
            return viewer
        if viewer.role is Role.INTEGRATION or viewer.own is not None:
            return problem(403, "This key may not read the report of all clients.", code="FORBIDDEN")
        try:
            month, client, language, form = _asked(request)
        except ValueError as error:
            return problem(400, str(error), code="BAD_USER_INPUT")
        try:
            async with self._database.workspace(viewer.workspace_id) as db:
                terms = await read_terms(driver(db), viewer.workspace_id)
                masked = viewer.role in MASKED_ROLES
                page = await printed(driver(db), terms, month, client, language, form, masked=masked)
        except LookupError as error:
            return problem(404, str(error), code="NOT_FOUND")
        name = f'attachment; filename="report-{month:%Y-%m}-{language}.{form}"' if form == "pdf" else "inline"
        headers = {
            "Content-Disposition": name,
            "Cache-Control": "no-store",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
        }
        return Response(page, media_type=FORMS[form], headers=headers)


def _asked(request: Request) -> tuple[date, UUID | None, str, str]:
    """The month, the client, the language and the form. Raises ``ValueError``."""
    query, form = request.query_params, request.path_params["form"]
    if unknown := sorted(set(query) - _KNOWN):
        raise ValueError(f"There is no parameter {unknown[0]!r}: a report takes client and lang.")
    if form not in FORMS:
        raise ValueError(f"There is no form {form!r}: ask for {' or '.join(FORMS)}.")
    language = query.get("lang", "ru")
    if language not in LANGUAGES:
        raise ValueError(f"The report is written in {' or '.join(LANGUAGES)}, not in {language!r}.")
    try:
        month = datetime.strptime(request.path_params["month"], "%Y-%m").date()  # noqa: DTZ007 - a month has no zone
    except ValueError:
        raise ValueError("The month is one like 2026-10.") from None
    given = query.get("client")
    parsed = parse_id(given) if given else None
    if given and (parsed is None or parsed[0] != "Client"):
        raise ValueError(f"{given!r} isn't the id of a Client.")
    return month, parsed[1] if parsed else None, language, form
