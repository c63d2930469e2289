"""Calltouch's HTTP interface: the journals ("calls-service") and the writes ("lead-service").

Reproduced as its help pages and working clients describe it: two orders of dates, a bare array for one day
and an envelope for pages, a requests journal that knows no pages, empty values as text, 5 requests a second
for one address, and the help centre's HTML for a path that doesn't exist.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from sandbox.vendors.calltouch.costs import COSTS
from sandbox.vendors.calltouch.hook import Hooks
from sandbox.vendors.calltouch.journal import Journal, rows
from sandbox.vendors.calltouch.points import Points
from sandbox.vendors.calltouch.store import MSK
from sandbox.vendors.calltouch.words import SWITCHES
from sandbox.vendors.calltouch.writes import WRITES, Refused, open_chat, request_callback
from sandbox.vendors.contract import World
from sandbox.vendors.switches import Switches

REQUESTS_A_SECOND = 5
PAGE_LIMIT = 1000
LONGEST_PERIOD = 92  # days a request
_HELP = "<!DOCTYPE html><html><head><title>База знаний Calltouch</title></head><body>База знаний</body></html>"
Handler = Callable[[Request], Awaitable[Response]]


def site_id(world: World) -> int:
    return 10_000 + int(world.secret("calltouch", "site", 4), 16)


def credentials(world: World, base_url: str) -> dict[str, str]:
    """``token`` is both clientApiId of the journals and Access-Token of the writes."""
    return {"base_url": base_url, "site_id": str(site_id(world)), "token": world.secret("calltouch", "token")}


def expired() -> Response:
    return _error(401, "Неверный токен")


def app(world: World) -> Starlette:
    """Calltouch over ``world``."""
    desk = _Desk(world)
    site = "/calls-service/RestAPI/{site_id}"
    return Starlette(
        routes=[
            Route(f"{site}/calls-diary/calls", desk.limited(desk.calls)),
            Route(f"{site}/calls-diary/calls/{{call_id:int}}/download", desk.limited(desk.recording)),
            Route("/calls-service/RestAPI/requests", desk.limited(desk.requests)),
            Route(f"{site}/orders-diary/orders", desk.limited(desk.orders)),
            Route("/lead-service/v1/api/{what:path}", desk.limited(desk.write), methods=["POST"]),
            Route(
                "/widget-service/v1/api/widget-request/user-form/create",
                desk.limited(desk.callback),
                methods=["POST"],
            ),
            Route("/report-service/RestAPI/api/costs-import/{what}", desk.limited(desk.costs), methods=["POST"]),
            desk.switches.route,
            Route("/_chat", desk.chat, methods=["POST"]),  # the sandbox's own: a visitor writes in the chat
            Route("/support/", _help_centre),
            Route("/{path:path}", _lost, methods=["GET", "POST", "PUT", "DELETE"]),
        ]
    )


class _Desk:
    """The handlers, over one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._site = str(site_id(world))
        self._token = world.secret("calltouch", "token")
        self.switches = Switches(world, "calltouch", SWITCHES)
        self._hooks = Hooks(world, self.switches)
        self._points = Points(world, self.switches)

    def limited(self, handler: Handler) -> Handler:
        """The handler behind the limit of one address, with refusals told as Calltouch tells them."""

        async def guarded(request: Request) -> Response:
            address = request.client.host if request.client else ""
            if self._world.limiter.wait(f"calltouch:{address}", REQUESTS_A_SECOND, 1.0):
                return _error(429, "Превышено количество запросов в секунду")
            if self._points.spent():
                return _error(429, "Исчерпан суточный лимит баллов проекта")
            try:
                answer = await handler(request)
            except Refused as refusal:
                return _error(refusal.status, str(refusal))
            if answer.status_code == 200:
                self._points.take()
            return answer

        return guarded

    # --- journals -----------------------------------------------------------------------------

    async def calls(self, request: Request) -> Response:
        self._enter(request, request.path_params["site_id"])
        query = request.query_params
        start, end = _period(request, "%d/%m/%Y")
        by = "s.at" if query.get("bindTo") == "session" else "c.at"
        conditions = {
            "uniqueOnly": "c.first",
            "targetOnly": "c.answered AND c.talk >= 60",
            "uniqTargetOnly": "c.first AND c.answered AND c.talk >= 60",
            "callbackOnly": "0",
        }
        where = [f"{by} >= ? AND {by} < ?"]
        where += [condition for name, condition in conditions.items() if query.get(name) == "true"]
        source = "FROM calltouch_call c LEFT JOIN calltouch_session s ON s.id = c.session WHERE " + " AND ".join(
            where
        )
        return self._page(request, "c", source, start, end, "call")

    async def orders(self, request: Request) -> Response:
        self._enter(request, request.path_params["site_id"])
        start, end = _period(request, "%d/%m/%Y")
        if end - start <= timedelta(days=1):
            raise Refused(400, "dateFrom должна быть меньше dateTo")
        kinds = {name.upper(): f" AND o.kind = '{name}'" for name in ("call", "request", "chat")}
        kind = kinds.get(request.query_params.get("orderSource", ""), "")
        source = f"FROM calltouch_order o WHERE o.ordered_at >= ? AND o.ordered_at < ?{kind}"
        return self._page(request, "o", source, start, end, "order")

    async def requests(self, request: Request) -> Response:
        """No envelope, and ``page`` and ``limit`` change nothing unless the cabinet is switched so."""
        site = request.query_params.get("siteId")
        if site is None:
            raise Refused(400, "Не указан обязательный параметр siteId")
        self._enter(request, site)
        start, end = _period(request, "%m/%d/%Y")
        found = rows(
            self._world.db,
            "SELECT * FROM calltouch_request WHERE at >= ? AND at < ? ORDER BY at, id",
            (_second(start), _second(end)),
        )
        query = request.query_params
        if self.switches.get("requests_paged", bool) and "page" in query:
            page, limit = _whole(query["page"], "page"), _whole(query.get("limit", "100"), "limit")
            found = found[(page - 1) * limit : page * limit]
        journal = self._journal(request)
        return _json([journal.request(row) for row in found])

    async def recording(self, request: Request) -> Response:
        self._enter(request, request.path_params["site_id"])
        call = self._world.db.execute(
            "SELECT talk FROM calltouch_call WHERE id = ?", (request.path_params["call_id"],)
        ).fetchone()
        if call is None or not call[0]:
            raise Refused(404, "Запись разговора не найдена")
        return Response(_silence(call[0]), media_type="audio/mpeg")

    def _page(self, request: Request, alias: str, source: str, start: date, end: date, build: str) -> Response:
        """A page in its envelope, or one day as a bare array."""
        query, db = request.query_params, self._world.db
        period = (_second(start), _second(end))
        make = getattr(self._journal(request), build)
        order = f"ORDER BY {alias}.{'ordered_at' if alias == 'o' else 'at'}, {alias}.id"
        if "page" not in query:
            if end - start > timedelta(days=1) and alias == "c":
                raise Refused(400, "Без параметров page и limit период не может быть больше одного дня")
            return _json([make(row) for row in rows(db, f"SELECT {alias}.* {source} {order}", period)])
        page, limit = _whole(query["page"], "page"), _whole(query.get("limit", "100"), "limit")
        if page < 1 or not 1 <= limit <= PAGE_LIMIT:
            raise Refused(400, f"page начинается с 1, limit не больше {PAGE_LIMIT}")
        (total,) = db.execute(f"SELECT count(*) {source}", period).fetchone()
        found = rows(
            db, f"SELECT {alias}.* {source} {order} LIMIT ? OFFSET ?", (*period, limit, (page - 1) * limit)
        )
        return _json(
            {
                "page": page,
                "pageTotal": -(-total // limit),
                "pageSize": limit,
                "recordsTotal": total,
                "records": [make(row) for row in found],
            }
        )

    def _journal(self, request: Request) -> Journal:
        query = request.query_params
        switches = {name for name, value in query.items() if name.startswith("with") and value == "true"}
        now = int(self._world.now().timestamp())
        last_click, old = query.get("attribution") == "0", self.switches.get("old_manners", bool)
        return Journal(self._world.db, int(self._site), switches, now, last_click, old)

    def _enter(self, request: Request, site: str) -> None:
        if request.query_params.get("clientApiId") != self._token:
            raise Refused(401, "Неверный токен")
        if site != self._site:
            raise Refused(403, "Нет прав на сайт")

    # --- writes -------------------------------------------------------------------------------

    async def write(self, request: Request) -> Response:
        handle = WRITES.get(request.path_params["what"])
        body = await self._change(request)
        if handle is None:
            return await _lost(request)
        with self._world.transaction() as db:
            status, answer = handle(body, db, int(self._world.now().timestamp()))
        if request.path_params["what"] in ("client-order/create", "client-order/update"):
            for order in answer["data"]["orders"]:
                self._hooks.deal_changed(order["calltouchOrderId"], self._world.db)
        return _json(answer, status)

    async def callback(self, request: Request) -> Response:
        body = await self._change(request)
        with self._world.transaction() as db:
            status, answer = request_callback(body, db, int(self._world.now().timestamp()))
        return _json(answer, status)

    async def costs(self, request: Request) -> Response:
        handle = COSTS.get(request.path_params["what"])
        body = await self._change(request)
        if handle is None:
            return await _lost(request)
        with self._world.transaction() as db:
            status, answer = handle(body, db)
        return _json(answer, status)

    async def chat(self, request: Request) -> Response:
        """Not Calltouch's: ``{"name", "phone", "email", "text", "sessionId"}``, all of them optional."""
        with self._world.transaction() as db:
            chat = open_chat(await request.json(), db, int(self._world.now().timestamp()))
        self._hooks.chat_began(chat, self._world.db)
        return _json({"chatId": chat})

    async def _change(self, request: Request) -> dict[str, Any]:
        """The body of a change, from somebody who may make one."""
        if request.headers.get("access-token") != self._token:
            raise Refused(401, "Неверный Access-Token")
        if request.headers.get("siteid") != self._site:
            raise Refused(403, "Нет прав на сайт")
        try:
            body = orjson.loads(await request.body())
        except orjson.JSONDecodeError as error:
            raise Refused(400, "Тело запроса не JSON") from error
        if not isinstance(body, dict):
            raise Refused(400, "Тело запроса должно быть объектом")
        return body


def _period(request: Request, order: str) -> tuple[date, date]:
    """First day and the day after the last one, in the journal's own order of dates."""
    days = []
    for name in ("dateFrom", "dateTo"):
        try:
            days.append(datetime.strptime(request.query_params[name], order).date())  # noqa: DTZ007 - a day only
        except KeyError as error:
            raise Refused(400, f"Не указан обязательный параметр {name}") from error
        except ValueError as error:
            raise Refused(400, f"Неверный формат даты {name}") from error
    first, last = days
    if last < first:
        raise Refused(400, "dateFrom больше dateTo")
    if (last - first).days > LONGEST_PERIOD:
        raise Refused(400, "Период не может быть больше 3 месяцев")
    return first, last + timedelta(days=1)


def _second(day: date) -> int:
    return (day.toordinal() - date(1970, 1, 1).toordinal()) * 86_400 - MSK


def _whole(text: str, name: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise Refused(400, f"{name} должен быть целым числом") from error


def _silence(seconds: int) -> bytes:
    """MPEG-1 layer III frames without sound: 128 kbit/s at 44.1 kHz is 417 bytes a frame, 38 frames a second."""
    frame = b"\xff\xfb\x90\x64" + bytes(413)
    return frame * (38 * min(seconds, 30))


async def _help_centre(_: Request) -> Response:
    return HTMLResponse(_HELP)


async def _lost(request: Request) -> Response:
    return RedirectResponse(f"{request.scope.get('root_path', '')}/support/", 302)


def _error(status: int, message: str) -> Response:
    return _json({"errorCode": status, "message": message}, status)


def _json(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")
