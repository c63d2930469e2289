"""Costs of advertising, put into the cabinet by an outer system and given back by no method.

``add`` sums with what is there; ``update`` replaces it, and only where the very same dimensions, in the same order,
have money already. A price is spread evenly over its days. The vendor's page gives these rules; the method, the
order of dates and the shape of the answer are guesses.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from sqlite3 import Connection
from typing import Any

import orjson

from sandbox.vendors.calltouch.words import NOT_FILLED
from sandbox.vendors.calltouch.writes import Answer, Refused

DIMENSIONS = ("source", "medium", "campaign", "content", "term")

SCHEMA = """
CREATE TABLE IF NOT EXISTS calltouch_cost (
  day TEXT NOT NULL, exact TEXT NOT NULL, source TEXT NOT NULL, medium TEXT NOT NULL, campaign TEXT NOT NULL,
  content TEXT NOT NULL, term TEXT NOT NULL, price TEXT NOT NULL, PRIMARY KEY (day, exact)
) WITHOUT ROWID;
"""


def add_costs(body: dict[str, Any], db: Connection) -> Answer:
    """costs-import/add."""
    for item in _items(body):
        exact, days, price = _exact(item), _days(item), _price(item)
        for day in days:
            before = _known(day, exact, db)
            dimensions = [str(item.get(name) or NOT_FILLED) for name in DIMENSIONS]
            db.execute(
                "INSERT OR REPLACE INTO calltouch_cost VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (day, exact, *dimensions, str((before or Decimal()) + price / len(days))),
            )
    return 200, {"success": True}


def update_costs(body: dict[str, Any], db: Connection) -> Answer:
    """costs-import/update."""
    for item in _items(body):
        exact, days, price = _exact(item), _days(item), _price(item)
        for day in days:
            if _known(day, exact, db) is not None:
                new = str(price / len(days))
                db.execute("UPDATE calltouch_cost SET price = ? WHERE day = ? AND exact = ?", (new, day, exact))
    return 200, {"success": True}


COSTS: dict[str, Callable[[dict[str, Any], Connection], Answer]] = {"add": add_costs, "update": update_costs}


def _known(day: str, exact: str, db: Connection) -> Decimal | None:
    row = db.execute("SELECT price FROM calltouch_cost WHERE day = ? AND exact = ?", (day, exact)).fetchone()
    return Decimal(row[0]) if row else None


def _items(body: dict[str, Any]) -> list[dict[str, Any]]:
    items = body.get("costs")
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        raise Refused(400, "Ожидается список costs")
    return items


def _exact(item: dict[str, Any]) -> str:
    """The dimensions as they were sent: their order counts."""
    told = [[name, str(value)] for name, value in item.items() if name in DIMENSIONS and value]
    if not told:
        raise Refused(400, "Нужен хотя бы один из параметров source, medium, campaign, content, term")
    return orjson.dumps(told).decode()


def _days(item: dict[str, Any]) -> list[str]:
    first, last = (_day(str(item.get(name))) for name in ("dateFrom", "dateTo"))
    if last < first:
        raise Refused(400, "dateFrom больше dateTo")
    return [(first + timedelta(days=n)).isoformat() for n in range((last - first).days + 1)]


def _day(text: str) -> date:
    try:
        return datetime.strptime(text, "%d-%m-%Y").date()  # noqa: DTZ007 - a day only
    except ValueError as error:
        raise Refused(400, f"Неверная дата {text}, нужна дд-мм-гггг") from error


def _price(item: dict[str, Any]) -> Decimal:
    try:
        price = Decimal(str(item["price"]))
    except (KeyError, InvalidOperation) as error:
        raise Refused(400, "Не указана стоимость price") from error
    if not price.is_finite() or price < 0:
        raise Refused(400, "Стоимость price не может быть отрицательной")
    return price
