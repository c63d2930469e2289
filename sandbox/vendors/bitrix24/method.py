"""What a REST method gets and gives, and how lists are paged."""

# ruff: noqa: S608  # only names of our own tables and columns are put into SQL text
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sandbox.vendors.bitrix24.errors import RestError, bad_id
from sandbox.vendors.bitrix24.events import Events
from sandbox.vendors.bitrix24.filters import Condition
from sandbox.vendors.bitrix24.portal import User
from sandbox.vendors.bitrix24.records import Records
from sandbox.vendors.bitrix24.values import LARGEST
from sandbox.vendors.contract import World
from sandbox.vendors.rows import Row, rows
from sandbox.vendors.switches import Switches

PAGE = 50


@dataclass(frozen=True)
class Portal:
    """Everything that the methods of one portal work on."""

    world: World
    records: Records
    users: list[User]
    switches: Switches
    events: Events

    def now(self) -> datetime:
        """The portal's clock."""
        return self.world.now()


@dataclass(frozen=True, slots=True)
class Call:
    """One call of one method, alone or inside a batch."""

    portal: Portal
    method: str
    params: Mapping[str, Any]
    user: int  # whose webhook or token it is
    by_application: bool  # an OAuth token, not an incoming webhook

    def param(self, name: str, default: Any = None) -> Any:
        """A parameter by its lower-case name; callers write FILTER and filter alike."""
        for key, value in self.params.items():
            if key.lower() == name.lower():
                return value
        return default

    def id(self, name: str = "id") -> int:
        """A parameter that must be an ID; otherwise the portal's nameless error 400."""
        try:
            id_ = int(str(self.param(name)))
        except ValueError:
            raise bad_id() from None
        if not 0 < id_ <= LARGEST:
            raise bad_id()
        return id_

    def number(self, name: str, default: int = 0) -> int:
        """A parameter that must be a whole number. Raises 400 ERROR_ARGUMENT."""
        value = self.param(name)
        if value is None or value == "":
            return default
        try:
            number = int(str(value))
        except ValueError:
            raise RestError(400, "ERROR_ARGUMENT", f"Argument '{name}' must be a number.") from None
        return max(-LARGEST, min(number, LARGEST))

    def text(self, name: str) -> str | None:
        """A parameter that must be a scalar; None when it is missing. Raises 400 ERROR_ARGUMENT."""
        value = self.param(name)
        if isinstance(value, Mapping | list):
            raise RestError(400, "ERROR_ARGUMENT", f"Argument '{name}' must be a text.")
        return None if value is None else str(value)


@dataclass(frozen=True, slots=True)
class Answer:
    """The result, and for lists how many there are and where the next page starts."""

    result: Any
    total: int | None = None
    next: int | None = None


Method = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of rows."""

    rows: list[Row]
    total: int | None
    next: int | None

    def answer(self, result: Any) -> Answer:
        """The answer that shows these rows as ``result``."""
        return Answer(result, self.total, self.next)


def page(call: Call, table: str, where: Condition, order: str, *, unordered: str = "ID") -> Page:
    """The page of a table that the caller's ``start`` names: fifty rows, and no count with ``start=-1``.

    A caller who sends no order may get a row again on the next page, as happens in life: the pages
    after the first then begin one row early (switch ``unordered_pages_overlap``).
    """
    condition, arguments = where
    start = call.number("start")
    db, switches = call.portal.world.db, call.portal.switches
    offset = max(start, 0) // PAGE * PAGE
    overlap = 1 if offset and not order and switches.get("unordered_pages_overlap", bool) else 0
    found = rows(
        db,
        f"SELECT * FROM {table} WHERE {condition} ORDER BY {order or unordered} LIMIT ? OFFSET ?",
        [*arguments, PAGE, offset - overlap],
    )
    if start < 0:
        return Page(found, 0, None)
    total = int(db.execute(f"SELECT COUNT(*) FROM {table} WHERE {condition}", arguments).fetchone()[0])
    following = offset + PAGE
    more = following < total or (following == total and switches.get("needless_next", bool))
    return Page(found, None if switches.get("omit_total", bool) else total, following if more else None)


def by_owner(found: Iterable[Row], key: str) -> dict[int, list[Row]]:
    """Rows grouped by one of their columns."""
    groups: dict[int, list[Row]] = {}
    for row in found:
        groups.setdefault(row[key], []).append(row)
    return groups
