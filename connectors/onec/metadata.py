"""What a base has, read from its ``$metadata``: 15 MB of XML in a full configuration [11], never held as a tree.

Only names are kept: of all sets, and of the properties of those that are asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from connectors.errors import VendorChanged
from connectors.onec.profile import Profile, Role, near

_PIECE = 64 * 1024
_UNLISTED = frozenset({"Ref_Key", "LineNumber"})


@dataclass(slots=True)
class Metadata:
    """Names of a base: its sets, and the properties of those of its sets that were asked for."""

    sets: set[str] = field(default_factory=set)
    properties: dict[str, set[str]] = field(default_factory=dict)


class _Reader:
    """Takes what it is told of elements, and forgets the rest."""

    def __init__(self, wanted: Collection[str]) -> None:
        self.found = Metadata()
        self._wanted = wanted
        self._type: str | None = None
        self._parser = expat.ParserCreate("UTF-8")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.EntityDeclHandler = _refuse  # entities that blow up have no place in a metadata document

    def read(self, content: bytes) -> Metadata:
        view = memoryview(content)
        for begin in range(0, len(view), _PIECE):
            self._parser.Parse(view[begin : begin + _PIECE].tobytes(), False)
        self._parser.Parse(b"", True)
        return self.found

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = attributes.get("Name", "")
        match tag.rpartition(":")[2]:
            case "EntityType" | "ComplexType":
                kept = name.removesuffix("_RowType")
                self._type = kept if kept in self._wanted else None
                if self._type is not None:
                    self.found.properties.setdefault(self._type, set())
            case "Property" if self._type is not None:
                self.found.properties[self._type].add(name)
            case "EntitySet":
                self.found.sets.add(name)

    def _end(self, tag: str) -> None:
        if tag.rpartition(":")[2] in ("EntityType", "ComplexType"):
            self._type = None


def _refuse(*_: Any) -> None:
    raise VendorChanged("The base's $metadata declares entities, which a metadata document never does.")


def read(content: bytes, wanted: Collection[str]) -> Metadata:
    """The names of a metadata document. Raises VendorChanged where it is none."""
    try:
        found = _Reader(wanted).read(content)
    except expat.ExpatError:
        raise VendorChanged("What the base gives as $metadata is no XML document.") from None
    if not found.sets:
        raise VendorChanged("The base's $metadata names no sets: nothing is published.")
    return found


def wanted_of(profile: Profile) -> set[str]:
    """The sets, and the sections of sets, whose properties a profile names."""
    return {name for role in profile.roles.values() for name in (role.set, _section(role)) if name}


@dataclass(frozen=True, slots=True)
class Fault:
    """A name that the base doesn't have: a whole set, or one property. ``sentence`` lists those that are near."""

    role: str
    word: str
    sentence: str


def faults(profile: Profile, found: Metadata) -> Iterator[Fault]:
    """The names of a profile that the base doesn't have."""
    for role in profile.roles.values():
        if role.set not in found.sets:
            yield Fault(role.name, "set", f"The base publishes no {role.set}.{near(role.set, found.sets)}")
            continue
        for word, name in role.properties.items():
            owner = _section(role) if word.startswith("row_") else role.set
            known = found.properties.get(owner or role.set, set())
            if name not in known | _UNLISTED:
                yield Fault(role.name, word, f"{owner} has no {name} ({role.name}.{word}).{near(name, known)}")


def _section(role: Role) -> str | None:
    rows = role.properties.get("rows")
    return f"{role.set}_{rows}" if rows else None
