"""What connectors say to people, in Russian: the settings of their forms, and why a value can't be used.

The connectors speak English, in the words of their own code. Their Russian stands here beside, in two tables by
those words (``settings.toml``, ``reasons.toml``); tests hold that none is missing and that none has become useless.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

_ALIKE = "*"


@cache
def setting(connector: str, name: str) -> tuple[str, str] | None:
    """The title of a connector's setting, and what it is; None where it is told in English only."""
    tables = _table("settings")
    found = tables.get(connector, {}).get(name) or tables[_ALIKE].get(name)
    return None if found is None else (found[0], found[1])


def reason(told: str) -> str:
    """A sentence on a setting; as it is where it is the vendor's or unknown."""
    for pattern, russian in _reasons():
        found = pattern.fullmatch(told.strip())
        if found is not None:
            return _filled(russian, [reason(each) for each in found.groups()])
    return told.strip()


@cache
def _reasons() -> list[tuple[re.Pattern[str], str]]:
    """The sentences as patterns; those that say more by themselves come first."""
    told = sorted(_table("reasons").items(), key=lambda item: -len(item[0].replace("{}", "")))
    return [
        (re.compile("(.*?)".join(map(re.escape, english.rstrip(".").split("{}"))) + r"\.?", re.DOTALL), russian)
        for english, russian in told
    ]


def _filled(russian: str, values: list[str]) -> str:
    """Only the places are filled: a sentence may show a JSON object, whose braces stay."""
    return re.sub(r"\{(\d)\}", lambda place: values[int(place[1])], russian).strip()


@cache
def _table(name: str) -> dict[str, Any]:
    return tomllib.loads((files(__name__) / f"{name}.toml").read_text(encoding="utf-8"))
