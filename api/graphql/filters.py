# ruff: noqa: S608 - the SQL is put together from declarations of ours; values are bound, never written in
"""From a filter argument to a condition in SQL. Which operators there are follows from what the field holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol
from uuid import UUID

from api.graphql.custom import custom_condition
from api.graphql.declare import Column, Entity, Form, Kind, Listing, Many, One
from api.graphql.errors import CallerError, Forbidden
from api.graphql.ids import parse_id
from api.graphql.masks import MASKED_ROLES, Mask
from api.graphql.phones import fragment, spelled
from api.graphql.values import Convert, Slot, Viewer
from schema.enums import Role

COMPARISONS = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_DEEPEST = 5
"""How deep conditions may be nested in one filter, relations among them."""
_SPELLING = "translate({v}, ' ()-.', '')"
"""A phone without what people put between its digits."""


class Binder(Protocol):
    """What a condition needs of the planner: the role that asks, the tables, and a place for parameters."""

    role: Role
    entities: Mapping[str, Entity]

    def bind(self, value: Any, cast: str, convert: Convert | None = None, beside: Any = None) -> str: ...

    def alias(self) -> str: ...

    def tenant(self, entity: Entity, t: str) -> str: ...

    def listed(self, entity: Entity, t: str) -> str: ...


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
            joined = f" {name} ".join(f"({each})" for each in inner) or ("true" if name == "and" else "false")
            parts.append(f"({joined})")
        elif name == "not":
            parts.append(f"({condition(binder, entity, value, x, depth + 1)}) is not true")
        else:
            parts.append(_field(binder, entity, name, value, x, depth))
    return " and ".join(parts) or "true"


def refuse_personal(role: Role, column: Column, what: str) -> None:
    """A masked value may not be found out by asking for it: neither filters nor orders nor groups reach it."""
    if not column.visible_to(role):
        raise Forbidden(f"The role {role.value} may not {what} {column.name}: it doesn't see the field.")
    refuse_masked(role, column.mask, column.name, what)


def refuse_masked(role: Role, mask: Mask | None, name: str, what: str) -> None:
    if mask is not None and role in MASKED_ROLES:
        raise Forbidden(f"The role {role.value} may not {what} {name}: it sees the field masked.")


def id_of_other(binder: Binder, declared: One, x: str) -> str:
    """The id of the row that the row at hand names, as an expression."""
    if declared.filter_sql is not None:
        return declared.filter_sql.format(x=x)
    entity, t = binder.entities[declared.target], binder.alias()
    where = f"{binder.tenant(entity, t)} and {declared.on.format(t=t, x=x)}"
    return f"(select {t}.{entity.key} from {entity.table} {t} where {where} limit 1)"


def _field(binder: Binder, entity: Entity, name: str, operators: Any, x: str, depth: int) -> str:
    if name == "custom":
        custom = entity.custom()
        if custom is None:
            raise TypeError(f"{entity.name} has no custom fields")
        refuse_masked(binder.role, custom.mask, name, "filter by")
        return custom_condition(binder, custom.sql.format(x=x), operators)
    declared = entity.by_name[name]
    if isinstance(declared, One):
        return _to_one(binder, declared, operators, x, depth)
    if isinstance(declared, Many | Listing):
        return _to_many(binder, declared, operators, x, depth)
    if not isinstance(declared, Column):
        raise TypeError(f"{entity.name}.{name} can't be filtered by")
    refuse_personal(binder.role, declared, "filter by")
    expression = declared.sql.format(x=x)
    if declared.many:
        return _all_of_array(binder, operators, expression, declared)
    return _all(binder, operators, _comparable(declared, entity, expression))


def _to_one(binder: Binder, declared: One, operators: Mapping[str, Any], x: str, depth: int) -> str:
    entity = binder.entities[declared.target]
    parts = []
    for name, value in operators.items():
        if name == "is":
            if value is None:
                raise CallerError("The operator 'is' is null: leave it out, or use isNull.")
            t = binder.alias()
            within = condition(binder, entity, value, t, depth + 1)
            joined = f"{binder.tenant(entity, t)} and {declared.on.format(t=t, x=x)}"
            parts.append(f"exists(select from {entity.table} {t} where {joined} and ({within}))")
        else:
            other = _Compared(id_of_other(binder, declared, x), Kind.ID, _id_of(declared.target))
            parts.append(_operator(binder, name, value, other))
    return " and ".join(parts) or "true"


def _to_many(binder: Binder, declared: Many | Listing, operators: Mapping[str, Any], x: str, depth: int) -> str:
    entity = binder.entities[declared.target]
    parts = []
    for name, value in operators.items():
        if value is None:
            raise CallerError(f"The operator {name!r} is null: leave it out.")
        t = binder.alias()
        within = condition(binder, entity, value, t, depth + 1)
        joined = f"{binder.listed(entity, t)} and {declared.on.format(t=t, x=x)}"
        said = "" if name == "some" else "not "
        parts.append(f"{said}exists(select from {entity.table} {t} where {joined} and ({within}))")
    return " and ".join(parts) or "true"


@dataclass(frozen=True, slots=True)
class _Compared:
    """A value in SQL, and how what the caller gives is brought to its form: whole values and fragments of them."""

    sql: str
    kind: Kind
    convert: Convert | None = None
    part: Convert | None = None
    part_sql: str | None = None


def _comparable(column: Column, entity: Entity, expression: str) -> _Compared:
    if column.form is Form.PHONE:
        return _Compared(expression, column.kind, spelled, fragment, _SPELLING.format(v=expression))
    if column.form is Form.EMAIL:
        return _Compared(f"lower({expression})", column.kind, _lower)
    return _Compared(expression, column.kind, _id_of(entity.name) if column.kind is Kind.ID else None)


def _all(binder: Binder, operators: Mapping[str, Any], compared: _Compared) -> str:
    return " and ".join(_operator(binder, name, value, compared) for name, value in operators.items()) or "true"


def _operator(binder: Binder, name: str, value: Any, compared: _Compared) -> str:
    expression, kind, convert = compared.sql, compared.kind, compared.convert
    if value is None:
        raise CallerError(f"The operator {name!r} is null: leave it out, or use isNull.")
    match name:
        case "isNull":
            return f"{expression} is {'' if value else 'not '}null"
        case "in":
            return f"{expression} = any({_bind_many(binder, value, kind, convert)})"
        case "notIn":
            return f"({expression} = any({_bind_many(binder, value, kind, convert)})) is not true"
        case "ne":
            return f"{expression} is distinct from {binder.bind(_plain(value), kind.value, convert)}"
        case "contains" | "startsWith":
            around = _inside if name == "contains" else _beginning
            pattern = binder.bind(value, "text", _then(compared.part, around))
            return f"{compared.part_sql or expression} ilike {pattern}"
    if name in COMPARISONS:
        return f"{expression} {COMPARISONS[name]} {binder.bind(_plain(value), kind.value, convert)}"
    raise TypeError(f"unknown operator {name}")


def _all_of_array(binder: Binder, operators: Mapping[str, Any], expression: str, column: Column) -> str:
    convert = {Form.PHONE: spelled, Form.EMAIL: _lower}.get(column.form) if column.form else None
    held = expression
    if column.form is Form.EMAIL:
        held = f"array(select lower(e) from unnest({expression}) e)"
    parts = []
    for name, value in operators.items():
        if value is None:
            raise CallerError(f"The operator {name!r} is null: leave it out.")
        match name:
            case "has":
                parts.append(f"{held} @> array[{binder.bind(_plain(value), column.kind.value, convert)}]")
            case "hasAny":
                parts.append(f"{held} && {_bind_many(binder, value, column.kind, convert)}")
            case "hasAll":
                parts.append(f"{held} @> {_bind_many(binder, value, column.kind, convert)}")
            case "isEmpty":
                parts.append(f"(cardinality({expression}) = 0) = {str(value).lower()}")
            case _:
                raise TypeError(f"unknown operator {name}")
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


def _lower(value: Any, _viewer: Viewer) -> str:
    return str(value).strip().lower()


@cache
def _then(first: Convert | None, second: Convert) -> Convert:
    if first is None:
        return second

    def convert(value: Any, viewer: Viewer) -> Any:
        return second(first(value, viewer), viewer)

    return convert


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _inside(value: Any, _viewer: Viewer) -> str:
    return f"%{_escaped(str(value))}%"


def _beginning(value: Any, _viewer: Viewer) -> str:
    return f"{_escaped(str(value))}%"
