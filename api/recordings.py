"""``/recordings/Call:0191…``: the sound of a call, for those who may see where it is.

Some systems keep recordings behind the connection's own token, which must not leave Skvoz: then the sound is
fetched and handed on. Where a recording's address opens by itself, the caller is sent there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from api.callers import Callers
from api.graphql.ids import parse_id
from api.graphql.masks import MASKED_ROLES
from api.graphql.values import Viewer
from api.http import problem
from connectors.errors import QuotaExhausted, RateLimited, Transient, VendorError
from sync.connections import open_connection, session
from sync.errors import NotFound
from sync.office import Office

log = structlog.get_logger(__name__)

PATH = "/recordings/{call}"
_NONE = "There is no recording of such a call."


@dataclass(frozen=True, slots=True)
class _Recorded:
    connection_id: UUID
    external_id: str
    recording_url: str


class RecordingDoor:
    """Hands the sound of a call to a caller with a token who may see personal data, of clients that he may see."""

    def __init__(self, office: Office, callers: Callers) -> None:
        self._office, self._callers = office, callers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(Request(scope))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return problem(405, "Ask for a recording by GET.", headers={"Allow": "GET, HEAD"})
        viewer = await self._callers.who(request)
        if isinstance(viewer, Response):
            return viewer
        if viewer.role in MASKED_ROLES:
            return problem(403, f"The role {viewer.role} may not hear recordings.", code="FORBIDDEN")
        call = parse_id(request.path_params["call"])
        recorded = None
        if call is not None and call[0] == "Call":
            recorded = await self._recorded(viewer, call[1])
        if recorded is None:
            return problem(404, _NONE, code="NOT_FOUND")
        return await self._sound(viewer, recorded)

    async def _recorded(self, viewer: Viewer, call: UUID) -> _Recorded | None:
        """The call, if it was recorded and the viewer may see its client."""
        async with self._office.database.workspace(viewer.workspace_id) as db:
            row = (
                await db.execute(
                    text("""
                    select c.connection_id, c.external_id, c.recording_url from call c
                    left join client k on k.workspace_id = c.workspace_id and k.id = c.client_id
                    where c.workspace_id = :ws and c.id = :id and c.deleted_at is null
                        and c.recording_url is not null
                        and (cast(:own as uuid[]) is null or c.responsible_id = any(:own)
                            or k.responsible_id = any(:own))
                    """),
                    {
                        "ws": viewer.workspace_id,
                        "id": call,
                        "own": None if viewer.own is None else list(viewer.own),
                    },
                )
            ).one_or_none()
        return None if row is None else _Recorded(*row)

    async def _sound(self, viewer: Viewer, recorded: _Recorded) -> Response:
        try:
            opened = await open_connection(self._office, viewer.workspace_id, recorded.connection_id)
        except NotFound:
            return problem(404, "The connection that the call came through was removed.", code="NOT_FOUND")
        ask: Any = opened.connector.recording
        if ask is None:
            if not recorded.recording_url.startswith(("https://", "http://")):
                return problem(404, _NONE, code="NOT_FOUND")
            return RedirectResponse(recorded.recording_url, 302)
        try:
            async with session(self._office, opened) as client:
                answer = await client.send(ask(opened.settings, recorded.external_id))
        except VendorError as error:
            busy = isinstance(error, RateLimited | QuotaExhausted | Transient)
            return problem(503 if busy else 502, error.sentence, code=error.code)
        if answer.status == 404:
            return problem(
                404, f"{opened.connector.title} has no recording of this call (any more).", code="NOT_FOUND"
            )
        log.info("recording.served", connection=str(opened.id), token=viewer.token_id)
        media = answer.headers.get("content-type", "")
        # whatever else a system sends must not be run by a browser
        return Response(
            answer.content, media_type=media if media.startswith("audio/") else "application/octet-stream"
        )
