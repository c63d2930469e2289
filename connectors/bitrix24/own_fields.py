"""The fields that a portal's owner made, out of the descriptions of its records. Numbers in brackets are facts in
BEHAVIOR.md."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from connectors.bitrix24.mapping import is_custom
from connectors.bitrix24.settings import Bitrix24Settings
from connectors.contract import CustomField, CustomFields, Position, VendorRequest, VendorResponse
from connectors.errors import VendorChanged
from schema.enums import CustomFieldType, RecordKind

_COMMANDS = {  # the first must be called c0: by that name a refused batch is known
    "c0": ("crm.deal.fields", RecordKind.DEAL),
    "c1": ("crm.lead.fields", RecordKind.LEAD),
    "c2": ("crm.contact.fields", RecordKind.CONTACT),
    "c3": ("crm.company.fields", RecordKind.COMPANY),
}
_SOURCES = "c4"
_SOURCE = "SOURCE"
_TYPES = {  # [30]
    "string": CustomFieldType.TEXT,
    "char": CustomFieldType.BOOLEAN,
    "boolean": CustomFieldType.BOOLEAN,
    "integer": CustomFieldType.NUMBER,
    "double": CustomFieldType.NUMBER,
    "money": CustomFieldType.MONEY,
    "date": CustomFieldType.DATE,
    "datetime": CustomFieldType.DATETIME,
    "enumeration": CustomFieldType.ENUMERATION,
    "crm_status": CustomFieldType.ENUMERATION,
    "url": CustomFieldType.URL,
    "user": CustomFieldType.REFERENCE,
    "employee": CustomFieldType.REFERENCE,
    "iblock_element": CustomFieldType.REFERENCE,
    "iblock_section": CustomFieldType.REFERENCE,
}
_RECORDS = "crm"  # "crm", "crm_contact", "crm_entity", …: other records of the portal


class _Option(msgspec.Struct, rename="upper"):
    id: str | int
    value: str | int | float | None = None


class _Field(msgspec.Struct, rename="camel"):
    type: str
    title: str | None = None
    list_label: str | None = None
    form_label: str | None = None
    is_multiple: bool = False
    status_type: str | None = None
    items: list[_Option] | None = None


class _Source(msgspec.Struct, rename="upper"):
    status_id: str | int
    name: str | None = None


class _Results(msgspec.Struct):
    result: dict[str, msgspec.Raw] | list[msgspec.Raw]


class _Answer(msgspec.Struct):
    result: _Results


def _request(_settings: Bitrix24Settings, _position: Position) -> VendorRequest:
    """All kinds in one batch. It stops at the first error: what wasn't told must not look as if it were gone."""
    commands = {name: method for name, (method, _) in _COMMANDS.items()}
    commands[_SOURCES] = f"crm.status.list?filter[ENTITY_ID]={_SOURCE}&order[SORT]=ASC"
    return VendorRequest("/batch", "POST", json={"halt": 1, "cmd": commands})


def _read(
    _settings: Bitrix24Settings, _position: Position, response: VendorResponse
) -> tuple[Sequence[CustomField], None]:
    told = msgspec.json.decode(response.content, type=_Answer).result.result
    if not isinstance(told, dict) or any(name not in told for name in (*_COMMANDS, _SOURCES)):
        raise VendorChanged("Bitrix24 did not tell the fields of all its records.")
    sources = {
        str(each.status_id): each.name or str(each.status_id)
        for each in msgspec.json.decode(told[_SOURCES], type=list[_Source])
    }
    return [
        _field(kind, code, described, sources)
        for name, (_, kind) in _COMMANDS.items()
        for code, described in msgspec.json.decode(told[name], type=dict[str, _Field]).items()
        if is_custom(code)
    ], None


def _field(kind: RecordKind, code: str, described: _Field, sources: dict[str, str]) -> CustomField:
    options = {str(each.id): str(each.value or each.id) for each in described.items or ()}
    return CustomField(
        kind=kind,
        key=code,
        label=described.list_label or described.form_label or described.title or code,
        type=_type(described.type),
        multiple=described.is_multiple,
        options=sources if described.status_type == _SOURCE else options,
    )


def _type(name: str) -> CustomFieldType:
    if name not in _TYPES and name.startswith(_RECORDS):
        return CustomFieldType.REFERENCE
    return _TYPES.get(name, CustomFieldType.OTHER)


CUSTOM_FIELDS = CustomFields(start={}, request=_request, read=_read)
