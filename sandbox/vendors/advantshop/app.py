"""The shop's door ``/api``, with the vendor's habits: status 200 for everything, orders in PascalCase and customers
in camelCase, two styles of errors, silent page sizes, and an exchange with 1C in UTF-16."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from xml.sax.saxutils import quoteattr

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.vendors.advantshop.projection import buyer_of, standard_phone
from sandbox.vendors.advantshop.store import KEY, STATUSES, Row, Store, local, switches
from sandbox.vendors.contract import World

PAGE, LARGEST_PAGE = 50, 100
_NEVER, _ALWAYS = "0000", "9999"
Handler = Callable[[Request, Row], Any]


def api_key(world: World) -> str:
    return world.secret(KEY, "api_key", 32)


def expired() -> Response:
    return _json(_error("Invalid apikey"))


class Refused(Exception):
    """A refusal in the style of the methods of orders."""


class Shop:
    """The handlers over one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._switches = switches(world)
        self._store = Store(world)

    def app(self) -> Starlette:
        orders: dict[str, Handler] = {
            "/api/order/getlist": self._orders,
            "/api/order/add": self._add_order,
            "/api/order/changestatus": self._change_status,
            "/api/order/setpaid": self._set_paid,
            "/api/orderstatus/getlist": self._statuses,
        }
        return Starlette(
            routes=[
                self._switches.route,
                *(Route(path, self._obj(handler), methods=["POST"]) for path, handler in orders.items()),
                Route("/api/order/get/{id}", self._obj(self._order), methods=["GET"]),
                Route("/api/customers", self._plain(self._customers), methods=["GET"]),
                Route("/api/customers/add", self._plain(self._add_customer), methods=["POST"]),
                Route("/api/customers/{id}", self._plain(self._customer), methods=["GET"]),
                Route("/api/customers/{id}", self._plain(self._change_customer), methods=["POST"]),
                Route("/api/leads/add", self._plain(self._add_lead), methods=["POST"]),
                Route("/api/managers", self._plain(self._managers), methods=["GET"]),
                Route("/api/1c/exportorders", self._export, methods=["GET"]),
                Route("/api/1c/deletedorders", self._plain(self._deleted), methods=["GET"]),
            ]
        )

    def _refused(self, request: Request) -> Response | None:
        given = request.query_params.get("apikey")
        word = "Invalid apikey"
        if given is None:
            given, word = request.headers.get("authorization", ""), "Invalid apikey in authorization"
        right = hmac.compare_digest(given.encode(), api_key(self._world).encode())
        return None if right else _json(_error(word))

    def _obj(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """A method of orders: ``{"result", "obj"}`` or ``{"result", "errors"}``."""

        async def answer(request: Request) -> Response:
            refused = self._refused(request)
            if refused is not None:
                return refused
            try:
                found = handler(request, await _body(request))
            except Refused as error:
                return _json({"result": False, "errors": [str(error)]})
            return _json({"result": True} if found is None else {"result": True, "obj": found})

        return answer

    def _plain(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """Any other method: the object itself, or ``{"status": "error"}``."""

        async def answer(request: Request) -> Response:
            return self._refused(request) or _json(handler(request, await _body(request)))

        return answer

    # -- orders

    def _orders(self, _request: Request, body: Row) -> Row:
        first, last = _time(body.get("datefrom"), _NEVER, "DateFrom"), _time(body.get("dateto"), _ALWAYS, "DateTo")
        found = [
            row
            for row in self._store.orders(first, last)
            if (body.get("statusid") is None or row["Status"]["Id"] == body["statusid"])
            and (body.get("ispaid") is None or row["IsPaid"] == body["ispaid"])
            and (body.get("customerid") is None or (row["Customer"] or {}).get("CustomerId") == body["customerid"])
        ]
        loaded = bool(body.get("loaditems"))
        page = _paged(found, body, most=PAGE if loaded else LARGEST_PAGE)
        if not loaded and page["DataItems"]:
            page["DataItems"] = [row | {"Items": None} for row in page["DataItems"]]
        return page

    def _order(self, request: Request, _body: Row) -> Row:
        return self._known(request.path_params["id"])

    def _known(self, id_: Any) -> Row:
        if not str(id_ or "").isdecimal():
            raise Refused("Укажите идентификатор заказа")
        row = self._store.order(int(id_))
        if row is None:
            raise Refused("Заказ не найден")
        return row

    def _change_status(self, _request: Request, body: Row) -> None:
        order = self._known(body.get("orderid"))
        status = next((each for each in STATUSES if each["Id"] == body.get("statusid")), None)
        if status is None:
            raise Refused("Статус не найден")
        with self._world.transaction():
            self._store.change_order(order["Id"], {"Status": status}, self._world.now())

    def _set_paid(self, _request: Request, body: Row) -> None:
        order = self._known(body.get("orderid"))
        with self._world.transaction():
            now = self._world.now()
            self._store.change_order(order["Id"], {"IsPaid": True}, now, {"PaymentDate": local(now)})

    def _add_order(self, _request: Request, body: Row) -> Row:
        told = {name.lower(): value for name, value in (body.get("ordercustomer") or {}).items()}
        if not any(told.get(name) for name in ("firstname", "email", "phone", "organization")):
            raise Refused("Заполните обязательное поле (имя, email, телефон или организацию)")
        lines = [_line(each) for each in body.get("orderitems") or ()]
        known = self._store.customer(told.get("customerid") or "")
        named = {"FirstName": told.get("firstname"), "LastName": told.get("lastname"), "Email": told.get("email")}
        buyer = buyer_of(known) if known else named | {"Phone": told.get("phone")}
        with self._world.transaction():
            values = {
                "Customer": buyer,
                "Items": lines,
                "Sum": sum(line["Price"] * line["Amount"] for line in lines),
                "AdminComment": body.get("admincomment") or "",
                "IsPaid": bool(body.get("ispaied")),
            }
            return self._store.order(self._store.add_order(values, self._world.now())) or {}

    def _statuses(self, _request: Request, body: Row) -> Row:
        return _paged(list(STATUSES), body, most=LARGEST_PAGE)

    # -- customers, leads, managers

    def _customers(self, request: Request, _body: Row) -> Row:
        query = {name.lower(): value for name, value in request.query_params.items()}
        since = query.get("registrationdatetimefrom", _NEVER)
        found = [row for row in self._store.customers(since=since) if _searched(row, query)]
        size = int(query.get("itemsperpage", PAGE))
        size = size if 0 < size <= LARGEST_PAGE else PAGE
        page = max(int(query.get("page", 1)), 1)
        rows = found[(page - 1) * size : page * size]
        pages = {"count": len(rows), "currentPage": page, "totalCount": len(found)}
        extended = query.get("extended") == "true"
        shown = [row | ({"contact": None, "fields": []} if extended else {}) for row in rows]
        return {"pagination": pages | {"totalPageCount": -(-len(found) // size)}, "customers": shown}

    def _customer(self, request: Request, _body: Row) -> Row:
        row = self._store.customer(request.path_params["id"])
        return _error("Покупатель не найден") if row is None else row | {"contact": None, "fields": []}

    def _add_customer(self, _request: Request, body: Row) -> Row:
        wrong = self._wrong(body, "")
        if wrong is not None:
            return _error(wrong)
        with self._world.transaction():
            return {"status": "ok", "id": self._store.add_customer(_card(body), self._world.now())}

    def _change_customer(self, request: Request, body: Row) -> Row:
        """The e-mail is written whatever it is; of the rest what is given."""
        id_ = request.path_params["id"]
        if self._store.customer(id_) is None:
            return _error("Пользователь не найден")
        wrong = self._wrong(body, id_) if body.get("email") else None
        if wrong is not None:
            return _error(wrong)
        with self._world.transaction():
            given = {name: value for name, value in _card(body).items() if value is not None}
            self._store.change_customer(id_, given | {"email": body.get("email") or ""})
        return {"status": "ok", "id": id_}

    def _wrong(self, body: Row, id_: str) -> str | None:
        email = body.get("email") or ""
        if "@" not in email:
            return "Не валидный email"
        if self._store.with_email(email, but=id_) is not None:
            return "Пользователь с таким email уже существует"
        if self._store.with_phone(body.get("phone"), but=id_) is not None:
            return "Пользователь с таким телефоном уже существует"
        return None

    def _add_lead(self, _request: Request, body: Row) -> Row:
        if not any(body.get(name) for name in ("firstname", "email", "phone")):
            return _error("Заполните обязательное поле (имя, email или телефон)")
        with self._world.transaction():
            return {"leadId": self._store.add_lead(body), "status": "ok", "errors": "", "warnings": ""}

    def _managers(self, _request: Request, _body: Row) -> list[Row]:
        return [
            {"id": each.id, "name": f"{each.first_name} {each.last_name}"}
            for each in self._world.market.managers
            if each.crm == KEY
        ]

    # -- the exchange with 1C

    async def _export(self, request: Request) -> Response:
        refused = self._refused(request)
        if refused is not None:
            return refused
        if not self._switches.get("exchange", bool):
            return Response("error saas plan", media_type="text/plain")
        orders = "".join(_element(row, beside) for row, beside in self._store.exchanged(*_days(request)))
        text = f'<?xml version="1.0" encoding="utf-16"?><Orders>{orders}</Orders>'
        mark = b"\xff\xfe" if self._switches.get("mark", bool) else b""
        return Response(mark + text.encode("utf-16-le"), media_type="text/xml")

    def _deleted(self, request: Request, _body: Row) -> Row:
        return {"status": "ok", "ids": ",".join(map(str, self._store.deleted(*_days(request))))}


def _element(row: Row, beside: Row) -> str:
    buyer = row["Customer"] or {}
    told = {
        "OrderID": row["Id"],
        "Number": row["Number"],
        "OrderStatusId": row["Status"]["Id"],
        "OrderStatus": row["Status"]["Name"],
        "OrderStatusComment": beside.get("OrderStatusComment", ""),
        "CustomerEmail": buyer.get("Email") or "",
        "Date": _written(row["Date"]),
        "IsPaid": int(row["IsPaid"]),
        "PaymentDate": _written(beside.get("PaymentDate", "")),
        "OrderSource": row["Source"]["Name"],
        "ModifiedDate": _written(beside["ModifiedDate"]),
    }
    customer = {"YandexClientID": beside["YandexClientID"]} if beside.get("YandexClientID") else {}
    customer |= {"Surname": buyer.get("LastName") or "", "Email": buyer.get("Email") or ""}
    return f"<Order{_attributes(told)}><Customers><Customer{_attributes(customer)}/></Customers></Order>"


def _written(time: str) -> str:
    return time.partition(".")[0].replace("T", " ")


def _attributes(told: Row) -> str:
    return "".join(f" {name}={quoteattr(str(value))}" for name, value in told.items())


def _days(request: Request) -> tuple[str, str]:
    """From the first day up to the end of the last one; without them, all."""
    first, last = request.query_params.get("from"), request.query_params.get("to")
    if not first or not last:
        return _NEVER, _ALWAYS
    until = datetime.strptime(last, "%Y.%m.%d") + timedelta(days=1)  # noqa: DTZ007 - the server's own days
    return first.replace(".", "-"), until.strftime("%Y-%m-%d")


def _paged(found: list[Row], body: Row, *, most: int) -> Row:
    """A size above the largest becomes the default without a word; a page past the end has no list."""
    size = body.get("itemsperpage") or PAGE
    size = size if 0 < size <= most else PAGE
    page = max(body.get("page") or 1, 1)
    rows = found[(page - 1) * size : page * size]
    return {
        "DataItems": rows or None,
        "TotalPageCount": -(-len(found) // size),
        "TotalItemsCount": len(found),
        "PageIndex": page,
        "ItemsPerPage": size,
    }


def _searched(row: Row, query: dict[str, str]) -> bool:
    if "email" in query and query["email"].lower() not in (row["email"] or "").lower():
        return False
    if "phone" in query:
        wanted = standard_phone(query["phone"])
        return wanted is not None and str(wanted) in str(row["phone"] or "")
    return True


def _card(body: Row) -> Row:
    names = ("email", "phone", "firstName", "lastName", "patronymic", "organization", "adminComment", "managerId")
    return {name: body.get(name.lower()) for name in names}


def _line(told: Row) -> Row:
    given = {name.lower(): value for name, value in told.items()}
    named = {"ArtNo": given.get("artno"), "Name": given.get("name"), "Color": None, "Size": None}
    return named | {"Price": float(given.get("price") or 0), "Amount": float(given.get("amount") or 1)}


def _time(text: str | None, otherwise: str, name: str) -> str:
    if not text:
        return otherwise
    try:
        return datetime.fromisoformat(text).isoformat(timespec="milliseconds")
    except ValueError:
        raise Refused(f"Неудалось преобразовать дату параметра {name}") from None


async def _body(request: Request) -> Row:
    """The body's fields by their names in lower case: the binder reads them in any."""
    if request.method != "POST":
        return {}
    try:
        told = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        return {}
    return {name.lower(): value for name, value in told.items()} if isinstance(told, dict) else {}


def _error(words: str) -> Row:
    return {"status": "error", "errors": words}


def _json(body: Any) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")
