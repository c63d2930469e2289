"""A caller's ``filter`` and ``order`` as SQL.

The operator stands before the field (``>=DATE_MODIFY``). Old methods skip what they don't know;
``crm.item.list`` refuses it and alone takes nested groups with ``logic``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.vendors import php
from sandbox.vendors.bitrix24.errors import RestError
from sandbox.vendors.bitrix24.fields import MULTIFIELDS, Entity, Field
from sandbox.vendors.bitrix24.values import BadValueError, Stored, read

_OPERATORS = ("!=%", "!%=", ">=", "<=", "!@", "!%", "!=", "=%", "%=", ">", "<", "@", "%", "=", "!")  # longest first
_COMPARISONS = {">=": ">=", ">": ">", "<=": "<=", "<": "<"}

Condition = tuple[str, list[Stored]]
Find = Callable[[str], Field | None]


def split(key: str) -> tuple[str, str]:
    """Operator and field of a filter's key."""
    operator = next((one for one in _OPERATORS if key.startswith(one)), "")
    return operator, key.removeprefix(operator)


def conditions(find: Find, wanted: Any, *, entity: Entity | None = None, strict: bool = False) -> Condition:
    """The WHERE of a filter, to be joined with AND; ``1`` when nothing is asked.

    ``find`` gives the field of a name. ``strict`` (the new dialect) refuses unknown fields with
    INVALID_ARG_VALUE; otherwise they are skipped in silence. ``entity`` allows PHONE and EMAIL.
    """
    parts: list[str] = []
    arguments: list[Stored] = []
    for key, value in php.items(wanted):
        if strict and key.isdigit() and isinstance(value, Mapping | list):
            sql, inner = _group(find, value)
        else:
            sql, inner = _one(find, key, value, entity, strict)
        if sql:
            parts.append(sql)
            arguments += inner
    return " AND ".join(parts) or "1", arguments


def _group(find: Find, group: Any) -> Condition:
    members = dict(php.items(group))
    logic = str(members.pop("logic", "AND")).upper()
    alternatives = [
        conditions(find, value if key.isdigit() else {key: value}, strict=True) for key, value in members.items()
    ]
    joined = f" {'OR' if logic == 'OR' else 'AND'} ".join(f"({sql})" for sql, _ in alternatives)
    return f"({joined or '1'})", [argument for _, inner in alternatives for argument in inner]


def _one(find: Find, key: str, value: Any, entity: Entity | None, strict: bool) -> Condition:
    operator, name = split(key)
    if entity is not None and name in MULTIFIELDS:
        return _multifield(entity, name, operator, value)
    field = find(name)
    if field is None:
        if strict:
            raise RestError(400, "INVALID_ARG_VALUE", f"Invalid filter: field '{name}' is not allowed in filter")
        return "", []
    try:
        return _compare(field, operator, value)
    except BadValueError as error:
        raise RestError(400, "INVALID_ARG_VALUE", str(error)) from error


def _compare(field: Field, operator: str, value: Any) -> Condition:
    column = f'"{field.code}"'
    if operator in _COMPARISONS:
        return f"{column} {_COMPARISONS[operator]} ?", [read(field, value)]
    if "%" in operator:
        return _like(field, operator, value)
    negated = operator.startswith("!")
    if operator in {"@", "!@"} or isinstance(value, Mapping | list):
        wanted = [read(field, one) for one in php.values(value)]
        marks = ", ".join("?" for _ in wanted)
        # a row without a value is not among the forbidden ones either
        listed = f"COALESCE({column}, '')" if negated else column
        return f"{listed} {'NOT IN' if negated else 'IN'} ({marks})", wanted
    stored = read(field, value)
    if stored is None or value is None or value == "":
        return f"({column} IS {'NOT ' if negated else ''}NULL)", []
    if field.kind == "link" or negated:
        return f"{column} IS {'NOT ' if negated else ''}?", [stored]
    return f"{column} = ?", [stored]


def _like(field: Field, operator: str, value: Any) -> Condition:
    # a search by fragment reads texts; on dictionaries and links the vendor says it doesn't work
    if field.kind in {"status", "link"}:
        return "1" if operator.startswith("!") else "0", []
    anywhere = operator.strip("!") == "%"
    pattern = f"%{value}%" if anywhere else str(value)
    negation = "NOT " if operator.startswith("!") else ""
    return f"unicode_lower(COALESCE(\"{field.code}\", '')) {negation}LIKE ?", [pattern.lower()]


def _multifield(entity: Entity, kind: str, operator: str, value: Any) -> Condition:
    """Phones and e-mails are found by the exact stored text only: spellings of one number differ."""
    owned = "SELECT OWNER_ID FROM bitrix24_multifield WHERE OWNER = ? AND TYPE_ID = ?"
    wanted = [str(one) for one in php.values(value)]
    negated = operator.startswith("!")
    if not wanted:  # "= nothing" asks for records that have none
        return f"ID {'IN' if negated else 'NOT IN'} ({owned})", [entity.letters, kind]
    by_fragment = operator.strip("!") == "%"
    test = "unicode_lower(VALUE) LIKE ?" if by_fragment else "VALUE = ?"
    texts = [f"%{one.lower()}%" if by_fragment else one for one in wanted]
    tests = " OR ".join(test for _ in texts)
    return (
        f"ID {'NOT IN' if negated else 'IN'} ({owned} AND ({tests}))",
        [entity.letters, kind, *texts],
    )


def ordering(find: Find, order: Any) -> str:
    """The ORDER BY of a caller's ``order`` ({field: ASC|DESC}); empty when none of its fields is known."""
    parts = []
    for name, direction in php.items(order):
        field = find(name)
        if field is not None:
            parts.append(f'"{field.code}" {"DESC" if str(direction).upper() == "DESC" else "ASC"}')
    return ", ".join(parts)
