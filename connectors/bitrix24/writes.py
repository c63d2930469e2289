"""What is written into a portal. The numbers in brackets are facts in BEHAVIOR.md.

A record that Skvoz made carries its key in ORIGIN_ID beside ORIGINATOR_ID ``skvoz`` [27]: by these it is found
again when the answer to its creation was lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from connectors.bitrix24 import wire
from connectors.bitrix24.mapping import moment, text, values
from connectors.bitrix24.settings import Bitrix24Settings
from connectors.contract import Command, Described, Lookup, Standing, VendorRequest, VendorResponse, Write
from connectors.errors import VendorChanged
from schema.enums import RecordKind

T = TypeVar("T")

ORIGINATOR = "skvoz"
_CODES = {
    "title": "TITLE",
    "first_name": "NAME",
    "middle_name": "SECOND_NAME",
    "last_name": "LAST_NAME",
    "responsible": "ASSIGNED_BY_ID",
    "stage": "STATUS_ID",
    "comment": "COMMENTS",
}
_MULTIFIELDS = {"phones": ("PHONE", "MOBILE"), "emails": ("EMAIL", "WORK")}
_NAMES = {code: name for name, code in _CODES.items()}
_UTM = {f"utm_{part}": f"UTM_{part.upper()}" for part in ("source", "medium", "campaign", "content", "term")}


class _Made(msgspec.Struct):
    result: int | str | bool


class _Rows(msgspec.Struct):
    result: list[dict[str, Any]]


class _Duplicates(msgspec.Struct):
    result: dict[str, list[int]] | list[Any] = msgspec.field(default_factory=list)


class _Field(msgspec.Struct):
    title: str = ""
    listLabel: str | None = None  # noqa: N815 - the vendor's spelling
    isReadOnly: bool = False  # noqa: N815


class _Fields(msgspec.Struct):
    result: dict[str, _Field]


def _wire_fields(command: Command) -> dict[str, Any]:
    """Our names as the portal's codes; codes go through. Phones and e-mails without an ID are added [28]."""
    told: dict[str, Any] = {}
    for name, value in command.values.items():
        if name in _MULTIFIELDS:
            code, kind = _MULTIFIELDS[name]
            told[code] = [{"VALUE": one, "VALUE_TYPE": kind} for one in value]
        else:
            told[_CODES.get(name, name)] = "" if value is None else value
    return told


def _add(method: str) -> Callable[[Bitrix24Settings, Command], VendorRequest]:
    def request(_settings: Bitrix24Settings, command: Command) -> VendorRequest:
        fields = _wire_fields(command) | {"ORIGINATOR_ID": ORIGINATOR, "ORIGIN_ID": command.key}
        return VendorRequest(method, "POST", json={"fields": fields})

    return request


def _change(method: str) -> Callable[[Bitrix24Settings, Command], VendorRequest]:
    def request(_settings: Bitrix24Settings, command: Command) -> VendorRequest:
        return VendorRequest(method, "POST", json={"id": command.external_id, "fields": _wire_fields(command)})

    return request


def _remove(method: str) -> Callable[[Bitrix24Settings, Command], VendorRequest]:
    def request(_settings: Bitrix24Settings, command: Command) -> VendorRequest:
        return VendorRequest(method, "POST", json={"id": command.external_id})

    return request


def _made_id(_settings: Bitrix24Settings, _command: Command, response: VendorResponse) -> str:
    made = _decoded(response, _Made).result
    if isinstance(made, bool) or not str(made).isdigit():
        raise VendorChanged("Bitrix24 made a record and did not tell its id.")
    return str(made)


def _same_id(_settings: Bitrix24Settings, command: Command, response: VendorResponse) -> str:
    if _decoded(response, _Made).result is not True:
        raise VendorChanged("Bitrix24 did not say whether it changed the record.")
    return str(command.external_id)


def _listing(method: str, wanted: Callable[[Command], dict[str, str] | None]) -> Lookup[Bitrix24Settings]:
    """A look at one record by a filter. An empty list is an answer: there is none."""

    def request(_settings: Bitrix24Settings, command: Command) -> VendorRequest | None:
        sought = wanted(command)
        if sought is None:
            return None
        select = ["*", "UF_*", "PHONE", "EMAIL"]
        asked = {"filter": sought, "order": {"ID": "ASC"}, "select": select, "start": -1}
        return VendorRequest(method, "POST", json=asked)

    def found(_settings: Bitrix24Settings, command: Command, response: VendorResponse) -> Standing | None:
        rows = _decoded(response, _Rows).result
        return _standing(rows[0], command) if rows else None

    return Lookup(request, found)


def _standing(row: Mapping[str, Any], command: Command) -> Standing:
    """The record's values by our names: those that the command has, and the portal's own fields among them."""
    told: dict[str, Any] = {
        _NAMES.get(code, code): text(value) if isinstance(value, str | int | float | None) else value
        for code, value in row.items()
        if code in _NAMES or code in command.values
    }
    for name, (code, _) in _MULTIFIELDS.items():
        told[name] = list(values(msgspec.convert(row.get(code), wire.Multifields)))
    title = text(row.get("TITLE")) or " ".join(
        filter(None, (text(row.get(code)) for code in ("NAME", "SECOND_NAME", "LAST_NAME")))
    )
    return Standing(str(row["ID"]), title or f"#{row['ID']}", told, moment(row.get("DATE_MODIFY")))


def _by_id(command: Command) -> dict[str, str] | None:
    return None if command.external_id is None else {"=ID": command.external_id}


def _by_origin(command: Command) -> dict[str, str]:
    return {"=ORIGINATOR_ID": ORIGINATOR, "=ORIGIN_ID": command.key}


def _duplicates(_settings: Bitrix24Settings, command: Command) -> VendorRequest | None:
    """[29] The portal compares digits, on leads, contacts and companies; a Russian number is asked with its trunk
    prefix 8 too."""
    phones = list(command.values.get("phones") or ())[:10]
    if not phones:
        return None
    spelt = [*phones, *(f"8{phone[2:]}" for phone in phones if phone.startswith("+7"))]
    return VendorRequest("crm.duplicate.findbycomm", "POST", json={"type": "PHONE", "values": spelt})


def _duplicate(_settings: Bitrix24Settings, _command: Command, response: VendorResponse) -> Standing | None:
    found = _decoded(response, _Duplicates).result
    for kind in ("CONTACT", "COMPANY", "LEAD"):  # a card tells more than a lead
        ids = found.get(kind) if isinstance(found, dict) else None
        if ids:
            return Standing(str(ids[0]), f"{kind.lower()} {ids[0]}")
    return None


def _described(entity: str) -> Described[Bitrix24Settings]:
    def request(_settings: Bitrix24Settings) -> VendorRequest:
        return VendorRequest(f"crm.{entity}.fields", "POST", json={})

    def fields(_settings: Bitrix24Settings, response: VendorResponse) -> Mapping[str, str]:
        told = _decoded(response, _Fields).result
        return {code: one.listLabel or one.title or code for code, one in told.items() if not one.isReadOnly}

    return Described(request, fields)


def _decoded(response: VendorResponse, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(response.content, type=kind)
    except msgspec.MsgspecError:
        raise VendorChanged("Bitrix24 answered a write in a shape that isn't known.") from None


WRITES: tuple[Write[Bitrix24Settings], ...] = (
    Write(
        name="lead.create",
        title="Make a lead",
        entity=RecordKind.LEAD,
        operation="create",
        idempotency="marker",
        fields=(*_CODES, *_MULTIFIELDS),
        request=_add("crm.lead.add"),
        result=_made_id,
        by_marker=_listing("crm.lead.list", _by_origin),
        by_match=Lookup(_duplicates, _duplicate),
        read=_listing("crm.lead.list", _by_id),
        described=_described("lead"),
        origin=_UTM,
        undo="lead.delete",
    ),
    Write(
        name="lead.delete",
        title="Remove a lead",
        entity=RecordKind.LEAD,
        operation="delete",
        idempotency="absolute",
        fields=(),
        request=_remove("crm.lead.delete"),
        result=_same_id,
        read=_listing("crm.lead.list", _by_id),
    ),
    Write(
        name="contact.update",
        title="Change a contact",
        entity=RecordKind.CONTACT,
        operation="update",
        idempotency="absolute",
        fields=("first_name", "middle_name", "last_name", *_MULTIFIELDS),
        request=_change("crm.contact.update"),
        result=_same_id,
        read=_listing("crm.contact.list", _by_id),
        described=_described("contact"),
    ),
)
