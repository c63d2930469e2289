"""Yandex.Direct's HTTP interface: one door for the JSON services, one for Reports.

Services tell errors with HTTP 200; Reports with 400, and its codes come as text. Reports answers 201 and 202
without a body until an offline report is ready.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from itertools import count
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.vendors.contract import World
from sandbox.vendors.switches import Switches
from sandbox.vendors.yandex_direct.errors import TEXTS, DirectError
from sandbox.vendors.yandex_direct.queue import QUEUE_LENGTH, ReportQueue
from sandbox.vendors.yandex_direct.report import Report, Table
from sandbox.vendors.yandex_direct.store import MOSCOW, SWITCHES
from sandbox.vendors.yandex_direct.structure import Cabinet

AT_ONCE = 5  # requests of one advertiser
REPORTS_IN_TEN_SECONDS = 20
DAILY_POINTS = 64_000
ERROR_POINTS = 20
POINTS = {"campaigns": (10, 1), "adgroups": (15, 1), "ads": (15, 1), "keywords": (15, 0), "changes": (10, 0)}
LATENCY = 0.02  # real seconds of work, so that requests can meet
ONLINE_DAYS = 3  # periods that processingMode auto answers at once


def login(world: World) -> str:
    return f"chistota-{world.secret('yandex_direct', 'login', 6)}"


def credentials(world: World, base_url: str) -> dict[str, str]:
    """``base_url`` stands for https://api.direct.yandex.com; paths below it are the vendor's."""
    return {"base_url": base_url, "token": world.secret("yandex_direct", "token", 58), "login": login(world)}


def expired() -> Response:
    return _refusal(DirectError(53, "Срок действия OAuth-токена истёк"), "0", 200)


def app(world: World) -> Starlette:
    """Yandex.Direct over ``world``."""
    desk = _Desk(world)
    routes = [
        Route(f"/json/{version}/{path}", handler, methods=["POST"])
        for version in ("v5", "v501")
        for path, handler in (("reports", desk.reports), ("{service}", desk.service))
    ]
    routes.append(desk.switches.route)
    return Starlette(routes=routes, middleware=[Middleware(GZipMiddleware, minimum_size=500)])


class _Points:
    """The advertiser's points: a daily purse that refills by a twenty-fourth each hour of the world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.daily = int(DAILY_POINTS * (world.limits or 1000))
        self.left = self.daily
        self._filled = world.now()

    def spend(self, points: int) -> None:
        """`DirectError` 152 when the purse holds less."""
        hours = (self._world.now() - self._filled) // timedelta(hours=1)
        if hours:
            self.left = min(self.daily, self.left + hours * self.daily // 24)
            self._filled += timedelta(hours=hours)
        if self.left < points:
            raise DirectError(152)
        self.left -= points


class _Desk:
    """The handlers, over one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._login = login(world)
        self._token = f"Bearer {world.secret('yandex_direct', 'token', 58)}"
        self.switches = Switches(world, "yandex_direct", SWITCHES)
        self._queue = ReportQueue(patient=world.limits > 0)
        self._points = _Points(world)
        self._ids = count(1_637_522_068)

    async def service(self, request: Request) -> Response:
        """A JSON service: errors and results alike come with HTTP 200."""
        number, spent = str(next(self._ids)), 0

        async def work() -> Response:
            nonlocal spent
            body = await _body(request)
            name = request.path_params["service"]
            cabinet = Cabinet(self._world, self._login, "/v501/" in request.url.path)
            result, objects = cabinet.call(name, str(body.get("method")), body.get("params") or {})
            a_call, an_object = POINTS.get(name, (10, 0))
            spent = a_call + an_object * objects
            self._points.spend(spent)
            return _json({"result": result})

        try:
            response = await self._inside(request, work)
        except DirectError as error:
            response = _refusal(error, number, 200)
            spent = min(ERROR_POINTS, self._points.left)
            self._points.left -= spent
        response.headers["RequestId"] = number
        response.headers["Units"] = f"{spent}/{self._points.left}/{self._points.daily}"
        response.headers["Units-Used-Login"] = self._login
        return response

    async def reports(self, request: Request) -> Response:
        """The Reports service."""
        number = str(next(self._ids))
        try:
            response = await self._inside(request, lambda: self._report(request))
        except DirectError as error:
            response = _refusal(error, number, 400, as_text=True)
        response.headers["RequestId"] = number
        return response

    async def _inside(self, request: Request, work: Callable[[], Awaitable[Response]]) -> Response:
        """The work, if the caller may enter and there is room for one more request."""
        if request.headers.get("authorization") != self._token:
            raise DirectError(53, "Неверный OAuth-токен")
        if "client-login" not in request.headers and self.switches.get("agency", bool):
            raise DirectError(8000, "Не указан заголовок Client-Login")
        if request.headers.get("client-login", self._login) != self._login:
            raise DirectError(54, "Нет прав на указанного клиента")
        limiter = self._world.limiter
        if not limiter.enter("yandex_direct", AT_ONCE):
            raise DirectError(506)
        try:
            if self._world.limits:
                await asyncio.sleep(LATENCY)
            return await work()
        finally:
            limiter.leave("yandex_direct")

    async def _report(self, request: Request) -> Response:
        if self._world.limiter.wait("yandex_direct:reports", REPORTS_IN_TEN_SECONDS, 10.0):
            raise DirectError(56, "Не больше 20 запросов к отчётам за 10 секунд")
        raw, now = await request.body(), self._world.now()
        report = Report((await _body(request)).get("params") or {}, _day(now), self._unsettled(now))
        mode = request.headers.get("processingmode", "auto")
        if mode not in ("online", "offline", "auto"):
            raise DirectError(8000, "Неверное значение заголовка processingMode")
        job = self._queue.find(report.name, raw, now)
        if job is None:
            table = report.build(self._world.db, self._world.market, self._login)
            short = (report.last - report.first).days < ONLINE_DAYS
            if mode == "online" or (mode == "auto" and short):
                return self._tsv(table, request)
            self._queue.order(report.name, raw, table, now, QUEUE_LENGTH * self._world.limits)
            return self._waiting(201)
        return self._tsv(job.table, request) if job.ready else self._waiting(202)

    def _unsettled(self, now: datetime) -> date:
        """The first day that was told again within the last three days."""
        (first,) = self._world.db.execute(
            "SELECT min(day) FROM yandex_direct_stat WHERE told_at >= ?",
            (int((now - timedelta(days=3)).timestamp()),),
        ).fetchone()
        return date.fromisoformat(first) if first else _day(now)

    def _tsv(self, table: Table, request: Request) -> Response:
        def off(name: str) -> bool:
            return request.headers.get(name, "false") == "true"

        text = table.tsv(
            micros=request.headers.get("returnmoneyinmicros", "true") != "false",
            header=not off("skipreportheader"),
            names=not off("skipcolumnheader"),
            summary=not off("skipreportsummary"),
        )
        if self.switches.get("ragged_lines", bool):
            text = text.replace(" | ", " |\t")
        return Response(text.encode(), media_type="text/tab-separated-values")

    def _waiting(self, status: int) -> Response:
        headers = {"retryIn": str(self.switches.get("retry_in", int)), "reportsInQueue": str(self._queue.building)}
        return Response(b"", status, headers)


def _day(now: datetime) -> date:
    return now.astimezone(MOSCOW).date()


async def _body(request: Request) -> dict[str, Any]:
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise DirectError(8000, "Тело запроса не JSON") from error
    if not isinstance(body, dict):
        raise DirectError(8000, "Тело запроса должно быть объектом")
    return body


def _refusal(error: DirectError, number: str, status: int, as_text: bool = False) -> Response:
    content = {
        "request_id": number,
        "error_code": str(error.code) if as_text else error.code,
        "error_string": TEXTS[error.code],
        "error_detail": error.detail,
    }
    return _json({"error": content}, status)


def _json(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")
