"""The shop's rows: customers and orders as the API shows them, with what only the exchange with 1C tells beside."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import orjson

from sandbox.vendors.contract import World
from sandbox.vendors.switches import Switches, Value

KEY = "advantshop"
MSK = timezone(timedelta(hours=3))
SWITCHES: dict[str, Value] = {
    "exchange": True,  # the tariff has the exchange with 1C
    "mark": True,  # its XML begins with the mark of the order of bytes
    "webhook": "",  # where hooks go
}
TABLES = (
    "CREATE TABLE IF NOT EXISTS advantshop_customer (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    " at TEXT NOT NULL, email TEXT NOT NULL, phone INTEGER, row TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS advantshop_customer_email ON advantshop_customer (email)",
    "CREATE INDEX IF NOT EXISTS advantshop_customer_phone ON advantshop_customer (phone)",
    "CREATE TABLE IF NOT EXISTS advantshop_order (id INTEGER PRIMARY KEY, at TEXT NOT NULL, changed TEXT NOT NULL,"
    " draft INTEGER NOT NULL, row TEXT NOT NULL, exchange TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS advantshop_order_at ON advantshop_order (at, id)",
    "CREATE INDEX IF NOT EXISTS advantshop_order_changed ON advantshop_order (changed, id)",
    "CREATE TABLE IF NOT EXISTS advantshop_deleted (id INTEGER PRIMARY KEY, at TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS advantshop_lead (id INTEGER PRIMARY KEY, row TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS advantshop_visit (visit INTEGER PRIMARY KEY, visitor TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS advantshop_source (kind TEXT, origin INTEGER, id TEXT,"
    " PRIMARY KEY (kind, origin)) WITHOUT ROWID",
)
STATUSES: tuple[dict[str, Any], ...] = tuple(
    {"Id": id_, "Name": name, "IsCanceled": id_ == 6, "IsCompleted": id_ == 5, "Hidden": False}
    for id_, name in enumerate(
        ("Новый", "В обработке", "Комплектуется", "Ожидает оплаты", "Доставлен", "Отменен"), 1
    )
)
CART = {"Id": 1, "Name": "Корзина интернет магазина", "Main": True, "Type": "ShoppingCart"}
PHONE = {"Id": 2, "Name": "По телефону", "Main": False, "Type": "Phone"}
_ORDER: dict[str, Any] = {
    "Currency": "RUB",
    "Sum": 0.0,
    "CustomerComment": "",
    "AdminComment": "",
    "PaymentName": "Банковская карта",
    "PaymentCost": 0.0,
    "ShippingName": "Самовывоз",
    "ShippingCost": 0.0,
    "ShippingTaxName": "Без НДС",
    "TrackNumber": "",
    "DeliveryDate": None,
    "DeliveryTime": None,
    "OrderDiscount": 0.0,
    "OrderDiscountValue": 0.0,
    "BonusCardNumber": None,
    "BonusCost": 0.0,
    "LpId": None,
    "IsPaid": False,
    "Customer": None,
    "Status": STATUSES[0],
    "Source": CART,
    "Items": [],
}
_CUSTOMER: dict[str, Any] = {
    "email": "",
    "phone": None,
    "firstName": None,
    "lastName": None,
    "patronymic": None,
    "organization": None,
    "subscribedForNews": False,
    "birthday": None,
    "adminComment": None,
    "managerId": None,
    "groupId": 1,
}
Row = dict[str, Any]


def local(at: datetime) -> str:
    """A time as the server writes it: its own, without a zone."""
    return at.astimezone(MSK).replace(tzinfo=None).isoformat(timespec="milliseconds")


def switches(world: World) -> Switches:
    return Switches(world, KEY, SWITCHES)


class Store:
    """Customers and orders; each change of an order is told to the webhook."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._db = world.db
        self._switches = switches(world)

    # -- customers

    def customers(self, *, since: str = "") -> list[Row]:
        found = self._db.execute("SELECT row FROM advantshop_customer WHERE at >= ? ORDER BY number", (since,))
        return [orjson.loads(row) for (row,) in found]

    def has_customers(self) -> bool:
        return self._db.execute("SELECT 1 FROM advantshop_customer LIMIT 1").fetchone() is not None

    def customer(self, id_: str) -> Row | None:
        return self._one("SELECT row FROM advantshop_customer WHERE id = ?", id_)

    def with_email(self, email: str, but: str = "") -> str | None:
        """The customer, other than ``but``, who has this e-mail: it is unique, as the phone is."""
        return self._taken("email", email.lower(), but) if email else None

    def with_phone(self, phone: int | None, but: str = "") -> str | None:
        return self._taken("phone", phone, but) if phone else None

    def _taken(self, column: str, value: str | int | None, but: str) -> str | None:
        query = f"SELECT id FROM advantshop_customer WHERE {column} = ? AND id <> ?"  # noqa: S608 - fixed names
        found = self._db.execute(query, (value, but)).fetchone()
        return None if found is None else str(found[0])

    def add_customer(self, values: Row, at: datetime) -> str:
        (number,) = self._db.execute("SELECT coalesce(max(number), 0) + 1 FROM advantshop_customer").fetchone()
        id_ = str(UUID(self._world.secret(KEY, f"customer {number}", 32)))
        row = {"id": id_, **_CUSTOMER, **values}
        self._db.execute(
            "INSERT INTO advantshop_customer VALUES (?, ?, ?, ?, ?, ?)",
            (number, id_, local(at), row["email"].lower(), row["phone"], orjson.dumps(row).decode()),
        )
        return id_

    def change_customer(self, id_: str, values: Row) -> None:
        row = (self.customer(id_) or {}) | values
        self._db.execute(
            "UPDATE advantshop_customer SET email = ?, phone = ?, row = ? WHERE id = ?",
            (row["email"].lower(), row["phone"], orjson.dumps(row).decode(), id_),
        )

    # -- orders

    def orders(self, first: str, last: str) -> list[Row]:
        """Orders by their own time, in the order of their ids; drafts are never shown."""
        found = self._db.execute(
            "SELECT row FROM advantshop_order WHERE at >= ? AND at <= ? AND NOT draft ORDER BY id", (first, last)
        )
        return [orjson.loads(row) for (row,) in found]

    def exchanged(self, first: str, last: str) -> Iterable[tuple[Row, Row]]:
        """Orders made or changed within these times, each with what the exchange adds."""
        found = self._db.execute(
            "SELECT row, exchange, changed FROM advantshop_order WHERE NOT draft"
            " AND ((at >= ?1 AND at < ?2) OR (changed >= ?1 AND changed < ?2)) ORDER BY id",
            (first, last),
        )
        for row, exchange, changed in found:
            yield orjson.loads(row), {**orjson.loads(exchange), "ModifiedDate": changed}

    def order(self, id_: int) -> Row | None:
        return self._one("SELECT row FROM advantshop_order WHERE id = ? AND NOT draft", id_)

    def newest_orders(self, count: int) -> list[int]:
        return [
            id_ for (id_,) in self._db.execute("SELECT id FROM advantshop_order ORDER BY id DESC LIMIT ?", (count,))
        ]

    def add_order(self, values: Row, at: datetime, exchange: Row | None = None, *, draft: bool = False) -> int:
        (id_,) = self._db.execute("SELECT coalesce(max(id), 0) + 1 FROM advantshop_order").fetchone()
        row = {"Id": id_, "Number": str(id_), "Date": local(at), **_ORDER, **values}
        self._db.execute(
            "INSERT INTO advantshop_order VALUES (?, ?, ?, ?, ?, ?)",
            (
                id_,
                local(at),
                local(at),
                draft,
                orjson.dumps(row).decode(),
                orjson.dumps(exchange or {}).decode(),
            ),
        )
        if not draft:
            self._tell(row)
        return int(id_)

    def change_order(self, id_: int, values: Row, at: datetime, exchange: Row | None = None) -> None:
        """Change an order; a new status and a new state of payment are told."""
        found = self._db.execute("SELECT row, exchange FROM advantshop_order WHERE id = ?", (id_,)).fetchone()
        if found is None:
            return
        before, beside = orjson.loads(found[0]), orjson.loads(found[1])
        row = before | values
        self._db.execute(
            "UPDATE advantshop_order SET row = ?, exchange = ?, changed = ? WHERE id = ?",
            (orjson.dumps(row).decode(), orjson.dumps(beside | (exchange or {})).decode(), local(at), id_),
        )
        named = {"Id": id_, "Number": row["Number"]}
        if row["Status"] != before["Status"]:
            self._tell(named | {"Status": row["Status"]})
        if row["IsPaid"] != before["IsPaid"]:
            self._tell(named | {"IsPaied": row["IsPaid"]})  # the vendor's own spelling

    def delete_order(self, id_: int, at: datetime) -> None:
        self._db.execute("DELETE FROM advantshop_order WHERE id = ?", (id_,))
        self._db.execute("INSERT OR IGNORE INTO advantshop_deleted VALUES (?, ?)", (id_, local(at)))

    def deleted(self, first: str, last: str) -> list[int]:
        found = self._db.execute(
            "SELECT id FROM advantshop_deleted WHERE at >= ? AND at < ? ORDER BY id", (first, last)
        )
        return [id_ for (id_,) in found]

    def add_lead(self, row: Row) -> int:
        made = self._db.execute("INSERT INTO advantshop_lead (row) VALUES (?)", (orjson.dumps(row).decode(),))
        return int(made.lastrowid or 0)

    # -- what they were made from

    def note(self, kind: str, origin: int, id_: str | int) -> None:
        self._db.execute("INSERT OR IGNORE INTO advantshop_source VALUES (?, ?, ?)", (kind, origin, str(id_)))

    def id_of(self, kind: str, origin: int) -> str | None:
        found = self._db.execute(
            "SELECT id FROM advantshop_source WHERE kind = ? AND origin = ?", (kind, origin)
        ).fetchone()
        return None if found is None else str(found[0])

    def see(self, visit: int, visitor: str) -> None:
        self._db.execute("INSERT OR IGNORE INTO advantshop_visit VALUES (?, ?)", (visit, visitor))

    def visitor(self, visit: int | None) -> str | None:
        found = self._db.execute("SELECT visitor FROM advantshop_visit WHERE visit = ?", (visit,)).fetchone()
        return None if found is None else str(found[0])

    def _one(self, query: str, id_: str | int) -> Row | None:
        found = self._db.execute(query, (id_,)).fetchone()
        return None if found is None else dict(orjson.loads(found[0]))

    def _tell(self, body: Row) -> None:
        """One attempt, unsigned; without a subscriber nothing is sent."""
        subscriber = self._switches.get("webhook", str)
        if subscriber:
            self._world.deliver(subscriber, orjson.dumps(body), "application/json")
