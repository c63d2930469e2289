"""What is written into an account. The numbers in brackets are facts in BEHAVIOR.md."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from connectors.amocrm import fields, wire
from connectors.amocrm.deals import DEAL_WRITES, LISTS, multitext
from connectors.amocrm.follow_ups import FOLLOW_UPS
from connectors.amocrm.settings import AmoCrmSettings
from connectors.contract import Command, Lookup, Standing, VendorRequest, VendorResponse, Write
from connectors.errors import VendorChanged
from schema.enums import RecordKind


class _Listed(msgspec.Struct):
    contacts: list[wire.Contact] = msgspec.field(default_factory=list)


class _Page(msgspec.Struct):
    embedded: _Listed = msgspec.field(name="_embedded", default_factory=_Listed)


class _Changed(msgspec.Struct):
    id: int


def _change(_settings: AmoCrmSettings, command: Command) -> VendorRequest:
    """[19] A custom field that is sent is replaced whole; what isn't sent stays."""
    told: dict[str, Any] = {name: value or "" for name, value in command.values.items() if name not in LISTS}
    if lists := multitext(command.values):
        told["custom_fields_values"] = lists
    return VendorRequest(f"/api/v4/contacts/{command.external_id}", "PATCH", json=told)


def _changed_id(_settings: AmoCrmSettings, _command: Command, response: VendorResponse) -> str:
    try:
        return str(msgspec.json.decode(response.content, type=_Changed).id)
    except msgspec.MsgspecError:
        raise VendorChanged("amoCRM answered a write in a shape that isn't known.") from None


def _ask(_settings: AmoCrmSettings, command: Command) -> VendorRequest | None:
    if command.external_id is None:
        return None
    return VendorRequest("/api/v4/contacts", query={"filter[id][]": command.external_id, "limit": 1})


def _found(_settings: AmoCrmSettings, _command: Command, response: VendorResponse) -> Standing | None:
    if response.status == 204:
        return None
    try:
        rows = msgspec.json.decode(response.content, type=_Page).embedded.contacts
    except msgspec.MsgspecError:
        raise VendorChanged("amoCRM answered in a shape that isn't known.") from None
    if not rows or rows[0].is_deleted:
        return None
    row, held = rows[0], fields.by_code(rows[0].custom_fields_values)
    values: dict[str, Any] = {"first_name": row.first_name, "last_name": row.last_name}
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
        fields=("first_name", "last_name", *LISTS),
        request=_change,
        result=_changed_id,
        read=Lookup(_ask, _found),
        replaces_lists=True,
    ),
    *DEAL_WRITES,
    *FOLLOW_UPS,
)
