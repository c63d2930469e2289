"""What is written into an account. The numbers in brackets are facts in BEHAVIOR.md."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from connectors.amocrm import fields, wire
from connectors.amocrm.deals import DEAL_WRITES, LISTS, multitext, number
from connectors.amocrm.follow_ups import FOLLOW_UPS
from connectors.amocrm.settings import AmoCrmSettings
from connectors.contract import Command, Lookup, Standing, VendorRequest, VendorResponse, Write
from connectors.errors import VendorChanged
from schema.enums import RecordKind

_RESPONSIBLE = "responsible"


class _Listed(msgspec.Struct):
    contacts: list[wire.Contact] = msgspec.field(default_factory=list)
    companies: list[wire.Company] = msgspec.field(default_factory=list)


class _Page(msgspec.Struct):
    embedded: _Listed = msgspec.field(name="_embedded", default_factory=_Listed)


class _Changed(msgspec.Struct):
    id: int


def _change(cards: str) -> Callable[[AmoCrmSettings, Command], VendorRequest]:
    """[19] A custom field that is sent is replaced whole; what isn't sent stays."""

    def request(_settings: AmoCrmSettings, command: Command) -> VendorRequest:
        names = command.values.keys() - LISTS.keys() - {_RESPONSIBLE}
        told: dict[str, Any] = {name: command.values[name] or "" for name in sorted(names)}
        if command.values.get(_RESPONSIBLE):
            told["responsible_user_id"] = number(command.values[_RESPONSIBLE], _RESPONSIBLE)
        if lists := multitext(command.values):
            told["custom_fields_values"] = lists
        return VendorRequest(f"/api/v4/{cards}/{command.external_id}", "PATCH", json=told)

    return request


def _changed_id(_settings: AmoCrmSettings, _command: Command, response: VendorResponse) -> str:
    try:
        return str(msgspec.json.decode(response.content, type=_Changed).id)
    except msgspec.MsgspecError:
        raise VendorChanged("amoCRM answered a write in a shape that isn't known.") from None


def _reading(cards: Literal["contacts", "companies"]) -> Lookup[AmoCrmSettings]:
    def ask(_settings: AmoCrmSettings, command: Command) -> VendorRequest | None:
        if command.external_id is None:
            return None
        return VendorRequest(f"/api/v4/{cards}", query={"filter[id][]": command.external_id, "limit": 1})

    def found(_settings: AmoCrmSettings, _command: Command, response: VendorResponse) -> Standing | None:
        if response.status == 204:
            return None
        try:
            listed = msgspec.json.decode(response.content, type=_Page).embedded
        except msgspec.MsgspecError:
            raise VendorChanged("amoCRM answered in a shape that isn't known.") from None
        rows: list[wire.Contact] | list[wire.Company] = listed.contacts or listed.companies
        if not rows or rows[0].is_deleted:
            return None
        return _standing(rows[0])

    return Lookup(ask, found)


def _standing(row: wire.Contact | wire.Company) -> Standing:
    held = fields.by_code(row.custom_fields_values)
    responsible = None if row.responsible_user_id is None else str(row.responsible_user_id)
    values: dict[str, Any] = {"name": row.name, _RESPONSIBLE: responsible}
    if isinstance(row, wire.Contact):
        values |= {"first_name": row.first_name, "last_name": row.last_name}
    values |= {name: list(fields.texts(held, code)) for name, code in LISTS.items()}
    changed_at = None if row.updated_at is None else datetime.fromtimestamp(row.updated_at, UTC)
    return Standing(str(row.id), row.name or f"#{row.id}", values, changed_at)


WRITES: tuple[Write[AmoCrmSettings], ...] = (
    Write(
        name="contact.update",
        title="Change a contact",
        entity=RecordKind.CONTACT,
        operation="update",
        idempotency="absolute",
        fields=("first_name", "last_name", _RESPONSIBLE, *LISTS),
        request=_change("contacts"),
        result=_changed_id,
        read=_reading("contacts"),
        replaces_lists=True,
    ),
    Write(
        name="company.update",
        title="Change an organisation",
        entity=RecordKind.COMPANY,
        operation="update",
        idempotency="absolute",
        fields=("name", _RESPONSIBLE, *LISTS),
        request=_change("companies"),
        result=_changed_id,
        read=_reading("companies"),
        replaces_lists=True,
    ),
    *DEAL_WRITES,
    *FOLLOW_UPS,
)
