"""``/clients/Client:0191…/evidence.svg``: the graph of a client's evidence, for those who may see the client."""

from __future__ import annotations

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.callers import Callers
from api.evidence.drawing import draw
from api.graphql.ids import parse_id
from api.graphql.masks import MASKED_ROLES
from api.graphql.values import Viewer
from api.http import problem
from api.language import spoken
from core.database import Database, driver
from sync.identity.explain import NoSuchClient
from sync.identity.graph import Graph, graph_of

PATH = "/clients/{client}/evidence.svg"
_MAY_SEE = (
    "select exists(select from client c join client k on k.workspace_id = c.workspace_id"
    " and k.id = coalesce(c.merged_into, c.id) where c.workspace_id = %(ws)s and c.id = %(id)s"
    " and (%(own)s::uuid[] is null or k.responsible_id = any(%(own)s::uuid[])))"
)


class EvidenceDoor:
    """Draws the evidence of a client for a caller with a token; analysts see no names and no values of keys."""

    def __init__(self, database: Database, callers: Callers) -> None:
        self._database, self._callers = database, callers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(Request(scope))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return problem(405, "Ask for the picture by GET.", headers={"Allow": "GET, HEAD"})
        viewer = await self._callers.who(request)
        if isinstance(viewer, Response):
            return viewer
        named = parse_id(request.path_params["client"])
        graph = await self._graph(viewer, named[1]) if named is not None and named[0] == "Client" else None
        if graph is None:
            return problem(404, "There is no such client.", code="NOT_FOUND")
        picture = draw(graph, spoken(), masked=viewer.role in MASKED_ROLES)
        headers = {"Content-Language": spoken(), "Vary": "Accept-Language"}
        return Response(picture, media_type="image/svg+xml", headers=headers)

    async def _graph(self, viewer: Viewer, client: UUID) -> Graph | None:
        """The evidence, if there is such a client for the viewer."""
        asked = {"ws": viewer.workspace_id, "id": client, "own": None if viewer.own is None else list(viewer.own)}
        async with self._database.workspace(viewer.workspace_id) as db:
            conn = driver(db)
            row = await (await conn.execute(_MAY_SEE, asked)).fetchone()
            if row is None or not row[0]:
                return None
            try:
                return await graph_of(conn, viewer.workspace_id, client)
            except NoSuchClient:
                return None
