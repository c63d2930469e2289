"""The custom fields of an account's cards. The numbers in brackets are facts in BEHAVIOR.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from connectors.amocrm import fields
from connectors.amocrm.settings import AmoCrmSettings
from connectors.contract import CustomField, CustomFields, Position, VendorRequest, VendorResponse
from schema.enums import CustomFieldType, RecordKind

_KINDS = {"leads": RecordKind.DEAL, "contacts": RecordKind.CONTACT, "companies": RecordKind.COMPANY}
_LIMIT = 250  # [20]
_TYPES = {  # [20]
    "text": CustomFieldType.TEXT,
    "textarea": CustomFieldType.TEXT,
    "streetaddress": CustomFieldType.TEXT,
    "tracking_data": CustomFieldType.TEXT,
    "multitext": CustomFieldType.TEXT,
    "numeric": CustomFieldType.NUMBER,
    "monetary": CustomFieldType.MONEY,
    "price": CustomFieldType.MONEY,
    "checkbox": CustomFieldType.BOOLEAN,
    "date": CustomFieldType.DATE,
    "birthday": CustomFieldType.DATE,
    "date_time": CustomFieldType.DATETIME,
    "select": CustomFieldType.ENUMERATION,
    "multiselect": CustomFieldType.ENUMERATION,
    "radiobutton": CustomFieldType.ENUMERATION,
    "category": CustomFieldType.ENUMERATION,
    "url": CustomFieldType.URL,
    "linked_entity": CustomFieldType.REFERENCE,
}
_MANY = frozenset({"multiselect", "multitext", "smart_address"})


class _Option(msgspec.Struct):
    value: str | int | float | None = None


class _Field(msgspec.Struct):
    id: int
    type: str
    name: str | None = None
    code: str | None = None
    enums: list[_Option] | None = None


class _Fields(msgspec.Struct):
    custom_fields: list[_Field]


class _Links(msgspec.Struct):
    next: Any = None


class _Answer(msgspec.Struct):
    embedded: _Fields = msgspec.field(name="_embedded")
    links: _Links = msgspec.field(name="_links", default_factory=_Links)


def _request(_settings: AmoCrmSettings, position: Position) -> VendorRequest:
    path = f"/api/v4/{position['left'][0]}/custom_fields"
    return VendorRequest(path, query={"limit": _LIMIT, "page": position["page"]})


def _read(
    _settings: AmoCrmSettings, position: Position, response: VendorResponse
) -> tuple[Sequence[CustomField], Position | None]:
    kind, left = _KINDS[position["left"][0]], position["left"][1:]
    following = {"left": left, "page": 1} if left else None
    if not response.content:  # [4] nothing is 204
        return [], following
    answer = msgspec.json.decode(response.content, type=_Answer)
    if answer.links.next is not None and answer.embedded.custom_fields:
        following = {**position, "page": position["page"] + 1}
    found = [(fields.key_of(each.id, each.code, each.name), each) for each in answer.embedded.custom_fields]
    return [_field(kind, key, each) for key, each in found if key not in fields.MAPPED], following


def _field(kind: RecordKind, key: str, told: _Field) -> CustomField:
    chosen = [str(each.value) for each in told.enums or () if each.value not in (None, "")]
    return CustomField(
        kind=kind,
        key=key,
        label=told.name or key,
        type=_TYPES.get(told.type, CustomFieldType.OTHER),
        multiple=told.type in _MANY,
        options={each: each for each in chosen},  # cards hold the option's own text
    )


CUSTOM_FIELDS = CustomFields(start={"left": list(_KINDS), "page": 1}, request=_request, read=_read)
