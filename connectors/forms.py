"""Forms as PHP's ``http_build_query`` writes them: ``data[FIELDS][ID]=7`` is a map in a map."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from connectors.errors import BadRecord

Form = dict[str, Any]
"""Texts, and maps of the same; lists come as maps with numbers for keys."""

_MOST_FIELDS, _DEEPEST = 20_000, 12
_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_INNER = re.compile(r"\[([^\[\]]*)\]")


def read_form(content: bytes) -> Form:
    """The nested form. Raises BadRecord for bytes that are none, or for names that contradict each other."""
    try:
        pairs = parse_qsl(
            content.decode(),
            keep_blank_values=True,
            strict_parsing=True,
            max_num_fields=_MOST_FIELDS,
            errors="strict",
        )
    except ValueError:
        raise BadRecord("The body is not a form in UTF-8.") from None
    form: Form = {}
    for name, value in pairs:
        _put(form, _path(name), value)
    return form


def inner(form: Form, *names: str) -> Form:
    """The map below these names; empty where there is none."""
    found: Any = form
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _path(name: str) -> list[str]:
    found = _NAME.fullmatch(name)
    if found is None:
        raise BadRecord("The body is a form with a name that can't be read.")
    path = [found[1], *_INNER.findall(found[2])]
    if len(path) > _DEEPEST:
        raise BadRecord("The body is a form with names that are nested too deep.")
    return path


def _put(form: Form, path: list[str], value: str) -> None:
    for name in path[:-1]:
        form = form.setdefault(name or str(len(form)), {})
        if not isinstance(form, dict):
            raise BadRecord("The body is a form whose names contradict each other.")
    form[path[-1] or str(len(form))] = value
