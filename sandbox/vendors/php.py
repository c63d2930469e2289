"""How PHP writes nested values into forms and queries and empty maps into JSON: several vendors speak so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

_BRACKETS = re.compile(r"\[([^\]]*)\]")


def decode_brackets(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Nested values from form pairs such as ``fields[PHONE][0][VALUE]=…``; ``a[]`` appends.

    A map whose keys are 0, 1, 2, … becomes a list, as a JSON body would have it.
    """
    root: dict[str, Any] = {}
    for name, value in pairs:
        head, bracket, rest = name.partition("[")
        path = [head, *_BRACKETS.findall(bracket + rest)]
        node = root
        for step in path[:-1]:
            key = step or str(len(node))
            child = node.get(key)
            if not isinstance(child, dict):
                child = node[key] = {}
            node = child
        node[path[-1] or str(len(node))] = value
    return {key: _lists(value) for key, value in root.items()}


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {key: _lists(item) for key, item in value.items()}
    if inner and list(inner) == [str(number) for number in range(len(inner))]:
        return list(inner.values())
    return inner


def encode_brackets(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Form pairs of nested maps and lists, the reverse of `decode_brackets`."""
    pairs: list[tuple[str, str]] = []

    def walk(name: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for key, item in value.items():
                walk(f"{name}[{key}]", item)
        elif isinstance(value, list):
            for number, item in enumerate(value):
                walk(f"{name}[{number}]", item)
        else:
            pairs.append((name, "" if value is None else str(value)))

    for name, value in values.items():
        walk(name, value)
    return pairs


def array(values: Mapping[str, Any]) -> Any:
    """One PHP array as ``json_encode`` writes it: an empty one is ``[]``, one keyed 0, 1, 2, … is a list."""
    if list(values) == [str(number) for number in range(len(values))]:
        return list(values.values())
    return dict(values)


def items(value: Any) -> list[tuple[str, Any]]:
    """Keys and values of what a caller may send as a map or as a list."""
    if isinstance(value, Mapping):
        return [(str(key), item) for key, item in value.items()]
    if isinstance(value, list):
        return [(str(number), item) for number, item in enumerate(value)]
    return []


def values(value: Any) -> list[Any]:
    """The values of a list, of a map, or of a single scalar."""
    if isinstance(value, Mapping | list):
        return [item for _, item in items(value)]
    return [] if value is None or value == "" else [value]
