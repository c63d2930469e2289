"""Filters and search of lists, as the vendor's specification describes them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

_ALIASES = {"type_id": "type", "created_date": "created_date"}
_PREFIX, _SUFFIX = "filter[", "]"


def wanted(query: Iterable[tuple[str, str]], *, dates: bool) -> dict[str, str]:
    """The filters of a query; without ``dates`` the one on the time of change is dropped, as if unknown."""
    found = {
        name.removeprefix(_PREFIX).removesuffix(_SUFFIX): value
        for name, value in query
        if name.startswith(_PREFIX) and name.endswith(_SUFFIX)
    }
    if not dates:
        found.pop("updated_date", None)
    return {name.replace("cf.field_", "cf_"): value for name, value in found.items()}


def fits(row: Mapping[str, Any], filters: Mapping[str, str]) -> bool:
    """Whether a row passes every filter; one on a field that the row doesn't have is ignored."""
    return all(
        _fits(row[field], value)
        for name, value in filters.items()
        if (field := name if name in row else _ALIASES.get(name, name)) in row
    )


def found(row: Mapping[str, Any], search: str) -> bool:
    """LIKE %…% over the text columns: letters are compared, not what they mean."""
    needle = search.casefold()
    return any(isinstance(value, str) and needle in value.casefold() for value in row.values())


def _fits(value: Any, wanted: str) -> bool:
    held = "" if value is None else str(value)
    if wanted.startswith("{"):
        return _within(held, json.loads(wanted))
    if wanted.startswith("!"):
        return held not in wanted[1:].split(",")
    return held in wanted.split(",")


def _within(held: str, rule: Mapping[str, Any]) -> bool:
    """A rule in JSON. Days are compared as days: the time of day is dropped."""
    match rule.get("type"):
        case "exact_value":
            return held == str(rule["value"])
        case "less":
            return float(held or 0) < float(rule["value"])
        case "more":
            return float(held or 0) > float(rule["value"])
        case "range":
            return float(rule["start_value"]) <= float(held or 0) <= float(rule["end_value"])
    day = held[:10]
    return (not rule.get("start_date") or day >= str(rule["start_date"])) and (
        not rule.get("end_date") or day <= str(rule["end_date"])
    )
