"""Vendors' own fields: a JSON object on the row, compared and sorted by key.

Values have no declared type: numbers are compared as numbers where both sides are, all else as text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import orjson

from api.graphql.errors import CallerError
from api.graphql.values import Convert, Slot, Viewer

_SIGNS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_NUMBER = r"^-?[0-9]+(\.[0-9]+)?$"
_LONGEST_NUMBER = 100


class Binder(Protocol):
    """A place for parameters."""

    def bind(self, value: Any, cast: str, convert: Convert | None = None) -> str: ...


def custom_condition(binder: Binder, held: str, fields: Sequence[Mapping[str, Any]]) -> str:
    """That all the conditions on fields of the JSON object ``held`` hold."""
    parts = []
    for each in fields:
        if isinstance(each, Slot):
            raise CallerError("A condition on a custom field must be an object.")
        key = binder.bind(each["key"], "text")
        parts += [_operator(binder, held, key, name, value) for name, value in each.items() if name != "key"]
    return " and ".join(parts) or "true"


def custom_sort(held: str, key: str) -> tuple[str, str]:
    """Two expressions to sort by: the value as a number, if it is one, then as text."""
    text = f"({held} ->> {key})"
    return as_number(text), text


def as_number(text: str) -> str:
    """The text as a number; null if it isn't one."""
    return f"(case when length({text}) <= {_LONGEST_NUMBER} and {text} ~ '{_NUMBER}' then {text}::numeric end)"


def _operator(binder: Binder, held: str, key: str, name: str, value: Any) -> str:
    if value is None:
        raise CallerError(f"The operator {name!r} is null: leave it out, or use isNull.")
    one, text = f"({held} -> {key})", f"({held} ->> {key})"
    match name:
        case "isNull":
            return f"{text} is {'' if value else 'not '}null"
        case "eq":
            return f"{one} = {binder.bind(value, 'jsonb', _json)}"
        case "ne":
            return f"{one} is distinct from {binder.bind(value, 'jsonb', _json)}"
        case "in" | "notIn":
            items = value if isinstance(value, list) else None
            if items is None:  # a list of a variable's: one parameter, however many there are
                within = f"{one} in (select jsonb_array_elements({binder.bind(value, 'jsonb', _list)}))"
            else:
                each = [binder.bind(item, "jsonb", _json) for item in items]
                within = f"{one} = any(array[{', '.join(each)}]::jsonb[])"
            return within if name == "in" else f"({within}) is not true"
        case "contains" | "startsWith":
            around = "%%" if name == "contains" else ""
            return f"{text} ilike '{around}' || {binder.bind(value, 'text', _escaped)} || '%%'"
    given = binder.bind(value, "text", _text)
    sign, number = _SIGNS[name], as_number(text)
    as_numbers = f"{number} {sign} {as_number(given)}"
    return f"(case when {as_number(given)} is not null then {as_numbers} else {text} {sign} {given} end)"


def _json(value: Any, _viewer: Viewer) -> str:
    if not isinstance(value, bool | int | float | str):
        raise CallerError("A custom field is compared with numbers, texts and booleans only.")
    return orjson.dumps(value).decode()


def _list(values: Any, viewer: Viewer) -> str:
    return f"[{','.join(_json(value, viewer) for value in values)}]"


def _text(value: Any, _viewer: Viewer) -> str:
    if isinstance(value, bool | dict | list):
        raise CallerError("A custom field is compared with a number or a text.")
    return str(value)


def _escaped(value: Any, _viewer: Viewer) -> str:
    return str(value).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
