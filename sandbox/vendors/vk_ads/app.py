"""VK Ads over HTTP: the token endpoint, lists, statistics, leads and subscriptions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.vendors.contract import World
from sandbox.vendors.switches import Switches
from sandbox.vendors.vk_ads import statistics, tokens
from sandbox.vendors.vk_ads.lists import invalid, leads, page, rows_of
from sandbox.vendors.vk_ads.store import KEY, SWITCHES, VkStore
from sandbox.vendors.vk_ads.tokens import Refused

A_SECOND, AN_HOUR, A_DAY = 10, 10_000, 100_000  # requests of one user to one method
RESOURCES = ("BANNER", "CAMPAIGN", "OKLEADAD", "LEAD")


def credentials(world: World, base_url: str) -> dict[str, str]:
    """``base_url`` stands for https://ads.vk.com; the secret is shown once in life."""
    return {
        "base_url": base_url,
        "client_id": tokens.client_id(world),
        "client_secret": tokens.client_secret(world),
    }


def app(world: World) -> Starlette:
    """VK Ads over ``world``."""
    desk = _Desk(world)
    routes = [
        Route("/api/v2/oauth2/token.json", desk.token, methods=["POST"]),
        *(
            Route(path, desk.inside(handler), methods=[method])
            for method, path, handler in (
                ("GET", "/api/v2/user.json", desk.user),
                ("GET", "/api/v2/throttling.json", desk.throttling),
                ("GET", "/api/v2/statistics/{kind}/day.json", desk.days),
                ("GET", "/api/v3/statistics/{kind}/day.json", desk.totals),
                ("GET", "/api/v1/lead_ads/leads.json", desk.leads),
                ("POST", "/api/v3/subscription.json", desk.subscribe),
                ("GET", "/api/v2/{kind}.json", desk.list),
            )
        ),
        desk.switches.route,
    ]
    return Starlette(routes=routes)


class _Desk:
    """The handlers, over one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._store = VkStore(world)
        self.switches = Switches(world, KEY, SWITCHES)

    async def token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        try:
            return _json(tokens.give(self._world, form))
        except Refused as refusal:
            return _json(refusal.body, refusal.status, refusal.headers)

    def inside(self, handler: Callable[[Request], Awaitable[Any]]) -> Callable[[Request], Awaitable[Response]]:
        """The handler, for who has a token, within the limits, with their headers."""

        async def answer(request: Request) -> Response:
            limits = self._limits(request.url.path)
            try:
                tokens.check(self._world, request.headers.get("authorization", ""))
                _within(limits)
                return _json(await handler(request), headers=limits)
            except Refused as refusal:
                return _json(refusal.body, refusal.status, limits | refusal.headers)

        return answer

    def _limits(self, path: str) -> dict[str, str]:
        free = not self._world.limiter.wait(f"{KEY}:{path}", A_SECOND, 1.0)
        used_up = self.switches.get("day_used_up", bool)
        return {
            "X-RateLimit-RPS-Limit": str(A_SECOND),
            "X-RateLimit-RPS-Remaining": str(A_SECOND - 1 if free else 0),
            "X-RateLimit-Hourly-Limit": str(AN_HOUR),
            "X-RateLimit-Hourly-Remaining": str(AN_HOUR - 1),
            "X-RateLimit-Daily-Limit": str(A_DAY),
            "X-RateLimit-Daily-Remaining": "0" if used_up else str(A_DAY - 1),
        }

    async def user(self, _request: Request) -> Any:
        return {"id": 55555, "username": tokens.client_name(self._world), "currency": "RUB"}

    async def throttling(self, _request: Request) -> Any:
        windows = {"1": A_SECOND, "3600": AN_HOUR, "86400": A_DAY}
        return {"STATISTICS": {"v2": {"READ": {"limits": windows, "remaining": windows}}}}

    async def list(self, request: Request) -> Any:
        kind = request.path_params["kind"]
        if kind not in statistics.KINDS:
            raise Refused(404, {"error": {"code": "unknown_resource", "message": "Unknown resource"}})
        rows = rows_of(self._world, self._store, kind, status_object=self.switches.get("status_object", bool))
        return page(rows, kind, request.query_params, self.switches.get("page_cap", int))

    async def days(self, request: Request) -> Any:
        kind = request.path_params["kind"]
        if kind not in statistics.KINDS:
            raise statistics.refused("ERR_WRONG_RESOURCE", 404)
        ids = request.query_params.getlist("id")
        texts = self.switches.get("texts", bool)
        return statistics.by_day(self._world, kind, ids, request.query_params, texts=texts)

    async def totals(self, request: Request) -> Any:
        kind = request.path_params["kind"]
        if kind not in statistics.KINDS:
            raise statistics.refused("ERR_WRONG_RESOURCE", 404)
        return statistics.totals(self._world, kind, request.query_params)

    async def leads(self, request: Request) -> Any:
        return leads(self._world, request.query_params)

    async def subscribe(self, request: Request) -> Any:
        try:
            body = orjson.loads(await request.body())
        except orjson.JSONDecodeError:
            raise invalid({"body": {"code": "bad_value", "message": "Bad value", "expected": "JSON"}}) from None
        if body.get("resource") not in RESOURCES:
            allowed = {"code": "unallowed_value", "message": "Unallowed value", "allowed_values": RESOURCES}
            raise invalid({"resource": allowed})
        url = str(body.get("callback_url") or "")
        if urlsplit(url).scheme not in ("http", "https"):
            raise invalid({"callback_url": {"code": "bad_value", "message": "Bad value", "expected": "URL"}})
        with self._world.transaction() as db:
            db.execute(
                "INSERT INTO vk_ads_subscription (resource, callback_url) VALUES (?, ?)", (body["resource"], url)
            )
            (number,) = db.execute("SELECT last_insert_rowid()").fetchone()
        return {"id": number}


def _within(limits: dict[str, str]) -> None:
    """Raises Refused where the second's or the day's requests are used up."""
    if "0" in (limits["X-RateLimit-RPS-Remaining"], limits["X-RateLimit-Daily-Remaining"]):
        raise Refused(429, {"error": {"code": "too_many_requests", "message": "Too many requests"}})


def _json(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), status, headers, media_type="application/json")
