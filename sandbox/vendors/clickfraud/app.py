"""The service's API over HTTP: sites and clicks, with abilities of tokens, plans, and pages by a cursor."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.vendors.clickfraud.store import KEY, SWITCHES, Row
from sandbox.vendors.contract import World
from sandbox.vendors.switches import Switches

A_MINUTE = 60
PAGE, LARGEST_PAGE = 25, 100
VERDICTS = ["blocked", "suspicious", "cleared", "clean"]
DOMAIN = "chistota.example"


class Refused(Exception):
    """A refusal with its status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def site_id(world: World) -> str:
    return world.secret(KEY, "site", 12)


def credentials(world: World, base_url: str) -> dict[str, str]:
    """``base_url`` stands for https://api.myclickshield.com."""
    return {"base_url": base_url, "token": f"mcs_live_{world.secret(KEY, 'token')}", "site_id": site_id(world)}


def expired() -> Response:
    return _json({"message": "Unauthenticated."}, 401)


def app(world: World) -> Starlette:
    """The service over ``world``."""
    desk = _Desk(world)
    return Starlette(
        routes=[
            Route("/api/v1/sites", desk.inside("sites:read", desk.sites), methods=["GET"]),
            Route("/api/v1/sites/{site}/clicks", desk.inside("clicks:read", desk.clicks), methods=["GET"]),
            desk.switches.route,
        ]
    )


class _Desk:
    """The handlers, over one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.switches = Switches(world, KEY, SWITCHES)

    def inside(self, ability: str, handler: Callable[[Request], Row]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            right = f"Bearer {credentials(self._world, '')['token']}"
            if not hmac.compare_digest(request.headers.get("authorization", "").encode(), right.encode()):
                return expired()
            if self.switches.get("plan", str) == "basic":
                return _json({"message": "Your plan does not include API access."}, 402)
            if ability not in self.switches.get("abilities", str).split(","):
                return _json({"message": f"The token lacks the ability {ability}."}, 403)
            wait = self._world.limiter.wait(KEY, A_MINUTE, 60.0)
            if wait:
                return _json({"message": "Too many requests."}, 429, {"Retry-After": str(int(wait) + 1)})
            try:
                return _json(handler(request))
            except Refused as refusal:
                return _json({"message": str(refusal)}, refusal.status)

        return answer

    def sites(self, _request: Request) -> Row:
        return {"data": [{"id": site_id(self._world), "domain": DOMAIN}], "meta": {"next_cursor": None}}

    def clicks(self, request: Request) -> Row:
        if request.path_params["site"] != site_id(self._world):
            raise Refused(404, "Not found.")
        query = request.query_params
        try:
            first = date.fromisoformat(query.get("from", "2000-01-01"))
            last = date.fromisoformat(query.get("to", "2999-12-31"))
            size = int(query.get("per_page", PAGE))
            after = base64.urlsafe_b64decode(query.get("cursor", "")).decode()
        except ValueError:
            raise Refused(422, "The given data was invalid.") from None
        verdicts = [each for each in query.get("verdict", "").split(",") if each] or VERDICTS
        size = max(1, min(size, LARGEST_PAGE))
        day, _, id = after.partition("|")
        rows = self._world.db.execute(
            "SELECT day, id, body FROM clickfraud_click WHERE day BETWEEN ? AND ? AND (day, id) > (?, ?)"
            " AND verdict IN (SELECT value FROM json_each(?)) ORDER BY day, id LIMIT ?",
            (str(first), str(last), day, id, orjson.dumps(verdicts).decode(), size + 1),
        ).fetchall()
        shown = rows[:size]
        more = len(rows) > size
        following = base64.urlsafe_b64encode(f"{shown[-1][0]}|{shown[-1][1]}".encode()).decode() if more else None
        return {"data": [orjson.loads(body) for *_, body in shown], "meta": {"next_cursor": following}}


def _json(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, headers, media_type="application/json")
