"""The connectors that are installed: every folder of this room that holds a ``CONNECTOR``."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import connectors
from connectors.contract import Connector
from connectors.errors import BadSettings
from connectors.own import KEY, OWN


@cache
def all_connectors() -> dict[str, Connector[Any]]:
    """Connectors by key, in the order of their titles."""
    found = [
        import_module(f"connectors.{module.name}").CONNECTOR
        for module in iter_modules(connectors.__path__)
        if module.ispkg
    ]
    return {connector.key: connector for connector in sorted(found, key=lambda each: each.title.casefold())}


def connector(key: str) -> Connector[Any]:
    """The connector of that key; Skvoz's own too, which nobody connects.

    Raises BadSettings that names the keys there are.
    """
    if key == KEY:
        return OWN
    try:
        return all_connectors()[key]
    except KeyError:
        known = ", ".join(sorted(all_connectors()))
        raise BadSettings(f"There is no connector {key!r}. Known: {known}.") from None
