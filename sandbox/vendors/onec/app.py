"""The doors of two published bases: ``/{base}/odata/standard.odata/…``, with the platform's habits.

Basic auth; ``$metadata`` in XML only; times without a zone; error codes that are texts; no paging of its own;
``$inlinecount`` that makes it forget ``$top``; order by a key that is the order of names; keys that can't be
compared by order; sections that are replaced whole; unknown properties that are ignored; a count with a byte order
mark.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from sandbox.vendors.address import mount_url
from sandbox.vendors.contract import World
from sandbox.vendors.onec.filters import FilterError, parse
from sandbox.vendors.onec.names import BASES, KEY, NO_KEY, PLAN, document, types
from sandbox.vendors.onec.packet import feed
from sandbox.vendors.onec.store import Store, switches

LOGIN = "Сквозь"
PASSWORD_LENGTH = 20
_ENTITY = re.compile(r"(?P<set>\w+)\(guid'(?P<ref>[0-9a-fA-F-]{36})'\)(?P<rest>/\w+)?")
_POINT = re.compile(r"'.*/(?P<plan>ExchangePlan_\w+)\(guid'(?P<ref>[0-9a-fA-F-]{36})'\)'")
_OPTIONS = frozenset(
    {"$filter", "$select", "$orderby", "$top", "$skip", "$expand", "$inlinecount", "$format", "allowedOnly"}
)
_DENIED = frozenset({"Document_ТелефонныйЗвонок", "Document_CRM_Интерес", "Document_CRM_Взаимодействие"})
_METHODS = ["GET", "POST", "PATCH", "PUT", "DELETE"]


class Fault(Exception):
    """An error as the platform tells it."""

    def __init__(self, status: int, code: str, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.code = code


def password(world: World) -> str:
    return world.secret(KEY, "password", PASSWORD_LENGTH)


def refused() -> Response:
    return Response("", 401, {"WWW-Authenticate": 'Basic realm="1C:Enterprise 8.3"'})


class Platform:
    """The handlers over one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._switches = switches(world)
        self._stores = {base: Store(world, base) for base in BASES}

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                self._switches.route,
                Route("/{base}/odata/standard.odata/{path:path}", self.ask, methods=_METHODS),
            ]
        )

    async def ask(self, request: Request) -> Response:
        """Any request to a base."""
        store = self._stores.get(request.path_params["base"])
        if store is None:
            return HTMLResponse("<html>Not Found</html>", 404)
        if self._switches.get("login_page", bool):
            return HTMLResponse("<html>1С:Предприятие</html>")
        given = request.headers.get("authorization", "").removeprefix("Basic ")
        wanted = base64.b64encode(f"{LOGIN}:{password(self._world)}".encode()).decode()
        if not hmac.compare_digest(given, wanted):
            return refused()
        try:
            with self._world.transaction():
                return self._answer(store, request, await _body(request))
        except Fault as fault:
            return _error(fault.status, fault.code, str(fault))
        except FilterError as error:
            return _error(error.status, error.code, str(error))

    def _answer(self, store: Store, request: Request, body: dict[str, Any]) -> Response:
        path = request.path_params["path"]
        query = _query(request)
        if path == "$metadata":
            return Response(document(store.base), media_type="application/xml; charset=utf-8")
        if path in ("SelectChanges", "NotifyChangesReceived"):
            return self._exchange(store, path, query, mount_url(request))
        entity = _ENTITY.fullmatch(path)
        name = entity["set"] if entity else path.removesuffix("/$count")
        if name not in types(store.base) or name == self._switches.get("unpublished", str):
            raise Fault(404, "8", f'"{name}" entity is not found')
        if entity is not None:
            return self._one(store, request, name, entity["ref"].lower(), entity["rest"], body)
        if request.method == "POST":
            made = store.put(name, str(uuid4()), body)
            return _json(self._shown(store, made, ()), 201)
        if request.method != "GET":
            raise Fault(405, "19", "Метод не разрешен")
        return self._list(store, name, query, count=path.endswith("/$count"))

    # -- lists

    def _list(self, store: Store, name: str, query: Mapping[str, str], *, count: bool) -> Response:
        unknown = [option for option in query if option.startswith("$") and option not in _OPTIONS]
        if unknown:
            raise Fault(400, "0", f"The {unknown[0]} parameter is not supported")
        if name == self._switches.get("forbidden", str) and query.get("allowedOnly") != "true":
            raise Fault(401, "20", "Нарушение прав доступа")
        rows = self._rows(store, name)
        if "$filter" in query:
            test = parse(query["$filter"])
            rows = [row for row in rows if test(row)]
        if count:
            return Response("\ufeff".encode() + str(len(rows)).encode(), media_type="text/plain")
        rows = _ordered(rows, query.get("$orderby", ""))
        told: dict[str, Any] = {}
        if query.get("$inlinecount") == "allpages":
            told["odata.count"] = str(len(rows))  # and $top and $skip are forgotten
        else:
            skip = int(query.get("$skip", 0))
            rows = rows[skip : skip + int(query["$top"])] if "$top" in query else rows[skip:]
        selected = tuple(filter(None, query.get("$select", "").split(",")))
        whole = not set(selected) or bool(set(selected) - {"Ref_Key", "DataVersion"})
        largest = self._switches.get("largest_page", int)
        if largest and whole and len(rows) > largest:
            raise Fault(500, "-1", "Недостаточно памяти")
        if "nometadata" not in query.get("$format", ""):
            told["odata.metadata"] = f"$metadata#{name}"
        return _json({**told, "value": [self._shown(store, row, selected) for row in rows]})

    def _rows(self, store: Store, name: str) -> list[dict[str, Any]]:
        return store.nodes() if name == PLAN else store.all(name)

    def _shown(self, store: Store, row: dict[str, Any], selected: tuple[str, ...]) -> dict[str, Any]:
        if not selected or "*" in selected:
            return row
        shown: dict[str, Any] = {}
        for name in selected:
            if name.endswith("____Presentation"):
                shown[name] = self._presentation(store, row.get(f"{name.removesuffix('____Presentation')}_Key"))
            elif name in row:
                shown[name] = row[name]
            else:
                raise Fault(400, "10", f"Свойство {name} не найдено")
        return shown

    def _presentation(self, store: Store, ref: Any) -> str:
        if ref in (None, NO_KEY):
            return ""
        found = self._world.db.execute(
            "SELECT row FROM onec_row WHERE base = ? AND ref = ?", (store.base, ref)
        ).fetchone()
        return "" if found is None else str(orjson.loads(found[0]).get("Description", ""))

    # -- one record

    def _one(
        self, store: Store, request: Request, name: str, ref: str, rest: str | None, body: dict[str, Any]
    ) -> Response:
        row = store.get(name, ref)
        if row is None:
            raise Fault(404, "9", "Entity instance not found")
        if rest is not None:
            return self._posting(store, name, ref, rest)
        if request.method == "GET":
            return _json(row)
        if request.method == "DELETE":
            store.delete(name, ref)  # for good: no mark is left
            return Response(status_code=204)
        if request.method == "PATCH" and not self._switches.get("patch", bool):
            return Response("", 405)
        expected = request.headers.get("if-match")
        if expected is not None and expected != row["DataVersion"]:
            return _error(412, "0", "Версия объекта изменилась")
        return _json(store.put(name, ref, body))

    def _posting(self, store: Store, name: str, ref: str, rest: str) -> Response:
        if rest not in ("/Post", "/Unpost"):
            raise Fault(400, "6", "Метод не найден")
        if name in _DENIED:
            raise Fault(500, "-1", "Проведение документа запрещено")
        store.put(name, ref, {"Posted": rest == "/Post"})
        return Response(status_code=200)

    # -- exchange

    def _exchange(self, store: Store, path: str, query: Mapping[str, str], mount: str) -> Response:
        point = _POINT.fullmatch(query.get("DataExchangePoint", ""))
        if point is None or not query.get("MessageNo", "").isdigit():
            raise Fault(400, "12", "Не указан обязательный аргумент")
        nodes = {node["Ref_Key"]: node for node in store.nodes()}
        node = nodes.get(point["ref"])
        if point["plan"] != PLAN or node is None or node["ThisNode"]:
            raise Fault(404, "9", "Entity instance not found")
        number = int(query["MessageNo"])
        if path == "NotifyChangesReceived":
            store.notify_received(number)
            return Response(status_code=200)
        address = f"{mount}/{store.base}/odata/standard.odata"
        return Response(feed(address, store.select_changes(number)), media_type="application/atom+xml")


def _ordered(rows: list[dict[str, Any]], orderby: str) -> list[dict[str, Any]]:
    """By a property; by the key means by what the record is called."""
    if not orderby:
        return rows
    if orderby.startswith("Ref_Key"):
        return sorted(
            rows, key=lambda row: (row.get("Description", ""), row.get("Date", ""), row.get("Number", ""))
        )
    name, _, direction = orderby.partition(" ")
    if rows and name not in rows[0]:
        raise Fault(400, "10", f"Свойство {name} не найдено")
    return sorted(rows, key=lambda row: row[name], reverse=direction == "desc")


def _query(request: Request) -> dict[str, str]:
    """The options of a query. A plus is a plus here: spaces must come as %20."""
    found = {}
    for part in filter(None, request.url.query.split("&")):
        name, _, value = part.partition("=")
        found[unquote(name)] = unquote(value)
    return found


async def _body(request: Request) -> dict[str, Any]:
    content = await request.body()
    if not content:
        return {}
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise Fault(400, "2", "Неверный формат запроса") from None
    return body if isinstance(body, dict) else {}


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json;charset=utf-8")


def _error(status: int, code: str, words: str) -> Response:
    return _json({"odata.error": {"code": code, "message": {"lang": "ru", "value": words}}}, status)
