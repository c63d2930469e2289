"""The query language, as much of it as a report needs: SELECT … FROM … WHERE a AND b ORDER BY … LIMIT n."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sandbox.vendors.google_ads.errors import GoogleError

Row = dict[str, Any]
_QUERY = re.compile(
    r"\s*SELECT\s+(?P<select>.+?)\s+FROM\s+(?P<source>\w+)(?:\s+WHERE\s+(?P<where>.+?))?"
    r"(?:\s+ORDER\s+BY\s+(?P<order>[\w.]+)(?P<down>\s+DESC|\s+ASC)?)?(?:\s+LIMIT\s+(?P<limit>\d+))?\s*",
    re.IGNORECASE | re.DOTALL,
)
_BETWEEN = re.compile(r"([\w.]+)\s+BETWEEN\s+'([^']*)'\s+AND\s+'([^']*)'", re.IGNORECASE)
_CONDITION = re.compile(r"([\w.]+)\s*(=|!=|>=|<=|>|<|NOT IN|IN|DURING)\s*(.+)", re.IGNORECASE | re.DOTALL)
_COMPARED: dict[str, Callable[[str, str], bool]] = {
    "=": lambda value, wanted: value == wanted,
    "!=": lambda value, wanted: value != wanted,
    ">=": lambda value, wanted: value >= wanted,
    "<=": lambda value, wanted: value <= wanted,
    ">": lambda value, wanted: value > wanted,
    "<": lambda value, wanted: value < wanted,
}
_DURING = {"LAST_7_DAYS": 7, "LAST_14_DAYS": 14, "LAST_30_DAYS": 30, "YESTERDAY": 1}


def wrong(name: str, words: str) -> GoogleError:
    return GoogleError(400, "queryError", name, words)


@dataclass(frozen=True, slots=True)
class Query:
    """A query taken apart. ``conditions`` are of the field's value as a text."""

    fields: tuple[str, ...]
    source: str
    conditions: tuple[tuple[str, Callable[[str], bool]], ...]
    order: tuple[str, bool] | None
    limit: int | None
    first: date | None = None
    last: date | None = None

    def keeps(self, row: Row) -> bool:
        return all(test(str(row[field])) for field, test in self.conditions)


def parse(text: str, today: date) -> Query:
    """A query. Raises GoogleError for what isn't one."""
    found = _QUERY.fullmatch(text)
    if found is None:
        raise wrong("UNEXPECTED_INPUT", "Error in query: unexpected input.")
    fields = tuple(part.strip() for part in found["select"].split(","))
    conditions: list[tuple[str, Callable[[str], bool]]] = []
    first = last = None
    where = found["where"] or ""
    for between in _BETWEEN.finditer(where):
        field, low, high = between.groups()
        if field == "segments.date":
            first, last = _day(low), _day(high)
        conditions.append((field, lambda value, low=low, high=high: low <= value <= high))  # type: ignore[misc]
    for part in re.split(r"\s+AND\s+", _BETWEEN.sub("", where), flags=re.IGNORECASE):
        if not part.strip() or part.strip().upper() == "AND":
            continue
        told = _CONDITION.fullmatch(part.strip())
        if told is None:
            raise wrong("UNEXPECTED_INPUT", f"Error in query: unexpected input {part.strip()}.")
        field, operator, value = told[1], told[2].upper(), told[3].strip()
        if operator == "DURING":
            days = _DURING.get(value)
            if days is None:
                raise wrong("INVALID_VALUE_WITH_DURING_OPERATOR", f"Invalid value {value}.")
            first, last = today - timedelta(days), today - timedelta(1)
            low, high = str(first), str(last)
            conditions.append((field, lambda value, low=low, high=high: low <= value <= high))  # type: ignore[misc]
        elif operator in ("IN", "NOT IN"):
            wanted = {each.strip().strip("'") for each in value.strip("()").split(",")}
            conditions.append((field, lambda value, w=wanted, inside=operator == "IN": (value in w) == inside))  # type: ignore[misc]
        else:
            compare, wanted_text = _COMPARED[operator], value.strip("'")
            if field == "segments.date":
                first = _day(wanted_text) if operator in ("=", ">=", ">") else first
                last = _day(wanted_text) if operator in ("=", "<=", "<") else last
            conditions.append((field, lambda value, c=compare, w=wanted_text: c(value, w)))  # type: ignore[misc]
    order = (found["order"], (found["down"] or "").strip().upper() == "DESC") if found["order"] else None
    limit = int(found["limit"]) if found["limit"] else None
    return Query(fields, found["source"], tuple(conditions), order, limit, first, last)


def shown(row: Row, fields: tuple[str, ...]) -> Row:
    """The fields that were asked for, nested and in lowerCamelCase; whole numbers as texts, zeros left out."""
    answer: Row = {}
    for field in fields:
        value = row[field]
        if value is None or (value == 0 and field.startswith("metrics.") and value is not False):
            continue
        node = answer
        *path, last = (_camel(part) for part in field.split("."))
        for part in path:
            node = node.setdefault(part, {})
        node[last] = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    return answer


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise wrong("INVALID_VALUE_WITH_BETWEEN_OPERATOR", f"Invalid date {text}.") from None
