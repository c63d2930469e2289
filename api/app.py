"""The web application: GraphQL, its explorer, and what operators watch."""

from __future__ import annotations

import time
from collections.abc import MutableMapping, Sequence
from typing import Any

import orjson
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import client_reports, doors, recordings, uploads
from api.auth import Authenticator
from api.callers import Callers
from api.evidence import door as evidence
from api.evidence.door import EvidenceDoor
from api.exports import door as exports
from api.exports.door import ExportDoor
from api.graphiql import explorer_routes
from api.graphql.limits import Limits
from api.graphql.schema import build_schema
from api.graphql.stored import StoredDocuments, read_trusted
from api.http import LARGEST_BODY, GraphQLView, buffered, problem, replayed
from api.language import Languages
from api.rates import Rates
from api.recordings import RecordingDoor
from api.uploads import UploadDoor
from core.database import Database
from schema.migrate import is_current
from sync.jobs import Jobs
from sync.metrics import exposition
from sync.office import Office

_log = structlog.get_logger("skvoz.api")

_SAFE = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)


def create_app(office: Office, jobs: Jobs, rates: Rates | None = None) -> Starlette:
    """The application over an opened installation; ``jobs`` takes the syncs that callers ask for, ``rates`` are
    counted together with other processes. Raises `SettingsError` for trusted documents that can't be read."""
    settings = office.settings
    trusted = None if settings.trusted_documents is None else read_trusted(settings.trusted_documents)
    stored = StoredDocuments(trusted, only=settings.trusted_documents_only)
    schema = build_schema(Limits(introspection=settings.introspection), stored)
    metrics = Metrics(office.database)
    rates = rates or Rates(settings.requests_per_minute)
    authenticator = Authenticator(office.database, rates)
    callers = Callers(authenticator, rates)
    view = GraphQLView(schema, office, jobs, authenticator, stored, rates)
    return Starlette(
        routes=[
            Route("/graphql", GraphQLEndpoint(view, callers)),
            WebSocketRoute("/graphql", view),  # who asks is told in its first message
            Route(doors.PATH, doors.Doors(office, jobs, metrics.registry)),
            Route(exports.PATH, ExportDoor(office.database, callers)),
            Route(client_reports.PATH, client_reports.ReportDoor(office.database, callers)),
            Route(evidence.PATH, EvidenceDoor(office.database, callers)),
            Route(recordings.PATH, RecordingDoor(office, callers)),
            Route(uploads.PATH, UploadDoor(settings.files_path, callers)),
            Route("/healthz", Health(office.database), methods=["GET"]),
            Route("/metrics", metrics.endpoint, methods=["GET"]),
            Route("/", _to_explorer, methods=["GET"]),
            *explorer_routes(),
        ],
        middleware=[
            Middleware(Watched, metrics=metrics),
            Middleware(SafeHeaders),
            *_for_other_origins(settings.cors_origins),
            Middleware(Languages),
        ],
    )


def _for_other_origins(origins: Sequence[str]) -> list[Middleware]:
    """Lets the scripts of these pages read answers. Never with credentials: a key travels in a header that the page
    itself sets, so no page can ask with what a browser remembers; that is why `*` may be allowed at all. (Sockets
    know no such rule: there the key stands in the first message.)"""
    if not origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=("GET", "POST"),
            allow_headers=("Authorization", "Content-Type", "X-Query-Cost"),
            expose_headers=("Retry-After",),
            allow_credentials=False,
            max_age=600,
        )
    ]


class GraphQLEndpoint:
    """Lets callers with a key through to the view."""

    def __init__(self, view: GraphQLView, callers: Callers) -> None:
        self._view, self._callers = view, callers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        viewer = await self._callers.who(request)
        if isinstance(viewer, Response):
            await viewer(scope, receive, send)
            return
        if scope["method"] == "POST":
            body = await buffered(receive)
            if body is None:
                await problem(413, f"The body has more than {LARGEST_BODY} bytes.")(scope, receive, send)
                return
            answer = await self._view.directly(request, viewer, body)
            if answer is not None:
                await answer(scope, receive, send)
                return
            receive = replayed(body, receive)
        scope.setdefault("state", {})["viewer"] = viewer
        await self._view(scope, receive, send)


class Health:
    """200 when requests can be answered: the database is there and has the schema that this code expects."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._current = False  # asked with the owner's connection, so only until the answer is yes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status, answer = 200, {"status": "ok", "database": "reachable", "schema": "current"}
        try:
            async with self._database.app_engine.connect() as connection:
                await connection.execute(text("select 1"))
            self._current = self._current or await is_current(self._database)
            if not self._current:
                status, answer = 503, {**answer, "status": "unavailable", "schema": "migrations are missing"}
        except Exception:  # noqa: BLE001 - whatever it is, requests can't be answered
            _log.warning("The database can't be reached", exc_info=True)
            status, answer = 503, {"status": "unavailable", "database": "unreachable", "schema": "unknown"}
        await Response(orjson.dumps(answer), status, media_type="application/json")(scope, receive, send)


class Metrics:
    """What Prometheus reads at ``/metrics``."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "skvoz_http_requests", "Requests answered.", ["path", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "skvoz_http_request_seconds", "Time to answer a request.", ["path"], registry=self.registry
        )

    async def endpoint(self, _request: Request) -> Response:
        shown = await exposition(self._database, self.registry)
        return Response(shown, headers={"Content-Type": CONTENT_TYPE_LATEST})


def create_metrics_app(office: Office) -> Starlette:
    """What a worker answers, so that it can be watched: ``/metrics`` and ``/healthz``."""
    return Starlette(
        routes=[
            Route("/healthz", Health(office.database), methods=["GET"]),
            Route("/metrics", Metrics(office.database).endpoint, methods=["GET"]),
        ],
        middleware=[Middleware(SafeHeaders)],
    )


class Watched:
    """Counts and times requests. Unknown paths share one label, so that scanners don't make new ones."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        began = time.perf_counter()

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            path = scope["path"] if status != 404 else "other"
            label = path if path in ("/graphql", "/healthz", "/metrics") else "other"
            if path.startswith("/hooks/"):
                label = "/hooks"  # the rest of the path is secret
            self._metrics.requests.labels(label, status).inc()
            self._metrics.seconds.labels(label).observe(time.perf_counter() - began)


class SafeHeaders:
    """Headers that every answer bears unless it has its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def safe(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_missing(message)
            await send(message)

        await self._app(scope, receive, safe)


def _add_missing(message: MutableMapping[str, Any]) -> None:
    headers = list(message.get("headers", ()))
    present = {name.lower() for name, _ in headers}
    headers += [each for each in _SAFE if each[0] not in present]
    message["headers"] = headers


async def _to_explorer(_request: Request) -> Response:
    return RedirectResponse("/graphiql")
