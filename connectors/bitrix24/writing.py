"""How a portal's records are written and looked for. The numbers in brackets are facts in BEHAVIOR.md.

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
from connectors.contract import Command, Described, Lookup, Standing, VendorRequest, VendorResponse
from connectors.errors import VendorChanged
from schema.enums import RecordKind

T = TypeVar("T")

ORIGINATOR = "skvoz"
CODES = {
    "title": "TITLE",
    "first_name": "NAME",
    "middle_name": "SECOND_NAME",
    "last_name": "LAST_NAME",
    "responsible": "ASSIGNED_BY_ID",
    "stage": "STATUS_ID",
    "comment": "COMMENTS",
}
MULTIFIELDS = {"phones": ("PHONE", "MOBILE"), "emails": ("EMAIL", "WORK")}
DEAL_CODES = {
    "title": "TITLE",
    "responsible": "ASSIGNED_BY_ID",
    "pipeline": "CATEGORY_ID",
    "stage": "STAGE_ID",
    "amount": "OPPORTUNITY",
    "currency": "CURRENCY_ID",
    "comment": "COMMENTS",
    "contact": "CONTACT_ID",
    "company": "COMPANY_ID",
}
COMPANY_CODES = {"name": "TITLE", "responsible": "ASSIGNED_BY_ID"}
UTM = {f"utm_{part}": f"UTM_{part.upper()}" for part in ("source", "medium", "campaign", "content", "term")}


class Made(msgspec.Struct):
    result: int | str | bool


class Rows(msgspec.Struct):
    result: list[dict[str, Any]] = msgspec.field(default_factory=list)


class _Duplicates(msgspec.Struct):
    result: dict[str, list[int]] | list[Any] = msgspec.field(default_factory=list)


class _Field(msgspec.Struct):
    title: str = ""
    listLabel: str | None = None  # noqa: N815 - the vendor's spelling
    isReadOnly: bool = False  # noqa: N815


class _Fields(msgspec.Struct):
    result: dict[str, _Field]


def wire_fields(values: Mapping[str, Any], codes: Mapping[str, str] = CODES) -> dict[str, Any]:
    """Our names as the portal's codes; codes go through. Phones and e-mails without an ID are added [28]."""
    told: dict[str, Any] = {}
    for name, value in values.items():
        if name in MULTIFIELDS:
            code, kind = MULTIFIELDS[name]
            told[code] = [{"VALUE": one, "VALUE_TYPE": kind} for one in value]
        else:
            told[codes.get(name, name)] = "" if value is None else value
    return told


def add(method: str) -> Callable[[Bitrix24Settings, Command], VendorRequest]:
    def request(_settings: Bitrix24Settings, command: Command) -> VendorRequest:
        fields = wire_fields(command.values) | {"ORIGINATOR_ID": ORIGINATOR, "ORIGIN_ID": command.key}
        return VendorRequest(method, "POST", json={"fields": fields})

    return request


def change(method: str, codes: Mapping[str, str] = CODES) -> Callable[[Bitrix24Settings, Command], VendorRequest]:
    def request(_settings: Bitrix24Settings, command: Command) -> VendorRequest:
        return VendorRequest(
            method, "POST", json={"id": command.external_id, "fields": wire_fields(command.values, codes)}
        )

    return request


def remove(method: str) -> Callable[[Bitrix24Settings, Command], VendorRequest]:
    def request(_settings: Bitrix24Settings, command: Command) -> VendorRequest:
        return VendorRequest(method, "POST", json={"id": command.external_id})

    return request


def made_id(_settings: Bitrix24Settings, _command: Command, response: VendorResponse) -> str:
    made = decoded(response, Made).result
    if isinstance(made, bool) or not str(made).isdigit():
        raise VendorChanged("Bitrix24 made a record and did not tell its id.")
    return str(made)


def same_id(_settings: Bitrix24Settings, command: Command, response: VendorResponse) -> str:
    if decoded(response, Made).result is not True:
        raise VendorChanged("Bitrix24 did not say whether it changed the record.")
    return str(command.external_id)


def listing(
    method: str,
    wanted: Callable[[Command], Mapping[str, Any] | None],
    codes: Mapping[str, str] = CODES,
    kind: RecordKind | None = None,
) -> Lookup[Bitrix24Settings]:
    """A look at one record by a filter. An empty list is an answer: there is none."""

    def request(_settings: Bitrix24Settings, command: Command) -> VendorRequest | None:
        sought = wanted(command)
        if sought is None:
            return None
        select = ["*", "UF_*", "PHONE", "EMAIL"]
        asked = {"filter": sought, "order": {"ID": "ASC"}, "select": select, "start": -1}
        return VendorRequest(method, "POST", json=asked)

    def found(_settings: Bitrix24Settings, command: Command, response: VendorResponse) -> Standing | None:
        rows = decoded(response, Rows).result
        return standing(rows[0], command, codes, kind) if rows else None

    return Lookup(request, found)


def standing(
    row: Mapping[str, Any], command: Command, codes: Mapping[str, str] = CODES, kind: RecordKind | None = None
) -> Standing:
    """The record's values by our names: those that the command has, and the portal's own fields among them."""
    names = {code: name for name, code in codes.items()}
    told: dict[str, Any] = {
        names.get(code, code): text(value) if isinstance(value, str | int | float | None) else value
        for code, value in row.items()
        if code in names or code in command.values
    }
    for name, (code, _) in MULTIFIELDS.items():
        told[name] = list(values(msgspec.convert(row.get(code), wire.Multifields)))
    title = text(row.get("TITLE")) or " ".join(
        filter(None, (text(row.get(code)) for code in ("NAME", "SECOND_NAME", "LAST_NAME")))
    )
    return Standing(str(row["ID"]), title or f"#{row['ID']}", told, moment(row.get("DATE_MODIFY")), kind)


def by_id(command: Command) -> dict[str, str] | None:
    return None if command.external_id is None else {"=ID": command.external_id}


def by_origin(command: Command) -> dict[str, str]:
    return {"=ORIGINATOR_ID": ORIGINATOR, "=ORIGIN_ID": command.key}


def found_by(kind: str, entity: str | None = None) -> Callable[[Bitrix24Settings, Command], VendorRequest | None]:
    """[29] Who has the command's phones, or e-mails. The portal compares digits; a Russian number is asked with its
    trunk prefix 8 too."""

    def request(_settings: Bitrix24Settings, command: Command) -> VendorRequest | None:
        told = [str(one) for one in command.values.get("phones" if kind == "PHONE" else "emails") or ()][:10]
        if not told:
            return None
        if kind == "PHONE":
            told += [f"8{phone[2:]}" for phone in told if phone.startswith("+7")]
        asked: dict[str, Any] = {"type": kind, "values": told}
        if entity is not None:
            asked["entity_type"] = entity
        return VendorRequest("crm.duplicate.findbycomm", "POST", json=asked)

    return request


def owners(response: VendorResponse) -> Mapping[str, list[int]]:
    """Ids of those that were found, by kind."""
    found = decoded(response, _Duplicates).result
    return found if isinstance(found, dict) else {}


def duplicate(_settings: Bitrix24Settings, _command: Command, response: VendorResponse) -> Standing | None:
    """A card tells more than a lead."""
    for kind in (RecordKind.CONTACT, RecordKind.COMPANY, RecordKind.LEAD):
        ids = owners(response).get(kind.name)
        if ids:
            return Standing(str(ids[0]), f"{kind.value} {ids[0]}", kind=kind)
    return None


def described(entity: str) -> Described[Bitrix24Settings]:
    def request(_settings: Bitrix24Settings) -> VendorRequest:
        return VendorRequest(f"crm.{entity}.fields", "POST", json={})

    def fields(_settings: Bitrix24Settings, response: VendorResponse) -> Mapping[str, str]:
        told = decoded(response, _Fields).result
        return {code: one.listLabel or one.title or code for code, one in told.items() if not one.isReadOnly}

    return Described(request, fields)


def decoded(response: VendorResponse, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(response.content, type=kind)
    except msgspec.MsgspecError:
        raise VendorChanged("Bitrix24 answered a write in a shape that isn't known.") from None
