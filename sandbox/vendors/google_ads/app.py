"""The Google Ads API over HTTP: access tokens, the list of accounts, search and searchStream."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.vendors.contract import World
from sandbox.vendors.google_ads.errors import GoogleError
from sandbox.vendors.google_ads.query import Query, Row, parse, shown, wrong
from sandbox.vendors.google_ads.store import KEY, MOSCOW, SWITCHES, GoogleStore, customer_ids
from sandbox.vendors.switches import Switches

VERSIONS = (24, 25, 26)
LIFE = 3599
A_SECOND = 20  # requests of a project
Handler = Callable[[Request, int], Awaitable[Any]]


def credentials(world: World, base_url: str) -> dict[str, str]:
    """``base_url`` stands for https://googleads.googleapis.com, ``oauth_url`` for Google's token endpoint."""
    ids = customer_ids(world.seed)
    return {
        "base_url": base_url,
        "oauth_url": f"{base_url}/token",
        "customer_id": ids["own"],
        "login_customer_id": ids["manager"],
        "client_id": f"{world.secret(KEY, 'client', 12)}.apps.googleusercontent.example",
        "client_secret": world.secret(KEY, "secret", 24),
        "refresh_token": f"1//{world.secret(KEY, 'refresh', 48)}",
    }


def expire(world: World) -> None:
    """Let every access token be an hour old."""
    world.db.execute("UPDATE google_ads_token SET issued = issued - ?", (LIFE + 1,))


def app(world: World) -> Starlette:
    """The API over ``world``."""
    desk = _Desk(world)
    return Starlette(
        routes=[
            Route("/token", desk.token, methods=["POST"]),
            Route(
                "/v{version:int}/customers:listAccessibleCustomers", desk.inside(desk.accessible), methods=["GET"]
            ),
            Route(
                "/v{version:int}/customers/{customer}/googleAds:search", desk.inside(desk.search), methods=["POST"]
            ),
            Route(
                "/v{version:int}/customers/{customer}/googleAds:searchStream",
                desk.inside(desk.stream),
                methods=["POST"],
            ),
            desk.switches.route,
        ]
    )


class _Desk:
    """The handlers, over one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._store = GoogleStore(world)
        self.switches = Switches(world, KEY, SWITCHES)

    async def token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        right = credentials(self._world, "")
        if any(not hmac.compare_digest(form.get(name, ""), right[name]) for name in ("client_id", "client_secret")):
            return _json({"error": "invalid_client", "error_description": "The OAuth client was not found."}, 401)
        if form.get("refresh_token") != right["refresh_token"] or not self.switches.get("consent", bool):
            words = "Token has been expired or revoked."
            return _json({"error": "invalid_grant", "error_description": words}, 400)
        now = int(self._world.now().timestamp())
        (number,) = self._world.db.execute("SELECT count(*) FROM google_ads_token").fetchone()
        access = f"ya29.{self._world.secret(KEY, f'access-{number}', 60)}"
        self._world.db.execute("INSERT INTO google_ads_token VALUES (?, ?)", (access, now))
        scope = "https://www.googleapis.com/auth/adwords"
        return _json({"access_token": access, "expires_in": LIFE, "scope": scope, "token_type": "Bearer"})

    def inside(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """The handler, for who has a token, of versions that live."""

        async def answer(request: Request) -> Response:
            version = request.path_params["version"]
            if version not in VERSIONS:
                return Response("<html><title>Error 404 (Not Found)!!1</title></html>", 404, media_type="text/html")
            try:
                self._enter(request)
                return _json(await handler(request, version))
            except GoogleError as error:
                return _json(error.body(version), error.status)

        return answer

    def _enter(self, request: Request) -> None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        row = self._world.db.execute("SELECT issued FROM google_ads_token WHERE access = ?", (token,)).fetchone()
        if row is None:
            raise GoogleError(401, "authenticationError", "OAUTH_TOKEN_INVALID")
        if int(self._world.now().timestamp()) - row[0] >= LIFE:
            raise GoogleError(401, "authenticationError", "OAUTH_TOKEN_EXPIRED")
        if not self.switches.get("approved", bool):
            raise GoogleError(403, "authorizationError", "CLOUD_PROJECT_NOT_APPROVED_FOR_PRODUCTION")
        if self.switches.get("operations_used_up", bool):
            raise GoogleError(429, "quotaError", "RESOURCE_EXHAUSTED")
        if self._world.limiter.wait(KEY, A_SECOND, 1.0):
            raise GoogleError(429, "quotaError", "RESOURCE_TEMPORARILY_EXHAUSTED")

    def _part(self, request: Request) -> str:
        """Which account is asked. Raises GoogleError for one that the user doesn't reach so."""
        parts = {number: part for part, number in self._store.customers.items()}
        part = parts.get(request.path_params["customer"])
        login = request.headers.get("login-customer-id")
        if part is None:
            raise GoogleError(404, "authenticationError", "CUSTOMER_NOT_FOUND")
        if part == "closed":
            raise GoogleError(403, "authorizationError", "CUSTOMER_NOT_ENABLED")
        if part != "manager" and login != self._store.customers["manager"]:
            raise GoogleError(403, "authorizationError", "USER_PERMISSION_DENIED")
        return part

    async def accessible(self, _request: Request, _version: int) -> Any:
        return {"resourceNames": [f"customers/{self._store.customers['manager']}"]}

    async def search(self, request: Request, _version: int) -> Any:
        body = await _body(request)
        if "pageSize" in body:
            raise GoogleError(400, "requestError", "PAGE_SIZE_NOT_SUPPORTED")
        part, text = self._part(request), str(body.get("query", ""))
        query = self._parsed(text)
        found = self._found(part, query)
        start = self._start(body.get("pageToken"), text)
        end = start + self.switches.get("page_rows", int)
        answer: Row = {"results": found[start:end], "fieldMask": ",".join(query.fields)}
        if not answer["results"]:
            del answer["results"]
        if end < len(found):
            answer["nextPageToken"] = self._page_token(text, end)
        return answer

    async def stream(self, request: Request, _version: int) -> Any:
        body = await _body(request)
        part, query = self._part(request), self._parsed(str(body.get("query", "")))
        found = self._found(part, query)
        size = self.switches.get("page_rows", int)
        return [
            {"results": found[at : at + size], "fieldMask": ",".join(query.fields), "requestId": "pretend-request"}
            for at in range(0, len(found), size)
        ]

    def _parsed(self, text: str) -> Query:
        return parse(text, self._world.now().astimezone(MOSCOW).date())

    def _found(self, part: str, query: Query) -> list[Row]:
        metrics = any(field.startswith("metrics.") for field in query.fields)
        if metrics and part == "manager":
            raise GoogleError(400, "queryError", "REQUESTED_METRICS_FOR_MANAGER")
        rows = self._rows(part, query, metrics)
        used = {
            *query.fields,
            *(field for field, _ in query.conditions),
            *([query.order[0]] if query.order else []),
        }
        kept = []
        for row in rows:
            unknown = sorted(used - row.keys())
            if unknown:
                raise wrong("UNRECOGNIZED_FIELD", f"Unrecognized field in the query: '{unknown[0]}'.")
            if query.keeps(row):
                kept.append(row)
        if query.order is not None:
            field, down = query.order
            kept.sort(key=lambda row: str(row[field]), reverse=down)
        return [shown(row, query.fields) for row in kept[: query.limit]]

    def _rows(self, part: str, query: Query, metrics: bool) -> Iterator[Row]:
        match query.source:
            case "customer":
                return iter([self._store.customer(part)])
            case "customer_client":
                return self._store.clients(part)
            case "campaign" if metrics:
                return self._store.day_rows(part, query)
            case "campaign":
                return self._store.campaign_rows(part)
            case "ad_group":
                return self._store.group_rows(part)
            case "ad_group_ad":
                return self._store.ad_rows(part)
            case "ad_group_criterion":
                return self._store.keyword_rows(part)
        raise wrong("BAD_RESOURCE_TYPE_IN_FROM_CLAUSE", f"'{query.source}' is not a valid resource name.")

    def _page_token(self, text: str, at: int) -> str:
        now = int(self._world.now().timestamp())
        return base64.urlsafe_b64encode(f"{_digest(text)}:{now}:{at}".encode()).decode()

    def _start(self, token: object, text: str) -> int:
        if token is None:
            return 0
        try:
            digest, issued, at = base64.urlsafe_b64decode(str(token)).decode().split(":")
        except ValueError:
            raise GoogleError(400, "requestError", "INVALID_PAGE_TOKEN") from None
        if digest != _digest(text):
            raise GoogleError(400, "requestError", "INVALID_PAGE_TOKEN")
        age = int(self._world.now().timestamp()) - int(issued)
        if age >= self.switches.get("page_life_seconds", int):
            raise GoogleError(400, "requestError", "EXPIRED_PAGE_TOKEN")
        return int(at)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


async def _body(request: Request) -> Row:
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        raise GoogleError(400, "requestError", "BAD_REQUEST", "Invalid JSON payload received.") from None
    return body if isinstance(body, dict) else {}


def _json(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")
