"""The portal's door: ``/api/v1/module/{module}/{entity}/{method}``, with the vendor's habits.

Bodies are forms and JSON is not read; errors come with status 200; ``total`` counts what no filter has touched;
deletion is a GET; a key that isn't there is error 11, a row that isn't there error 20.
"""

from __future__ import annotations

import hmac
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sandbox.vendors.aspro_cloud.filters import fits, found, wanted
from sandbox.vendors.aspro_cloud.store import KEY, Store, switches
from sandbox.vendors.contract import World

PAGE, LARGEST_PAGE = 50, 100
ADMINISTRATOR = 1
_REQUIRED = {"crm/account": ("name",), "crm/lead": ("name",), "task/tasks": ("name",), "crm/pipeline": ("name",)}
_MODELS = frozenset(
    {"crm/account", "crm/lead", "crm/pipeline", "crm/pipeline_stage", "crm/source", "crm/loss_reason"}
    | {"crm/relation", "fin/invoice", "fin/act", "fin/customer_payment", "task/tasks", "core/user"}
)
_NUMBERS = frozenset({"type", "active", "status", "budget", "total", "priority"})


def api_key(world: World) -> str:
    return world.secret(KEY, "api_key", 48)


def expired() -> Response:
    return _json({"error": {"error_code": 11, "error_msg": "access denied"}})


class Fault(Exception):
    """An error as the portal tells it."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(str(body))
        self.status = status
        self.body = body


class Portal:
    """The handlers over one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._switches = switches(world)
        self._store = Store(world)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                self._switches.route,
                Route("/api/v1/module/{module}/{entity}/{method}", self.ask, methods=["GET", "POST"]),
                Route("/api/v1/module/{module}/{entity}/{method}/{id}", self.ask, methods=["GET", "POST"]),
                Route("/{path:path}", _elsewhere, methods=["GET", "POST"]),
            ]
        )

    async def ask(self, request: Request) -> Response:
        """Any call of the API."""
        rate = self._switches.get("requests_per_second", int)
        wait = self._world.limiter.wait(KEY, rate, 1.0)
        if wait:
            return Response("Too Many Requests", 429, {"retry-after": str(int(wait) + 1)})
        try:
            return _json(await self._answer(request))
        except Fault as fault:
            return _json(fault.body, 200 if self._switches.get("errors_in_200", bool) else fault.status)

    async def _answer(self, request: Request) -> Any:
        if not hmac.compare_digest(request.query_params.get("api_key", "").encode(), api_key(self._world).encode()):
            raise Fault(401, {"error": {"error_code": 11, "error_msg": "access denied"}})
        path = request.path_params
        model, method = f"{path['module']}/{path['entity']}", path["method"]
        if model not in _MODELS or (model == "fin/act" and not self._switches.get("acts", bool)):
            raise _not_found()
        if request.method == "GET" and method == "list":
            return {"response": self._list(model, request)}
        if request.method == "GET" and method == "get":
            id_ = ADMINISTRATOR if model == "core/user" and "id" not in path else _number(path.get("id"))
            return {"response": self._shown(self._row(model, id_))}
        if request.method == "GET" and method == "delete":
            with self._world.transaction():
                if not self._store.delete(model, _number(path.get("id"))):
                    raise _not_found()
            return {"response": {"id": str(path["id"])}}
        if request.method == "POST" and method in ("create", "update"):
            return {"response": self._write(model, method, path.get("id"), await _form(request))}
        raise _not_found()

    def _list(self, model: str, request: Request) -> dict[str, Any]:
        query = request.query_params
        limit = min(_number(query.get("limit", str(PAGE))) or PAGE, LARGEST_PAGE)
        page = max(_number(query.get("page", "1")), 1)
        all_rows = self._store.all(model)
        filters = wanted(query.multi_items(), dates=self._switches.get("date_filter", bool))
        chosen = [row for row in all_rows if fits(row, filters)]
        if "search" in query:
            chosen = [row for row in chosen if found(row, query["search"])]
        shown = [self._shown(row) for row in chosen[(page - 1) * limit : page * limit]]
        if "fields" in query:
            kept = {"id", *query["fields"].split(",")}
            shown = [{name: value for name, value in row.items() if name in kept} for row in shown]
        totals = {"total": len(all_rows), "total_result": len(chosen)} if self._switches.get("totals", bool) else {}
        return {**totals, "page": page, "count": len(shown), "items": shown}

    def _write(self, model: str, method: str, id_: str | None, form: dict[str, str]) -> dict[str, Any]:
        empty = [
            name
            for name in _REQUIRED.get(model, ())
            if not form.get(name, "").strip() and (method == "create" or name in form)
        ]
        if empty:
            details = {name: f"{name} не может быть пустым" for name in empty}
            told = {"error": "validation", "description": "Ошибка заполнения формы", "details": details}
            raise Fault(400, told)
        values = {name: _value(name, value) for name, value in form.items() if "." not in name}
        with self._world.transaction():
            if method == "create":
                made = self._store.add(model, values, self._world.now())
                return {"id": made, "_resultMessage": f"Запись создана. Номер #{made}"}
            row = self._store.update(model, _number(id_), values, self._world.now())
        if row is None:
            raise _not_found()
        return self._shown(row)

    def _row(self, model: str, id_: int) -> dict[str, Any]:
        row = self._store.get(model, id_)
        if row is None:
            raise _not_found()
        return row

    def _shown(self, row: dict[str, Any]) -> dict[str, Any]:
        return row | {"id": str(row["id"])} if self._switches.get("text_ids", bool) else row


async def _form(request: Request) -> dict[str, str]:
    """The body's fields. Whatever isn't a form holds none."""
    if "x-www-form-urlencoded" not in request.headers.get("content-type", ""):
        return {}
    return dict(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))


async def _elsewhere(_: Request) -> Response:
    """A company that isn't there leads to the vendor's site."""
    return RedirectResponse("https://aspro.cloud/", 302)


def _value(name: str, text: str) -> Any:
    if text == "":
        return None
    whole = name in _NUMBERS or name.endswith("_id")
    if whole and name not in ("ref_id",) and text.lstrip("-").isdigit():
        return int(text)
    return text


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdigit() else 0


def _not_found() -> Fault:
    return Fault(404, {"error": {"error_code": 20, "error_msg": "not found"}})


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
