"""Where external systems tell by themselves what happened there: ``/hooks/<public id>/<secret>``.

A delivery is answered when it is stored for good, within milliseconds, and looked into by a worker afterwards. The
statuses are what vendors act on: 2xx means never again; 503, that it should come again.
"""

from __future__ import annotations

import asyncio

import httpx
import orjson
import structlog
from prometheus_client import CollectorRegistry, Counter
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.http import LARGEST_BODY, buffered
from connectors.contract import Delivery
from sync.inbox.accept import Accepted, Forged, NoSuchDoor, Openings, Outcome, accept
from sync.inbox.doors import Entrance
from sync.jobs import Jobs
from sync.office import Office

log = structlog.get_logger(__name__)

PATH = "/hooks/{public_id}/{secret}"
_PATIENCE_SECONDS = 5.0
_METHODS = ("POST", "PUT", "GET")
_STATUS = {Outcome.STORED: 200, Outcome.REPEATED: 200, Outcome.EMPTY: 200, Outcome.MALFORMED: 202}


class Doors:
    """The HTTP side of all doors."""

    def __init__(self, office: Office, jobs: Jobs, registry: CollectorRegistry) -> None:
        self._office, self._jobs = office, jobs
        self._openings = Openings()
        self._telling: set[Entrance] = set()
        self._again: set[Entrance] = set()
        self._received = Counter(
            "skvoz_webhooks_received",
            "Deliveries to doors, by what became of them.",
            ["connector", "outcome"],
            registry=registry,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        if request.method not in _METHODS:
            await _answer(405, "Send what happened by POST.", {"Allow": ", ".join(_METHODS)})(scope, receive, send)
            return
        body = await buffered(receive)
        if body is None:
            await _answer(413, f"The body has more than {LARGEST_BODY} bytes.")(scope, receive, send)
            return
        delivery = Delivery(body, _headers(request), dict(request.query_params))
        accepted, response = await self._accept(request, delivery)
        await response(scope, receive, send)
        if accepted is not None and accepted.outcome in (Outcome.STORED, Outcome.REPEATED):
            await self._tell(accepted.entrance)

    async def _accept(self, request: Request, delivery: Delivery) -> tuple[Accepted | None, Response]:
        path = request.path_params
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                accepted = await accept(self._office, path["public_id"], path["secret"], delivery, self._openings)
        except NoSuchDoor:
            self._count("unknown", "unknown_door")
            return None, _answer(404, "There is no such door.")
        except Forged:
            self._count("unknown", "forged")
            return None, _answer(401, "This isn't from the system that the door is for.")
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing was stored: it has to come again
            log.warning("webhook.refused", error=type(error).__name__)
            self._count("unknown", "unavailable")
            return None, _answer(503, "It could not be stored: send it again.", {"Retry-After": "30"})
        self._count(accepted.connector, accepted.outcome.value)
        return accepted, _answer(_STATUS[accepted.outcome], None)

    async def _tell(self, entrance: Entrance) -> None:
        """Have it looked into at once; of a burst one request asks for all. Should that fail, the periodic look at
        all doors finds it."""
        if entrance in self._telling:
            self._again.add(entrance)
            return
        self._telling.add(entrance)
        try:
            asked = False
            while not asked or entrance in self._again:
                self._again.discard(entrance)
                await self._jobs.tell_inbox(entrance.workspace_id, entrance.connection_id)
                asked = True
        except Exception as error:  # noqa: BLE001 - the delivery is stored and answered
            log.warning("inbox.not_queued", error=type(error).__name__)
        finally:
            self._telling.discard(entrance)

    def _count(self, connector: str, outcome: str) -> None:
        self._received.labels(connector, outcome).inc()


def _headers(request: Request) -> httpx.Headers:
    return httpx.Headers([(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw])


def _answer(status: int, sentence: str | None, headers: dict[str, str] | None = None) -> Response:
    body = {"ok": True} if sentence is None else {"ok": False, "error": sentence}
    return Response(orjson.dumps(body), status, headers, media_type="application/json")
