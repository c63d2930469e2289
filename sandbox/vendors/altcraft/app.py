"""Altcraft's API over HTTP: every answer has status 200, and its verdict in the body."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.vendors.altcraft.store import DB_ID, KEY, STATUSES, AltcraftStore
from sandbox.vendors.contract import World

BODY_AT_MOST = 10 * 1024 * 1024
Row = dict[str, Any]


class Refused(Exception):
    """A refusal with its code."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code


def credentials(world: World, base_url: str) -> dict[str, str]:
    """``base_url`` stands for https://ru.altkraft.com."""
    return {"base_url": base_url, "token": world.secret(KEY, "token"), "db_id": str(DB_ID)}


def expired() -> Response:
    return _json({"error": 401, "error_text": "API token required"})


def app(world: World) -> Starlette:
    """Altcraft over ``world``."""
    desk = _Desk(world)
    routes = [
        Route(f"/api/v1.1/{path}{slash}", desk.inside(handler), methods=["POST"])
        for path, handler in desk.methods.items()
        for slash in ("", "/")
    ]
    return Starlette(routes=[*routes, desk.store.switches.route])


class _Desk:
    """The methods, over one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.store = AltcraftStore(world)
        self.methods: dict[str, Callable[[Row], Row]] = {
            "databases/list": self._databases,
            "databases/get": self._database,
            "profiles/list": self._profiles,
            "profiles/get": self._profile,
            "profiles/import": self._import,
            "profiles/update": self._update,
            "profiles/add": self._add,
            "subscriptions/set": self._subscribe,
            "subscribers/history_get_all": self._history,
            "market/orders/import": self._orders,
            "market/orders/get_status": self._order,
        }

    def inside(self, method: Callable[[Row], Row]) -> Callable[[Request], Awaitable[Response]]:
        """The method, for who has the token: in the header, the body, or the address."""

        async def answer(request: Request) -> Response:
            content = await request.body()
            try:
                if len(content) > BODY_AT_MOST:
                    return _json({"error": 400, "error_text": "Request body is too large"}, 413)
                body = _body(content)
                self._enter(request, body)
                with self._world.transaction():
                    told = method(body)
            except Refused as refusal:
                return _json({"error": refusal.code, "error_text": str(refusal)})
            except ValueError as error:
                return _json({"error": 400, "error_text": f"Incorrect request: {error}"})
            return _json({**told, "error": 0, "error_text": "Successful operation"})

        return answer

    def _enter(self, request: Request, body: Row) -> None:
        header = request.headers.get("authorization", "").removeprefix("Bearer ")
        given = header or str(body.get("token") or request.query_params.get("token") or "")
        if not hmac.compare_digest(given, self._world.secret(KEY, "token")):
            raise Refused(401, "API token required")
        if self.store.switches.get("tariff_reached", bool):
            raise Refused(402, "Tariff limit reached")

    # --- databases and profiles ---------------------------------------------------------------------

    def _databases(self, body: Row) -> Row:
        one = {"id": DB_ID, "name": "Клиенты", "ui_tags": [], "Groups": [{"Id": 0, "Name": "main"}]}
        rows = [one] if int(body.get("from_id") or 1) <= DB_ID else []
        return {"data": rows, "next_from_id": DB_ID + 1, "total_count": 1}

    def _database(self, body: Row) -> Row:
        _of_database(body.get("id"))
        return {"id": DB_ID, "name": "Клиенты", "suppress_id": 0, "description": ""}

    def _profiles(self, body: Row) -> Row:
        _of_database(body.get("db_id"))
        rows = self.store.profiles(str(body.get("from_id") or ""), _limit(body))
        fields = body.get("fields")
        shown = [{key: row[key] for key in ("id", *fields) if key in row} for row in rows] if fields else rows
        return {"data": shown} | self._pointer(rows[-1]["id"] if rows else None)

    def _profile(self, body: Row) -> Row:
        _of_database(body.get("db_id"))
        return {"data": self.store.profile(self._found(body))}

    def _import(self, body: Row) -> Row:
        """Makes or changes; by ``profile_id`` it only changes."""
        _of_database(body.get("db_id"))
        data, number = _data(body), self.store.match(body)
        if number is None and body.get("matching") == "profile_id":
            raise Refused(404, "Profile is not found")
        if number is None:
            number = self.store.make(_plain(data), self._world.db)
        else:
            self.store.change(number, _plain(data), self._world.db)
        self._subscriptions(number, data)
        return {"profile_id": self.store.id_of(number)}

    def _update(self, body: Row) -> Row:
        _of_database(body.get("db_id"))
        data, number = _data(body), self._found(body)
        self.store.change(number, _plain(data), self._world.db)
        self._subscriptions(number, data)
        return {"profile_id": self.store.id_of(number)}

    def _add(self, body: Row) -> Row:
        """Always makes one, unless the e-mail is taken."""
        _of_database(body.get("db_id"))
        data = _data(body)
        if (
            data.get("email")
            and self.store.match({"matching": "email_profile", "email": data["email"]}) is not None
        ):
            raise Refused(400, "Email is not unique")
        number = self.store.make(_plain(data), self._world.db)
        self._subscriptions(number, data)
        return {"profile_id": self.store.id_of(number)}

    def _found(self, body: Row) -> int:
        number = self.store.match(body)
        if number is None:
            raise Refused(404, "Profile is not found")
        return number

    # --- subscriptions, history, orders ---------------------------------------------------------------

    def _subscriptions(self, number: int, data: Row) -> None:
        for each in data.get("subscriptions") or ():
            self._set(number, each)

    def _subscribe(self, body: Row) -> Row:
        _of_database(body.get("db_id"))
        self._set(self._found({"matching": "profile_id", "profile_id": body.get("profile_id")}), body)
        return {}

    def _set(self, number: int, told: Row) -> None:
        """0 is 'subscribed', and a status overwrites."""
        status = told.get("status", 0)
        word = STATUSES[status] if isinstance(status, int) else str(status)
        channel = str(told.get("channel"))
        address = told.get("email") if channel == "email" else told.get("phone")
        if word not in STATUSES or not address or not told.get("resource_id"):
            raise ValueError("a subscription needs resource_id, channel, its address and a known status")
        self.store.subscribe(number, channel, str(address), int(told["resource_id"]), word, self._world.db)

    def _history(self, body: Row) -> Row:
        _of_database(body.get("list_id"))
        first, last = (str(date.fromisoformat(str(body.get(name)))) for name in ("date_from", "date_to"))
        rows = self.store.history(first, last, int(body.get("from_id") or 0), _limit(body))
        return {"data": [row for _, row in rows]} | self._pointer(str(rows[-1][0]) if rows else None)

    def _pointer(self, last: str | None) -> Row:
        return {"next_from_id": last} if last and self.store.switches.get("pointer", bool) else {}

    def _orders(self, body: Row) -> Row:
        self._market()
        results = []
        for order in body.get("data") or ():
            try:
                self.store.match(order)
            except ValueError as error:
                results.append({"error": 400, "error_text": str(error)})
                continue
            if (
                not order.get("external_id")
                or not order.get("endpoint")
                or not isinstance(order["total_price"], str)
            ):
                results.append({"error": 400, "error_text": "Incorrect order"})
                continue
            self._world.db.execute(
                "INSERT OR REPLACE INTO altcraft_order VALUES (?, ?)",
                (order["external_id"], orjson.dumps(order).decode()),
            )
            results.append({"error": 0, "error_text": "Successful operation"})
        return {"result": results}

    def _order(self, body: Row) -> Row:
        self._market()
        row = self._world.db.execute(
            "SELECT body FROM altcraft_order WHERE external_id = ?", (str(body.get("external_id")),)
        ).fetchone()
        if row is None:
            raise Refused(404, "Order is not found")
        order = orjson.loads(row[0])
        return {"result": {"endpoint": order["endpoint"], "status": order["status"]}}

    def _market(self) -> None:
        if not self.store.switches.get("market", bool):
            raise Refused(403, "Access denied")


def _of_database(told: object) -> None:
    if str(told) != str(DB_ID):
        raise Refused(404, "Database is not found")


def _limit(body: Row) -> int:
    limit = int(body.get("limit") or 1000)
    if not 1 <= limit <= 10_000:
        raise ValueError("limit is out of range")
    return limit


def _data(body: Row) -> Row:
    data = body.get("data")
    if not isinstance(data, dict):
        raise Refused(400, "Incorrect request: data is required")
    return data


def _plain(data: Row) -> Row:
    return {key: value for key, value in data.items() if key != "subscriptions"}


def _body(content: bytes) -> Row:
    try:
        body = orjson.loads(content or b"{}")
    except orjson.JSONDecodeError:
        raise ValueError("the body is no JSON") from None
    if not isinstance(body, dict):
        raise Refused(400, "Incorrect request: the body is no object")
    return body


def _json(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")
