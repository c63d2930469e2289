"""What a list's query asks for, as SQL: filters, order, page and limit.

Filters of leads, contacts and companies may be ignored without any error: they are an option of the
account (``is_api_filter_enabled``). Filters of notes and events always work.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from sandbox.vendors import php
from sandbox.vendors.amocrm.hal import Problem
from sandbox.vendors.amocrm.registry import EntityName

_LISTED = ("id", "name", "created_by", "updated_by", "responsible_user_id", "pipeline_id", "loss_reason_id")
_RANGES = ("created_at", "updated_at", "closed_at")
_DEFAULT_LIMIT = 50
_LARGEST = 2**40


@dataclass(slots=True)
class Where:
    """Conditions to be joined with AND."""

    parts: list[str] = field(default_factory=list)
    arguments: list[Any] = field(default_factory=list)

    def add(self, sql: str, *arguments: Any) -> None:
        """One more condition."""
        self.parts.append(sql)
        self.arguments += arguments

    @property
    def sql(self) -> str:
        """The text after WHERE."""
        return " AND ".join(self.parts) or "1"

    def among(self, column: str, values: list[Any]) -> None:
        """The column has one of the values."""
        self.add(f"{column} IN ({', '.join('?' for _ in values)})", *values)

    def within(self, column: str, wanted: Any, factor: int = 1) -> None:
        """The column lies between ``from`` and ``to``, both included, or equals a single number."""
        if isinstance(wanted, Mapping):
            for bound, sign in (("from", ">="), ("to", "<=")):
                if bound in wanted:
                    self.add(f"{column} {sign} ?", number(wanted[bound]) * factor)
        else:
            self.among(column, [number(one) * factor for one in php.values(wanted)])


def number(value: Any) -> int:
    """A whole number of the query, no larger than the account's numbers are. Raises a 400 problem."""
    try:
        return max(-_LARGEST, min(int(float(str(value))), _LARGEST))
    except (ValueError, OverflowError):
        raise Problem(400, f"'{value}' is not a number.") from None


@dataclass(frozen=True, slots=True)
class Query:
    """The query of a list, its brackets opened."""

    values: Mapping[str, Any]
    page: int
    limit: int

    @classmethod
    def of(cls, request: Request, most: int = 250) -> Query:
        """Read a request's query. Raises 422 when more than ``most`` rows a page are asked for."""
        values = php.decode_brackets(parse_qsl(request.url.query, keep_blank_values=True))
        page, limit = number(values.get("page", 1)), number(values.get("limit", _DEFAULT_LIMIT))
        if limit > most:
            raise Problem(422, f"Limit {most} per page")
        return cls(values, max(page, 1), max(limit, 1))

    @property
    def wanted(self) -> frozenset[str]:
        """The parts named in ``with``."""
        return frozenset(part.strip() for part in str(self.values.get("with", "")).split(",") if part.strip())

    @property
    def filter(self) -> Mapping[str, Any]:
        """The ``filter`` map."""
        filter_ = self.values.get("filter")
        return filter_ if isinstance(filter_, Mapping) else {}

    def listed(self, name: str) -> list[str]:
        """Values of a filter that takes ``filter[name][]=…`` or a list with commas."""
        return [part for one in php.values(self.filter.get(name)) for part in str(one).split(",") if part]

    def order(self, allowed: tuple[str, ...], default: str) -> str:
        """ORDER BY of ``order[field]=asc``; ties are broken by id."""
        for name, direction in php.items(self.values.get("order")):
            if name in allowed:
                way = "DESC" if str(direction).lower() == "desc" else "ASC"
                return f"{name} {way}, id {way}"
        return default


def records_where(entity: EntityName, query: Query, filters_heard: bool) -> Where:
    """The WHERE of a list of leads, contacts or companies."""
    where = Where()
    deleted = entity == "leads" and "only_deleted" in query.wanted
    where.add("is_deleted" if deleted else "NOT is_deleted")
    text = str(query.values.get("query", "")).strip()
    if text:
        _search(where, entity, text)
    if filters_heard:
        _filter(where, entity, query)
    return where


def _search(where: Where, entity: EntityName, text: str) -> None:
    """``query`` looks into names and all filled fields; phones are found by their digits too."""
    pattern = f"%{text.lower()}%"
    digits = re.sub(r"\D", "", text)
    by_phone = "0"
    arguments: list[Any] = [pattern, pattern]
    if len(digits) >= 10:
        by_phone = "id IN (SELECT entity_id FROM amocrm_phone WHERE entity = ? AND tail = ?)"
        arguments += [entity, digits[-10:]]
    where.add(f"(unicode_lower(name) LIKE ? OR unicode_lower(custom_fields) LIKE ? OR {by_phone})", *arguments)


def _filter(where: Where, entity: EntityName, query: Query) -> None:
    columns = {*_LISTED, *_RANGES} if entity == "leads" else {*_LISTED[:5], *_RANGES[:2]}
    for name, wanted in query.filter.items():
        if name in _RANGES and name in columns:
            where.within(name, wanted)
        elif name in _LISTED and name in columns:
            where.among(name, query.listed(name) if name != "name" else php.values(wanted))
        elif name == "price" and entity == "leads":
            where.within("price", wanted, factor=100)
        elif name == "statuses" and entity == "leads":
            _statuses(where, wanted)
        elif name == "custom_fields_values":
            for field_id, values in php.items(wanted):
                _custom_field(where, field_id, values)


def _statuses(where: Where, wanted: Any) -> None:
    pairs = [one for one in php.values(wanted) if isinstance(one, Mapping)]
    either = " OR ".join("(pipeline_id = ? AND status_id = ?)" for _ in pairs)
    where.add(
        f"({either or '1'})",
        *(number(one.get(key)) for one in pairs for key in ("pipeline_id", "status_id")),
    )


def _custom_field(where: Where, field_id: str, wanted: Any) -> None:
    path = f'$."{number(field_id)}"'
    one = "EXISTS (SELECT 1 FROM json_each(custom_fields, ?) WHERE {})"
    if isinstance(wanted, Mapping) and {"from", "to"} & set(wanted):
        for bound, sign in (("from", ">="), ("to", "<=")):
            if bound in wanted:
                test = f"CAST(json_extract(value, '$.value') AS REAL) {sign} ?"
                where.add(one.format(test), path, number(wanted[bound]))
        return
    texts = [str(value) for value in php.values(wanted)]
    marks = ", ".join("?" for _ in texts)
    where.add(one.format(f"CAST(json_extract(value, '$.value') AS TEXT) IN ({marks})"), path, *texts)
