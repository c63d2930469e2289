"""Keyset paging: pages begin after a row, not after a number of rows, so rows that come or go shift nothing.

A cursor is the base64url form of a JSON array: the order it belongs to, then the row's values in that order, then
the vendors' own fields that the order goes by.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from api.graphql.custom import custom_sort
from api.graphql.declare import Entity, Kind
from api.graphql.errors import CallerError
from api.graphql.filters import Binder, refuse_masked, refuse_personal
from api.graphql.values import Convert, Viewer, current

DEFAULT_PAGE = 20
LARGEST_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Key:
    """One term of an order; ``sql`` is over ``{x}``. ``field``: the vendor's own field that it goes by, and
    ``field_sql`` its place in the SQL; a request may name it in a variable, so the order's tag can't."""

    name: str
    sql: str
    kind: Kind
    descending: bool
    nullable: bool = False
    nulls_first: bool = False
    field: Any = None
    field_sql: str | None = None

    def order(self, x: str, *, backwards: bool) -> str:
        """Nulls stand last unless asked (first when read backwards); where there are none the index's own order
        is kept."""
        descending = self.descending is not backwards
        nulls = (" nulls first" if self.nulls_first is not backwards else " nulls last") if self.nullable else ""
        return f"{self.sql.format(x=x)}{' desc' if descending else ''}{nulls}"


@dataclass(frozen=True, slots=True)
class Window:
    """Which page is asked for. ``size`` is a bind parameter; ``cursor`` the values after which it begins."""

    keys: tuple[Key, ...]
    size: str
    backwards: bool
    cursor: tuple[str, ...] | None

    def order(self, x: str) -> str:
        return ", ".join(key.order(x, backwards=self.backwards) for key in self.keys)

    def beyond(self, x: str) -> str:
        """The condition that a row lies on the page's side of the cursor."""
        return "true" if self.cursor is None else _after(self.keys, self.cursor, x, backwards=self.backwards)

    def behind(self, x: str) -> str:
        """The condition that a row lies on the other side: at the cursor or before it."""
        if self.cursor is None:
            return "false"
        return _after(self.keys, self.cursor, x, backwards=not self.backwards, inclusive=True)

    def row_cursor(self, x: str) -> str:
        """The expression that makes a row's cursor."""
        fields = (key.field_sql for key in self.keys if key.field_sql is not None)
        values = ", ".join([*(key.sql.format(x=x) for key in self.keys), *fields])
        text = f"json_build_array('{_tag(self.keys)}'::text, {values})::text"
        return f"translate(encode(convert_to({text}, 'UTF8'), 'base64'), E'+/=\\n', '-_')"


def window(binder: Binder, keys: Sequence[Key], arguments: Mapping[str, Any]) -> Window:
    """Read ``first``, ``after``, ``last`` and ``before`` by Relay's rules; both directions at once are refused."""
    first, last = arguments.get("first"), arguments.get("last")
    after, before = arguments.get("after"), arguments.get("before")
    if first is not None and last is not None:
        raise CallerError("Ask for either first or last, not both.")
    backwards = last is not None or (before is not None and first is None)
    if (before if not backwards else after) is not None:
        raise CallerError("Page forwards with first and after, or backwards with last and before.")
    size = last if backwards else first
    cursor = before if backwards else after
    limit = binder.bind(DEFAULT_PAGE if size is None else size, "integer", _page_size)
    tag = _tag(tuple(keys))
    parts = None
    if cursor is not None:
        fields = [index for index, key in enumerate(keys, start=1) if key.field is not None]
        parts = tuple(
            binder.bind(cursor, key.kind.value, _part(tag, index, len(fields)))
            if key.field is None
            else binder.bind(
                cursor, key.kind.value, _part_by_field(tag, index, len(fields), fields.index(index)), key.field
            )
            for index, key in enumerate(keys, start=1)
        )
    return Window(tuple(keys), limit, backwards, parts)


def entity_keys(binder: Binder, entity: Entity, order_by: Sequence[Mapping[str, Any]] | None) -> tuple[Key, ...]:
    """The order asked for, or the entity's own; the id comes last, so that no two rows stand alike."""
    keys: list[Key] = []
    for term in order_by or ():
        name, descending = _member(term["field"]), _member(term["direction"]) == "DESC"
        nulls_first = _member(term.get("nulls")) == "FIRST"
        if name == "custom":
            keys += _custom_keys(binder, entity, term.get("customField"), descending, nulls_first)
        elif name not in [key.name for key in keys]:
            column = entity.column(name)
            refuse_personal(binder.role, column, "sort by")
            keys.append(Key(name, column.sql, column.kind, descending, column.nullable, nulls_first))
    if not keys:
        for name, descending in entity.order:
            column = entity.column(name)
            refuse_personal(binder.role, column, "sort by")
            keys.append(Key(name, column.sql, column.kind, descending, column.nullable))
    last = keys[-1].descending if keys else False
    keys.append(Key("id", f'{{x}}."{entity.key}"', entity.key_kind, last))
    return tuple(keys)


def _member(value: Any) -> Any:
    """What an enum's value in the arguments stands for."""
    return getattr(current(value), "value", current(value))


def _custom_keys(binder: Binder, entity: Entity, field: Any, descending: bool, nulls_first: bool) -> list[Key]:
    custom = entity.custom()
    if custom is None or field is None:
        raise CallerError("To order by CUSTOM, name the vendor's field in customField.")
    refuse_masked(binder.role, custom.mask, "custom", "sort by")
    place = binder.bind(field, "text")
    number, text = custom_sort(custom.sql, place)
    return [
        Key("custom#", number, Kind.DECIMAL, descending, True, nulls_first, field, place),
        Key("custom", text, Kind.STRING, descending, nullable=True, nulls_first=nulls_first),
    ]


def page_size(arguments: Mapping[str, Any]) -> int:
    """How many rows a connection may give at most: what its cost is counted by."""
    sizes = [current(arguments[name]) for name in ("first", "last") if arguments.get(name) is not None]
    return min(sizes[0], LARGEST_PAGE) if sizes else DEFAULT_PAGE


def _after(keys: Sequence[Key], cursor: Sequence[str], x: str, *, backwards: bool, inclusive: bool = False) -> str:
    """Rows beyond the cursor in the order of the keys. Where all keys run one way and none can be null a
    comparison of rows does, which an index answers at once."""
    directions = {key.descending is not backwards for key in keys}
    if len(directions) == 1 and not any(key.nullable for key in keys):
        expressions = ", ".join(key.sql.format(x=x) for key in keys)
        sign = ("<" if directions.pop() else ">") + ("=" if inclusive else "")
        return f"({expressions}) {sign} ({', '.join(cursor)})"
    ways = []
    equal: list[str] = []
    for key, value in zip(keys, cursor, strict=True):
        expression = key.sql.format(x=x)
        sign = "<" if key.descending is not backwards else ">"
        beyond = f"{expression} {sign} {value}"
        if key.nullable and key.nulls_first is not backwards:
            beyond = f"({beyond} or ({value} is null and {expression} is not null))"
        elif key.nullable:
            beyond = f"({beyond} or ({value} is not null and {expression} is null))"
        ways.append(" and ".join([*equal, beyond]))
        same = "is not distinct from" if key.nullable else "="
        equal.append(f"{expression} {same} {value}")
    if inclusive:
        ways.append(" and ".join(equal))
    return "(" + " or ".join(f"({way})" for way in ways) + ")"


def _tag(keys: tuple[Key, ...]) -> str:
    return ",".join(f"{key.name}{'-' if key.descending else ''}{'^' if key.nulls_first else ''}" for key in keys)


def _page_size(value: Any, _viewer: Viewer) -> int:
    size = int(value)
    if not 0 <= size <= LARGEST_PAGE:
        raise CallerError(f"A page holds 0 to {LARGEST_PAGE} rows, not {size}.")
    return size


@cache
def _part(tag: str, index: int, fields: int) -> Convert:
    def convert(value: Any, _viewer: Viewer) -> str | None:
        return _decoded(str(value), tag, fields)[index]

    return convert


@cache
def _part_by_field(tag: str, index: int, fields: int, number: int) -> Convert:
    """The same of an order by a vendor's field, which must be the field that the cursor was made by."""

    def convert(both: Any, _viewer: Viewer) -> str | None:
        cursor, field = both
        values = _decoded(str(cursor), tag, fields)
        made_by = values[len(values) - fields + number]
        if made_by != field:
            raise CallerError(
                f"The cursor belongs to the order by the field {made_by!r}, not {field!r}: begin again without it "
                "when orderBy changes."
            )
        return values[index]

    return convert


@lru_cache(maxsize=256)
def _decoded(cursor: str, tag: str, fields: int) -> tuple[str | None, ...]:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        values = json.loads(raw, parse_float=str, parse_int=str)
    except (binascii.Error, ValueError, RecursionError):
        values = None
    if not isinstance(values, list) or not values or not all(_scalar(value) for value in values):
        raise CallerError("The cursor isn't one that this API gave: use endCursor or startCursor of a page.")
    if values[0] != tag or len(values) != tag.count(",") + 2 + fields:
        raise CallerError("The cursor belongs to another order: begin again without it when orderBy changes.")
    return tuple(str(value).lower() if isinstance(value, bool) else value for value in values)


def _scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | bool)
