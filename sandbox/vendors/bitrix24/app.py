"""The portal's doors: ``/rest/{user}/{code}/{method}``, ``/rest/{method}?auth=…``, ``/oauth/token/``."""

from __future__ import annotations

import hmac
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sandbox.vendors import php
from sandbox.vendors.address import mount_url
from sandbox.vendors.bitrix24 import oauth, portal, runner
from sandbox.vendors.bitrix24.errors import RestError
from sandbox.vendors.bitrix24.events import Events
from sandbox.vendors.bitrix24.limits import Bucket, Operating
from sandbox.vendors.bitrix24.method import Call, Portal
from sandbox.vendors.bitrix24.projection import switches
from sandbox.vendors.bitrix24.records import Records
from sandbox.vendors.contract import World

_METHODS = ["GET", "POST"]


def webhook_code(world: World) -> str:
    """The secret part of the incoming webhook's address."""
    return world.secret(oauth.KEY, "webhook", 16)


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")


async def _params(request: Request) -> dict[str, Any]:
    """Parameters of the query and of the body, JSON or form with PHP brackets."""
    params = php.decode_brackets(parse_qsl(request.url.query, keep_blank_values=True))
    body = await request.body()
    if not body:
        return params
    if "json" in request.headers.get("content-type", ""):
        try:
            sent = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise RestError(400, "INVALID_REQUEST", "The request body is not JSON.") from None
        return params | (sent if isinstance(sent, dict) else {})
    pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    return params | php.decode_brackets(pairs)


class Doors:
    """The routes of one portal."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._switches = switches(world)
        events = Events(world, self._switches)
        records = Records(world.db, events.tell)
        users = portal.users(world.market.managers)
        self._portal = Portal(world, records, users, self._switches, events)
        self._bucket = Bucket(lambda: world.limits)
        self._runner = runner.Runner(Operating(lambda: world.limits))

    async def rest(self, request: Request) -> Response:
        """Any REST call."""
        moved_to = self._switches.get("moved_to", str)
        if moved_to:
            query = f"?{request.url.query}" if request.url.query else ""
            return RedirectResponse(f"{moved_to}/rest/{request.path_params['path']}{query}", 302)
        try:
            self._bucket.pour(request.client.host if request.client else "")
            params = await _params(request)
            call, credential = self._authorized(request.path_params["path"], params)
            return _json(self._runner.run(call, credential).body)
        except RestError as error:
            return _json(error.body, error.status)

    def _authorized(self, path: str, params: dict[str, Any]) -> tuple[Call, str]:
        """The call that a path and its parameters mean, and whose run time it counts to."""
        user, _, rest = path.partition("/")
        if user.isdigit() and "/" in rest:
            code, _, method = rest.partition("/")
            known = hmac.compare_digest(code.encode(), webhook_code(self._world).encode())
            if not known or int(user) != portal.ADMINISTRATOR:
                raise RestError(401, "NO_AUTH_FOUND", "Wrong authorization data")
            return Call(self._portal, runner.method_name(method), params, int(user), False), "webhook"
        token = str(params.pop("auth", ""))
        if not token:
            raise RestError(401, "NO_AUTH_FOUND", "Wrong authorization data")
        owner = oauth.check_access(self._world, token)
        return Call(self._portal, runner.method_name(path), params, owner, True), "application"

    async def token(self, request: Request) -> Response:
        """The authorization server's exchange of a refresh token."""
        try:
            params = await _params(request)
            given = {name: str(value) for name, value in params.items()}
            return _json(oauth.refresh(self._world, given, mount_url(request)))
        except RestError as error:
            return _json(error.body, error.status)

    def app(self) -> Starlette:
        """The application to mount."""
        return Starlette(
            routes=[
                Route("/rest/{path:path}", self.rest, methods=_METHODS),
                Route("/oauth/token/", self.token, methods=_METHODS),
                self._switches.route,
            ]
        )
