"""From a filter argument to a condition in SQL. Which operators there are follows from the column's kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Protocol
from uuid import UUID

import phonenumbers

from api.graphql.declare import Column, Entity, Kind, One
from api.graphql.errors import CallerError, Forbidden
from api.graphql.ids import parse_id
from api.graphql.masks import MASKED_ROLES
from api.graphql.values import Convert, Slot, Viewer
from schema.enums import Role

COMPARISONS = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_DEEPEST = 5
"""How deep ``and``, ``or`` and ``not`` may be nested in one filter."""


class Binder(Protocol):
    """What a condition needs of the planner: the role that asks, and a place for parameters."""

    role: Role

    def bind(self, value: Any, cast: str, convert: Convert | None = None) -> str: ...


def condition(binder: Binder, entity: Entity, arguments: Mapping[str, Any], x: str, depth: int = 0) -> str:
    """All parts of the filter at once; an empty filter holds for every row."""
    if depth > _DEEPEST:
        raise CallerError(f"A filter may be nested {_DEEPEST} deep at most.")
    parts: list[str] = []
    for name, value in arguments.items():
        if value is None:
            raise CallerError(f"The filter {name!r} is null: leave it out, or ask for isNull.")
        if name in ("and", "or"):
            inner = [condition(binder, entity, each, x, depth + 1) for each in value]
            joined = f" {name} ".join(inner) or ("true" if name == "and" else "false")
            parts.append(f"({joined})")
        elif name == "not":
            parts.append(f"({condition(binder, entity, value, x, depth + 1)}) is not true")
        else:
            parts.append(_field(binder, entity, name, value, x))
    return " and ".join(parts) or "true"


def refuse_personal(role: Role, column: Column, what: str) -> None:
    """A masked value may not be found out by asking for it: neither filters nor orders reach it."""
    masked = column.mask is not None and role in MASKED_ROLES
    if masked or not column.visible_to(role):
        raise Forbidden(f"The role {role.value} may not {what} {column.name}: it sees the field masked.")


def _field(binder: Binder, entity: Entity, name: str, operators: Mapping[str, Any], x: str) -> str:
    declared = entity.by_name[name]
    if isinstance(declared, One):
        expression = (declared.filter_sql or "").format(x=x)
        return _all(binder, operators, expression, Kind.ID, _id_of(declared.target))
    if not isinstance(declared, Column):
        raise TypeError(f"{entity.name}.{name} can't be filtered by")
    refuse_personal(binder.role, declared, "filter by")
    expression = declared.sql.format(x=x)
    convert = _phone if declared.phone else _id_of(entity.name) if declared.kind is Kind.ID else None
    if declared.many:
        return _all_of_array(binder, operators, expression, declared.kind, convert)
    return _all(binder, operators, expression, declared.kind, convert)


def _all(binder: Binder, operators: Mapping[str, Any], expression: str, kind: Kind, convert: Convert | None) -> str:
    return " and ".join(
        _operator(binder, name, value, expression, kind, convert) for name, value in operators.items()
    ) or "true"  # fmt: skip


def _operator(binder: Binder, name: str, value: Any, expression: str, kind: Kind, convert: Convert | None) -> str:
    if value is None:
        raise CallerError(f"The operator {name!r} is null: leave it out, or use isNull.")
    if name == "isNull":
        return f"{expression} is {'' if value else 'not '}null"
    if name == "in":
        return f"{expression} = any({_bind_many(binder, value, kind, convert)})"
    if name in COMPARISONS:
        return f"{expression} {COMPARISONS[name]} {binder.bind(_plain(value), kind.value, convert)}"
    if name == "contains":
        return f"{expression} ilike {binder.bind(value, 'text', _inside)}"
    if name == "startsWith":
        return f"{expression} ilike {binder.bind(value, 'text', _beginning)}"
    raise TypeError(f"unknown operator {name}")


def _all_of_array(
    binder: Binder, operators: Mapping[str, Any], expression: str, kind: Kind, convert: Convert | None
) -> str:
    parts = []
    for name, value in operators.items():
        if value is None:
            raise CallerError(f"The operator {name!r} is null: leave it out.")
        if name == "has":
            parts.append(f"{expression} @> array[{binder.bind(_plain(value), kind.value, convert)}]")
        else:
            parts.append(f"{expression} && {_bind_many(binder, value, kind, convert)}")
    return " and ".join(parts) or "true"


def _bind_many(binder: Binder, value: Any, kind: Kind, convert: Convert | None) -> str:
    """An array of values: one parameter if the list stands in the variables or the document as a whole,
    one a value if the document mixes literals and variables."""
    each = _each(convert)
    if isinstance(value, list) and any(isinstance(item, Slot) for item in value):
        items = ", ".join(binder.bind(_plain(item), kind.value, convert) for item in value)
        return f"array[{items}]::{kind.value}[]"
    if isinstance(value, list):
        value = [_plain(item) for item in value]
    return binder.bind(value, f"{kind.value}[]", each)


def _plain(value: Any) -> Any:
    """Enum members stand in the database by their value."""
    return getattr(value, "value", value) if not isinstance(value, Slot) else value


@cache
def _each(convert: Convert | None) -> Convert | None:
    if convert is None:
        return None

    def convert_each(values: Any, viewer: Viewer) -> Any:
        return [convert(value, viewer) for value in values]

    return convert_each


@cache
def _id_of(type_name: str) -> Callable[[Any, Viewer], UUID]:
    def convert(value: Any, _viewer: Viewer) -> UUID:
        found = parse_id(str(value))
        if found is None or found[0] != type_name:
            raise CallerError(f"{value!r} isn't the id of a {type_name}.")
        return found[1]

    return convert


def _phone(value: Any, viewer: Viewer) -> str:
    """A phone in any spelling as E.164; what is no valid number is looked for as it is written."""
    try:
        number = phonenumbers.parse(str(value), viewer.phone_region)
    except phonenumbers.NumberParseException:
        return str(value)
    if not phonenumbers.is_possible_number(number):
        return str(value)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _inside(value: Any, _viewer: Viewer) -> str:
    return f"%{_escaped(str(value))}%"


def _beginning(value: Any, _viewer: Viewer) -> str:
    return f"{_escaped(str(value))}%"
