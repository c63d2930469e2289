"""What the two bases have, read off their ``$metadata``: sets with their properties, and sections with theirs."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

KEY = "onec"
BASES = ("ut11", "crm3")
NO_KEY = "00000000-0000-0000-0000-000000000000"
NO_DATE = "0001-01-01T00:00:00"
UNDEFINED = "StandardODATA.Undefined"
_FOLDER = Path(__file__).parent
_EMPTY: dict[str, Any] = {
    "Edm.Guid": NO_KEY,
    "Edm.DateTime": NO_DATE,
    "Edm.Boolean": False,
    "Edm.Double": 0,
    "Edm.Int16": 0,
    "Edm.Int32": 0,
    "Edm.Int64": "0",  # whole numbers of 64 bits are texts
}
PLAN = "ExchangePlan_ДляСквозь"


@cache
def document(base: str) -> bytes:
    """The base's ``$metadata``."""
    return (_FOLDER / f"{base}.xml").read_bytes()


@cache
def types(base: str) -> dict[str, dict[str, str]]:
    """Types of properties by name, for each set of a base."""
    tree = ElementTree.fromstring(document(base))  # noqa: S314 - a file of ours
    found: dict[str, dict[str, str]] = {}
    for element in tree.iter():
        if element.tag.rpartition("}")[2] == "EntityType":
            properties = {
                str(each.get("Name")): str(each.get("Type"))
                for each in element
                if each.tag.rpartition("}")[2] == "Property"
            }
            found[str(element.get("Name"))] = properties
    return found


def blank(base: str, name: str) -> dict[str, Any]:
    """A row in which nothing is filled in, as the platform gives it: never null."""
    row: dict[str, Any] = {}
    for property_, kind in types(base)[name].items():
        if kind.startswith("Collection"):
            row[property_] = []
        elif property_.endswith("_Type"):
            row[property_] = UNDEFINED
        else:
            row[property_] = _EMPTY.get(kind, "")
    return row


def known(base: str, name: str, values: dict[str, Any]) -> dict[str, Any]:
    """The values that a set has properties for: others are ignored without a word."""
    properties = types(base)[name]
    return {each: value for each, value in values.items() if each in properties}
