"""Ways in which one account of a vendor differs from another in life, turned by whoever tests.

A vendor names its switches with their defaults. ``GET /_switches`` below its mount shows them,
``PUT /_switches`` with a JSON object sets some; both belong to the sandbox and not to the vendor's API.
"""

# ruff: noqa: S608  # the only thing put into SQL text is the vendor's own key
from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypeVar, cast

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from sandbox.vendors.contract import World

Value = bool | int | float | str
T = TypeVar("T", bool, int, float, str)


class Switches:
    """The switches of one vendor, kept in its table ``<vendor>_switch``."""

    def __init__(self, world: World, vendor: str, defaults: Mapping[str, Value]) -> None:
        self._world = world
        self._table = f"{vendor}_switch"
        self._defaults = dict(defaults)

    def prepare(self) -> None:
        """Make the table; repeatable."""
        self._world.db.execute(
            f"CREATE TABLE IF NOT EXISTS {self._table} (name TEXT PRIMARY KEY, value TEXT NOT NULL)"
        )

    def get(self, name: str, kind: type[T]) -> T:
        """A switch's value, which is of ``kind`` as its default is."""
        return kind(self._value(name))

    def all(self) -> dict[str, Value]:
        """Every switch as it stands."""
        return {name: self._value(name) for name in self._defaults}

    def _value(self, name: str) -> Value:
        row = self._world.db.execute(f"SELECT value FROM {self._table} WHERE name = ?", (name,)).fetchone()
        return self._defaults[name] if row is None else cast("Value", json.loads(row[0]))

    def set(self, values: Mapping[str, object]) -> None:
        """Set some switches for good. Raises `ValueError` naming a switch that isn't there or a wrong type."""
        for name, value in values.items():
            default = self._defaults.get(name)
            if default is None:
                raise ValueError(f"There is no switch '{name}'; there are {', '.join(self._defaults)}.")
            fits = isinstance(value, int | float if isinstance(default, float) else type(default))
            if not fits or isinstance(value, bool) != isinstance(default, bool):
                raise ValueError(f"Switch '{name}' takes a value like {json.dumps(default)}.")
        with self._world.transaction() as db:
            db.executemany(
                f"INSERT OR REPLACE INTO {self._table} VALUES (?, ?)",
                [(name, json.dumps(value)) for name, value in values.items()],
            )

    @property
    def route(self) -> Route:
        """The door ``/_switches``."""

        async def door(request: Request) -> JSONResponse:
            if request.method == "PUT":
                try:
                    self.set(await request.json())
                except (ValueError, AttributeError) as error:
                    return JSONResponse({"error": str(error)}, status_code=400)
            return JSONResponse(self.all())

        return Route("/_switches", door, methods=["GET", "PUT"])
