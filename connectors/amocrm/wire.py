"""amoCRM's records, as far as they are mapped. Times are Unix seconds; an absent list is null or []."""

from __future__ import annotations

from typing import Any

import msgspec

Scalar = str | int | float | bool | None


class FieldValue(msgspec.Struct):
    value: Any = None
    enum_code: Scalar = None
    enum: Scalar = None  # the older name of enum_code


class CustomField(msgspec.Struct):
    field_id: int
    field_name: str | None = None
    field_code: str | None = None
    field_type: str | None = None
    values: list[FieldValue] | None = None


class Named(msgspec.Struct):
    """A tag or a reason of loss."""

    name: str | None = None


class Linked(msgspec.Struct):
    id: int
    is_main: bool | None = None


class Embedded(msgspec.Struct):
    tags: list[Named] | None = None
    companies: list[Linked] | None = None
    contacts: list[Linked] | None = None
    loss_reason: list[Named] | Named | None = None


class _Card(msgspec.Struct):
    id: int
    name: str | None = None
    responsible_user_id: int | None = None
    created_at: int | None = None
    updated_at: int | None = None
    is_deleted: bool | None = None
    custom_fields_values: list[CustomField] | None = None
    embedded: Embedded | None = msgspec.field(name="_embedded", default=None)


class Company(_Card):
    pass


class Contact(_Card):
    first_name: str | None = None
    last_name: str | None = None


class Lead(_Card):
    """What amoCRM calls a lead is a deal."""

    price: Scalar = None
    price_with_minor_units: Scalar = None
    status_id: int | None = None
    pipeline_id: int | None = None
    closed_at: int | None = None


class Rights(msgspec.Struct):
    is_active: bool | None = None


class User(msgspec.Struct):
    id: int
    name: str | None = None
    email: str | None = None
    phone_number: Scalar = None
    rights: Rights | None = None


class Pipeline(msgspec.Struct):
    id: int
    name: str | None = None
    sort: int | None = None


class Status(msgspec.Struct):
    id: int
    pipeline_id: int
    name: str | None = None
    sort: int | None = None


class Href(msgspec.Struct):
    href: str = ""


class SelfLink(msgspec.Struct):
    self_: Href | None = msgspec.field(name="self", default=None)


class CallParams(msgspec.Struct):
    uniq: Scalar = None
    duration: Scalar = None
    link: Scalar = None
    phone: Scalar = None
    call_result: Scalar = None
    call_status: Scalar = None


class Note(msgspec.Struct):
    """A call hangs as a note on a lead, a contact or a company; only the note's own link tells on which."""

    id: int
    entity_id: int
    note_type: str
    created_at: int
    updated_at: int | None = None
    responsible_user_id: int | None = None
    params: CallParams | list[Any] | None = None
    links: SelfLink | None = msgspec.field(name="_links", default=None)


class LeadStatus(msgspec.Struct):
    id: int
    pipeline_id: int


class StatusValue(msgspec.Struct):
    lead_status: LeadStatus


class StatusEvent(msgspec.Struct):
    id: str
    entity_id: int
    created_at: int
    value_after: list[StatusValue]
