"""Values of arguments that a plan doesn't depend on: they become bind parameters, read anew for each request.

Before an operation is planned, every leaf of its variables is replaced by a `Slot` that remembers where it
stands. What decides the form of the SQL (null, booleans, enums, which keys are there) stays as it is and is
part of the plan's key (`shape`); everything else may change without planning again.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any
from uuid import UUID

from schema.enums import Role

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks: the token's workspace and role. ``phone_region``: where phones without a country code are read;
    ``own``: the employees whose clients are all that a manager's key reaches, None where it reaches all."""

    workspace_id: UUID
    role: Role
    token_id: str
    phone_region: str = "RU"
    own: tuple[UUID, ...] | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """A leaf of the variables: where it stands, and what it holds in the request being planned."""

    path: Path
    value: Any


Convert = Callable[[Any, Viewer], Any]
"""Makes the value to bind out of the caller's; raises `CallerError`."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One bind parameter: a leaf of the variables (``path``) or a constant of the document. What can be read only
    ``beside`` another is converted with it."""

    path: Path | None
    value: Any
    convert: Convert | None
    beside: Any = None

    def bound(self, variables: Mapping[str, Any], viewer: Viewer) -> Any:
        value = self.value if self.path is None else _at(variables, self.path)
        if self.beside is not None:
            other = self.beside
            value = (value, _at(variables, other.path) if isinstance(other, Slot) else other)
        return value if self.convert is None else self.convert(value, viewer)


def _at(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value


def slotted(value: Any, path: Path = ()) -> Any:
    """The value with its leaves replaced by slots."""
    if _decides(value):
        return value
    if isinstance(value, Mapping):
        return {key: slotted(each, (*path, key)) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str) and _structured(value):
        return [slotted(each, (*path, index)) for index, each in enumerate(value)]
    return Slot(path, value)


def shape(value: Any) -> Hashable:
    """What of the value decides the form of a plan."""
    if _decides(value):
        decides: Hashable = value
        return decides
    if isinstance(value, Mapping):
        return tuple((key, shape(each)) for key, each in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str) and _structured(value):
        return (list, *map(shape, value))
    return Slot


def current(value: Any) -> Any:
    """What the value is in this request; only for what holds whatever the value is."""
    return value.value if isinstance(value, Slot) else value


def _decides(value: Any) -> bool:
    return value is None or isinstance(value, bool | Enum)


def _structured(values: Sequence[Any]) -> bool:
    return not values or any(_decides(each) or isinstance(each, Mapping | list) for each in values)
