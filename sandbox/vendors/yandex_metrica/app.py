"""Metrica's HTTP interface: counters and goals, the Logs API, and totals by day.

The Logs API prepares an export while it is asked how far it is; the list of exports, and the room for them, is
common to all logins of the counter.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.vendors.contract import World
from sandbox.vendors.rows import Row, rows
from sandbox.vendors.switches import Switches
from sandbox.vendors.yandex_metrica.conversions import Conversions
from sandbox.vendors.yandex_metrica.errors import MetricaError
from sandbox.vendors.yandex_metrica.store import GOALS, SWITCHES
from sandbox.vendors.yandex_metrica.table import VisitTable, bounds, field_of

AT_ONCE = 3  # requests of one login
A_DAY = 5000
A_SECOND = 30
LOGS_A_SECOND = 10
FIELDS_LENGTH = 3000
LONGEST = 366
LINE_BYTES = 450  # by which the size of an export is estimated
FIRST_EXPORT = 5_550_000
READY, FAILED = "processed", "processing_failed"
UNREADY = ("created", "awaiting_retry")
METRICS = ("ym:s:visits", "ym:s:users")
_LIVE = (*UNREADY, READY)

Handler = Callable[[Request], Awaitable[Response]]


def counter_id(world: World) -> int:
    return 40_000_000 + int(world.secret("yandex_metrica", "counter", 6), 16)


def credentials(world: World, base_url: str) -> dict[str, str]:
    """``base_url`` stands for https://api-metrika.yandex.net."""
    token = world.secret("yandex_metrica", "token", 58)
    return {"base_url": base_url, "token": token, "counter_id": str(counter_id(world))}


def expired() -> Response:
    return MetricaError("invalid_token", "Invalid oauth_token").answer(429)


def app(world: World) -> Starlette:
    """Metrica over ``world``."""
    desk = _Desk(world)
    counter, told = "/management/v1/counter/{counter:int}", "/cdp/api/v1/counter/{counter:int}"
    doors: tuple[tuple[str, str, Handler], ...] = (
        ("GET", "/management/v1/counters", desk.counters),
        ("GET", counter, desk.counter),
        ("GET", f"{counter}/goals", desk.goals),
        ("GET", f"{counter}/logrequests", desk.exports),
        ("POST", f"{counter}/logrequests", desk.create),
        ("GET", f"{counter}/logrequests/evaluate", desk.evaluate),
        ("GET", f"{counter}/logrequest/{{export:int}}", desk.export),
        ("GET", f"{counter}/logrequest/{{export:int}}/part/{{part:int}}/download", desk.download),
        ("POST", f"{counter}/logrequest/{{export:int}}/clean", desk.clean),
        ("POST", f"{counter}/logrequest/{{export:int}}/cancel", desk.cancel),
        ("GET", "/stat/v1/data", desk.totals),
        ("POST", f"{told}/data/simple_orders", desk.put_orders),
        ("GET", f"{told}/last_uploadings", desk.order_uploads),
        ("POST", f"{counter}/offline_conversions/upload", desk.put_goals),
        ("GET", f"{counter}/offline_conversions/uploadings", desk.goal_uploads),
        ("GET", f"{counter}/offline_conversions/uploading/{{upload:int}}", desk.goal_upload),
    )
    routes = [Route(path, desk.inside(handler), methods=[method]) for method, path, handler in doors]
    routes.append(desk.switches.route)
    return Starlette(routes=routes, middleware=[Middleware(GZipMiddleware, minimum_size=500)])


class _Desk:
    """The handlers, over one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._counter = counter_id(world)
        self._tokens = {world.secret("yandex_metrica", name, 58) for name in ("token", "colleague")}
        self.switches = Switches(world, "yandex_metrica", SWITCHES)
        self._conversions = Conversions(world, self.switches)

    def inside(self, handler: Handler) -> Handler:
        """The handler behind the gate: token, quotas, the counter's number."""

        async def answer(request: Request) -> Response:
            status = self.switches.get("quota_status", int)
            try:
                return await self._answered(handler, request)
            except MetricaError as error:
                return error.answer(status)

        return answer

    async def _answered(self, handler: Handler, request: Request) -> Response:
        limiter, token = self._world.limiter, self._enter(request)
        if not limiter.enter(f"yandex_metrica:{token}", AT_ONCE):
            raise MetricaError("quota_parallel_requests_by_uid", "Quota exceeded: parallel requests")
        try:
            return await handler(request)
        finally:
            limiter.leave(f"yandex_metrica:{token}")

    def _enter(self, request: Request) -> str:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if not token or scheme not in ("OAuth", "Bearer"):
            raise MetricaError("unauthorized", "Authorization header is required")
        if token not in self._tokens:
            raise MetricaError("invalid_token", "Invalid oauth_token")
        limiter = self._world.limiter
        if limiter.wait("yandex_metrica:ip", A_SECOND, 1.0):
            raise MetricaError("quota_requests_by_ip", "Quota exceeded: requests per second")
        if "logrequest" in request.url.path and limiter.wait("yandex_metrica:logs", LOGS_A_SECOND, 1.0):
            raise MetricaError("quota_requests_by_ip", "Quota exceeded: Logs API requests per second")
        if limiter.wait(f"yandex_metrica:{token}:day", A_DAY, 86_400.0):
            raise MetricaError("quota_requests_by_uid", "Quota exceeded: requests per day")
        if request.path_params.get("counter", self._counter) != self._counter:
            raise MetricaError("access_denied", "Access is denied")
        return token

    # --- the counter --------------------------------------------------------------------------

    async def counters(self, _: Request) -> Response:
        return _json({"rows": 1, "counters": [self._told_counter()]})

    async def counter(self, _: Request) -> Response:
        return _json({"counter": self._told_counter()})

    async def goals(self, _: Request) -> Response:
        goals = [
            {
                "id": id,
                "name": name,
                "type": "action",
                "conditions": [{"type": "exact", "url": f"goal_{id}"}],
            }
            for id, name in GOALS.items()
        ]
        return _json({"goals": goals})

    def _told_counter(self) -> dict[str, Any]:
        return {
            "id": self._counter,
            "name": "Чистота",
            "site": "chistota.example",
            "status": "Active",
            "code_status": "CS_OK",
            "permission": self.switches.get("permission", str),
            "time_zone_name": self._zone.key,
            "owner_login": "chistota",
        }

    # --- the Logs API -------------------------------------------------------------------------

    async def exports(self, _: Request) -> Response:
        found = rows(self._world.db, "SELECT * FROM yandex_metrica_export ORDER BY id DESC")
        return _json({"requests": [self._told(export) for export in found]})

    async def evaluate(self, request: Request) -> Response:
        first, last, _, _ = self._asked(request)
        room, days = self._room(), _days(first, last)
        a_day = max(1, self._estimate(first, last) // days)
        most = min(LONGEST, room // a_day)
        return _json(
            {"log_request_evaluation": {"possible": days <= most, "max_possible_day_quantity": most}},
        )

    async def create(self, request: Request) -> Response:
        first, last, fields, attribution = self._asked(request)
        if self._estimate(first, last) > self._room():
            raise MetricaError("quota_exports_size", "Log requests quota exceeded")
        with self._world.transaction() as db:
            (newest,) = db.execute(
                "SELECT coalesce(max(id), ?) FROM yandex_metrica_export", (FIRST_EXPORT,)
            ).fetchone()
            db.execute(
                "INSERT INTO yandex_metrica_export VALUES (?, ?, ?, ?, ?, 'created', 0, 0)",
                (newest + 1, first, last, ",".join(fields), attribution),
            )
        return _json({"log_request": self._told(self._export(newest + 1))})

    async def export(self, request: Request) -> Response:
        export = self._export(request.path_params["export"])
        if export["status"] in UNREADY:
            export = self._go_on(export)
        return _json({"log_request": self._told(export)})

    async def download(self, request: Request) -> Response:
        export = self._export(request.path_params["export"])
        if export["status"] != READY:
            if export["status"] in UNREADY:
                self._go_on(export)  # for a client that asks for nothing but the file
            raise MetricaError("invalid_parameter", "Only log of requests in status 'processed' can be downloaded")
        parts = self._parts(export)
        if request.path_params["part"] >= len(parts):
            raise MetricaError("invalid_parameter", "Incorrect part number", "part_number")
        return Response(parts[request.path_params["part"]], media_type="text/tab-separated-values")

    async def clean(self, request: Request) -> Response:
        return self._end(request, (READY,), "cleaned_by_user")

    async def cancel(self, request: Request) -> Response:
        return self._end(request, ("created",), "canceled")

    def _asked(self, request: Request) -> tuple[str, str, list[str], str]:
        """Days, fields and model of an export. `MetricaError` says what is wrong with them."""
        query = request.query_params
        for name in ("date1", "date2", "fields", "source"):
            if not query.get(name):
                raise MetricaError("missing_parameter", f"Missing parameter: {name}", name)
        if query["source"] != "visits":
            raise MetricaError("invalid_parameter", "Wrong parameter: source", "source")
        if len(query["fields"]) > FIELDS_LENGTH:
            raise MetricaError("invalid_parameter", "Too long parameter: fields", "fields")
        try:
            first, last = (date.fromisoformat(query[name][:10]) for name in ("date1", "date2"))
        except ValueError:
            raise MetricaError("invalid_parameter", "Wrong date", "date1") from None
        if last >= self._world.now().astimezone(self._zone).date():
            raise MetricaError("invalid_parameter", "date2 can not be today or later", "date2")
        if first > last or _days(str(first), str(last)) > LONGEST:
            raise MetricaError("invalid_parameter", "Wrong period: at most a year", "date1")
        attribution = query.get("attribution", "LAST").upper()
        fields = query["fields"].split(",")
        for field in fields:
            field_of(field, attribution)
        return str(first), str(last), fields, attribution

    def _go_on(self, export: Row) -> Row:
        polls = export["polls"] + 1
        empty = not self._estimate(export["date1"], export["date2"])
        unready = self.switches.get("polls", int) if self._world.limits and not empty else 0
        status, size = UNREADY[polls > 1], 0
        if polls > unready:
            status = READY
            fails = self.switches.get("fails", int)
            if fails:
                self.switches.set({"fails": fails - 1})
                status = FAILED
            size = sum(map(len, self._parts(export))) if status == READY else 0
        with self._world.transaction() as db:
            db.execute(
                "UPDATE yandex_metrica_export SET polls = ?, status = ?, size = ? WHERE id = ?",
                (polls, status, size, export["id"]),
            )
        return self._export(export["id"])

    def _end(self, request: Request, states: tuple[str, ...], status: str) -> Response:
        export = self._export(request.path_params["export"])
        if export["status"] not in states:
            raise MetricaError("invalid_parameter", f"Wrong status of the log request: {export['status']}")
        with self._world.transaction() as db:
            db.execute("UPDATE yandex_metrica_export SET status = ?, size = 0 WHERE id = ?", (status, export["id"]))
        return _json({"log_request": self._told(self._export(export["id"]))})

    def _export(self, id: int) -> Row:
        found = rows(self._world.db, "SELECT * FROM yandex_metrica_export WHERE id = ?", (id,))
        if not found:
            raise MetricaError("not_found", "Entity not found")
        return found[0]

    def _parts(self, export: Row) -> list[bytes]:
        """Two tables, each with its header; one where there is at most one visit."""
        table = VisitTable(self._world.db, self._counter, self._zone)
        header, lines = table.lines(
            export["date1"], export["date2"], export["fields"].split(","), export["attribution"]
        )
        half = (len(lines) + 1) // 2 if len(lines) > 1 else len(lines)
        halves = [lines[:half], lines[half:]] if lines[half:] else [lines]
        return ["".join(f"{line}\n" for line in (header, *part)).encode() for part in halves]

    def _told(self, export: Row) -> dict[str, Any]:
        told = {
            "request_id": export["id"],
            "counter_id": self._counter,
            "source": "visits",
            "date1": export["date1"],
            "date2": export["date2"],
            "fields": export["fields"].split(","),
            "status": export["status"],
            "attribution": export["attribution"],
        }
        if export["status"] == READY:
            sizes = [len(part) for part in self._parts(export)]
            told["size"] = sum(sizes)
            told["parts"] = [{"part_number": number, "size": size} for number, size in enumerate(sizes)]
        return told

    def _room(self) -> int:
        query = "SELECT * FROM yandex_metrica_export WHERE status IN (?, ?, ?)"
        taken = sum(
            export["size"] or self._estimate(export["date1"], export["date2"])
            for export in rows(self._world.db, query, _LIVE)
        )
        return max(0, self.switches.get("quota_bytes", int) - taken)

    def _estimate(self, first: str, last: str) -> int:
        (visits,) = self._world.db.execute(
            "SELECT count(*) FROM yandex_metrica_visit WHERE at >= ? AND at < ?", bounds(first, last, self._zone)
        ).fetchone()
        return int(visits) * LINE_BYTES

    # --- told afterwards ----------------------------------------------------------------------

    async def put_orders(self, request: Request) -> Response:
        self._may_write()
        return _json(await self._conversions.put_orders(request))

    async def order_uploads(self, request: Request) -> Response:
        return _json(self._conversions.uploads(request))

    async def put_goals(self, request: Request) -> Response:
        self._may_write()
        return _json(await self._conversions.put_goals(request))

    async def goal_uploads(self, _: Request) -> Response:
        return _json(self._conversions.goals())

    async def goal_upload(self, request: Request) -> Response:
        return _json(self._conversions.goal(request.path_params["upload"]))

    def _may_write(self) -> None:
        if self.switches.get("permission", str) == "view":
            raise MetricaError("access_denied", "Access is denied")

    # --- totals -------------------------------------------------------------------------------

    async def totals(self, request: Request) -> Response:
        """Visits and users by day; sampled unless full accuracy is asked for, and offsets begin at 1."""
        query = request.query_params
        if query.get("ids") != str(self._counter):
            raise MetricaError("access_denied", "Access is denied")
        metrics = query.get("metrics", "").split(",")
        if any(metric not in METRICS for metric in metrics):
            raise MetricaError("invalid_parameter", "Wrong parameter: metrics", "metrics")
        if query.get("dimensions") != "ym:s:date":
            raise MetricaError("invalid_parameter", "Wrong parameter: dimensions", "dimensions")
        first, last = date.fromisoformat(query["date1"]), date.fromisoformat(query["date2"])
        data: list[dict[str, Any]] = []
        for number in range(_days(str(first), str(last))):
            day = str(first + timedelta(days=number))
            counts = self._world.db.execute(
                "SELECT count(*), count(DISTINCT visitor) FROM yandex_metrica_visit WHERE at >= ? AND at < ?",
                bounds(day, day, self._zone),
            ).fetchone()
            if counts[0]:
                told = dict(zip(METRICS, map(float, counts), strict=True))
                data.append({"dimensions": [{"name": day}], "metrics": [told[metric] for metric in metrics]})
        offset, limit = int(query.get("offset", "1")), int(query.get("limit", "100"))
        sampled = query.get("accuracy", "medium") not in ("full", "1", "high")
        return _json(
            {
                "query": {
                    "ids": [self._counter],
                    "dimensions": ["ym:s:date"],
                    "metrics": metrics,
                    "sort": ["ym:s:date"],
                    "date1": str(first),
                    "date2": str(last),
                    "limit": limit,
                    "offset": offset,
                    "attribution": query.get("attribution", "LastSign"),
                },
                "data": data[offset - 1 : offset - 1 + limit],
                "total_rows": len(data),
                "sampled": sampled,
                "sample_share": 0.1 if sampled else 1.0,
                "totals": [sum(row["metrics"][place] for row in data) for place in range(len(metrics))],
            }
        )

    @property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.switches.get("time_zone", str))


def _days(first: str, last: str) -> int:
    return (date.fromisoformat(last) - date.fromisoformat(first)).days + 1


def _json(content: Any) -> Response:
    return Response(orjson.dumps(content), media_type="application/json")
