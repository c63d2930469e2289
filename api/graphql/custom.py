# ruff: noqa: S608 - the SQL is put together from declarations of ours; values are bound, never written in
"""Vendors' own fields: a JSON object on the row, compared, sorted and grouped by key.

What a value is compared as follows from what it is compared with, for the same field may hold 1500 in one record
and "1500" in another: with a number as numbers, with a boolean as a flag however it is written, with a moment as
moments, with a day by the day that the value begins with, with all else as text. Of a list, one element that fits
is enough.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Protocol

import orjson

from api.graphql.errors import CallerError
from api.graphql.values import Convert, Slot, Viewer

_SIGNS = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_NUMBER = r"^-?[0-9]+(\.[0-9]+)?$"
_AMOUNT = r"^-?[0-9]+(\.[0-9]+)?([|][A-Z]+)?$"
_LONGEST_NUMBER = 100
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_NUMERIC = re.compile(_NUMBER)
_FLAG = "(case lower({v}) when 'true' then true when '1' then true when 'y' then true when 'false' then false "
_FLAG += "when '0' then false when 'n' then false end)"


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
    """The text as a number, of money without the currency that may follow it (`1500|RUB`); null if it isn't one."""
    number = f"split_part({text}, chr(124), 1)::numeric"
    return f"(case when length({text}) <= {_LONGEST_NUMBER} and {text} ~ '{_AMOUNT}' then {number} end)"


def elements(value: str) -> str:
    """The elements of a JSON value as texts, a set to select from; a value that is no list is its only one."""
    listed = f"case jsonb_typeof({value}) when 'array' then {value} else jsonb_build_array({value}) end"
    return f"jsonb_array_elements_text({listed})"


def label_of(key: str, value: str) -> str:
    """The label of the option that stands in a field by ``value``; the value itself where none is known."""
    return (
        "coalesce((select o ->> 'label' from custom_field f, jsonb_array_elements(f.options) o "
        f"where f.workspace_id = %(workspace)s::uuid and f.key = {key} and o ->> 'value' = {value} limit 1), "
        f"{value})"
    )


def day_in(value: str, key: str, zone: str) -> str:
    """The day that a text is, as a timestamp: of moments in the time zone, of days on the vendor's own calendar
    (their hours, where they have any, mean nothing)."""
    moments = (
        "select bool_or(f.type = 'datetime') from custom_field f "
        f"where f.workspace_id = %(workspace)s::uuid and f.key = {key}"
    )
    day = f"day_of({value})::timestamp"
    return f"case when ({moments}) then coalesce(moment_of({value}) at time zone {zone}, {day}) else {day} end"


def _operator(binder: Binder, held: str, key: str, name: str, value: Any) -> str:
    if value is None:
        raise CallerError(f"The operator {name!r} is null: leave it out, or use isNull.")
    one, text = f"({held} -> {key})", f"({held} ->> {key})"
    match name:
        case "isNull":
            return f"{text} is {'' if value else 'not '}null"
        case "ne":
            return f"({_any(one, text, _compared(binder, '=', value))}) is not true"
        case "in" | "notIn":
            within = _any(one, text, _among(binder, value))
            return f"({within})" if name == "in" else f"({within}) is not true"
        case "contains" | "startsWith":
            around = "%%" if name == "contains" else ""
            pattern = f"'{around}' || {binder.bind(value, 'text', _escaped)} || '%%'"
            return _any(one, text, lambda v: f"{v} ilike {pattern}")
        case "labelIn":
            return _any(one, text, _labelled(binder, key, value))
    return _any(one, text, _compared(binder, _SIGNS[name], value))


Test = Callable[[str], str]
"""From an expression of text to a condition on it."""


def _any(one: str, text: str, test: Test) -> str:
    """That the value, or one of its elements, passes the test."""
    inside = f"exists(select from jsonb_array_elements_text({one}) e(v) where {test('e.v')})"
    return f"(case jsonb_typeof({one}) when 'array' then {inside} else {test(text)} end)"


def _compared(binder: Binder, sign: str, value: Any) -> Test:
    """The comparison with a value that may be another, of another kind, when the plan is used again."""
    if isinstance(value, bool):
        return lambda v: f"{_FLAG.format(v=v)} {sign} {binder.bind(value, 'boolean')}"
    number = binder.bind(value, "numeric", _as_number if sign == "=" else _as_number_or_digits)
    moment = binder.bind(value, "timestamptz", _as_moment)
    day, given = binder.bind(value, "text", _as_day), binder.bind(value, "text", _text)

    def test(v: str) -> str:
        return (
            f"(case when {number} is not null then {as_number(v)} {sign} {number} "
            f"when {moment} is not null then moment_of({v}) {sign} {moment} "
            f"when {day} is not null and {v} like '____-__-__%%' then left({v}, 10) {sign} {day} "
            f"else {v} {sign} {given} end)"
        )

    return test


def _among(binder: Binder, values: Any) -> Test:
    """That a text is one of the values: numbers by their worth, flags and texts as they are written."""
    if isinstance(values, list):
        tests = [_compared(binder, "=", each) for each in values]
        return lambda v: " or ".join(test(v) for test in tests) or "false"
    # A list of a variable's: a parameter each for its texts and its numbers, however many there are.
    texts, numbers = binder.bind(values, "text[]", _texts), binder.bind(values, "numeric[]", _numbers)
    return lambda v: f"({v} = any({texts}) or {as_number(v)} = any({numbers}))"


def _labelled(binder: Binder, key: str, labels: Any) -> Test:
    """That the option of a field is called one of the labels."""
    if isinstance(labels, list):
        wanted = f"array[{', '.join(binder.bind(each, 'text') for each in labels)}]::text[]"
    else:
        wanted = binder.bind(labels, "text[]")
    values = (
        "select o ->> 'value' from custom_field f, jsonb_array_elements(f.options) o where f.workspace_id = "
        f"%(workspace)s::uuid and f.key = {key} and o ->> 'label' = any({wanted})"
    )
    return lambda v: f"({v} = any(array({values})) or {v} = any({wanted}))"


def _text(value: Any, _viewer: Viewer) -> str:
    if not isinstance(value, bool | int | float | str):
        raise CallerError("A custom field is compared with numbers, texts and booleans only.")
    return orjson.dumps(value).decode() if isinstance(value, bool) else str(value)


def _texts(values: Any, viewer: Viewer) -> list[str]:
    return [_text(each, viewer) for each in values]


def _numbers(values: Any, viewer: Viewer) -> list[str]:
    return [found for each in values if (found := _as_number(each, viewer)) is not None]


def _as_number(value: Any, _viewer: Viewer) -> str | None:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _as_number_or_digits(value: Any, viewer: Viewer) -> str | None:
    if isinstance(value, str) and len(value) <= _LONGEST_NUMBER and _NUMERIC.match(value):
        return value
    return _as_number(value, viewer)


def _as_moment(value: Any, _viewer: Viewer) -> datetime | None:
    if not isinstance(value, str) or len(value) <= len("2026-01-01"):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _as_day(value: Any, _viewer: Viewer) -> str | None:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        return None
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        return None


def _escaped(value: Any, _viewer: Viewer) -> str:
    return str(value).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
