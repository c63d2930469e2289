"""BottleCRM's records, as far as they are mapped."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

import msgspec

Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class _Row(msgspec.Struct, kw_only=True):
    id: str
    created_at: Moment | None = None
    updated_at: Moment | None = None
    custom_fields: dict[str, Any] = msgspec.field(default_factory=dict)


class Ref(msgspec.Struct):
    id: str


class Tag(msgspec.Struct):
    name: str | None = None


class UserDetails(msgspec.Struct):
    name: str | None = None
    email: str | None = None


class Profile(msgspec.Struct):
    """A member of the organisation; this id stands in ``assigned_to``."""

    id: str
    user_details: UserDetails
    phone: str | None = None
    is_active: bool = True


class Stage(msgspec.Struct):
    code: str
    label: str
    order: int = 0
    kind: str = "open"


class Pipeline(msgspec.Struct):
    id: str
    name: str
    is_default: bool = False
    stages: list[Stage] = msgspec.field(default_factory=list)


class Account(_Row, kw_only=True):
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    website: str | None = None
    assigned_to: list[Profile] = msgspec.field(default_factory=list)


class Contact(_Row, kw_only=True):
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    title: str | None = None
    account: str | None = None
    linked_accounts: list[Ref] = msgspec.field(default_factory=list)
    assigned_to: list[Profile] = msgspec.field(default_factory=list)
    source: str | None = None
    source_detail: str | None = None


class Lead(_Row, kw_only=True):
    title: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    status: str | None = None
    source: str | None = None
    source_detail: str | None = None
    description: str | None = None
    contacts: list[Ref] = msgspec.field(default_factory=list)
    tags: list[Tag] = msgspec.field(default_factory=list)
    assigned_to: list[Profile] = msgspec.field(default_factory=list)


class Deal(_Row, kw_only=True):
    name: str | None = None
    account: Ref | None = None
    pipeline: str | None = None
    stage: str | None = None
    stage_kind: str | None = None
    stage_changed_at: Moment | None = None
    currency: str | None = None
    amount: str | None = None
    closed_on: date | None = None
    lead_source: str | None = None
    source_detail: str | None = None
    contacts: list[Ref] = msgspec.field(default_factory=list)
    tags: list[Tag] = msgspec.field(default_factory=list)
    assigned_to: list[Profile] = msgspec.field(default_factory=list)


class Interaction(_Row, kw_only=True):
    kind: str
    direction: str = "outbound"
    occurred_at: Moment
    duration_seconds: int | None = None
    outcome: str | None = None
    subject: str | None = None
    body: str | None = None
    logged_by: str | None = None
    lead: str | None = None
    contact: str | None = None
    account: str | None = None
    opportunity: str | None = None


class Invoice(_Row, kw_only=True):
    invoice_number: str | None = None
    status: str | None = None
    account: str | None = None
    contact: str | None = None
    issue_date: date | None = None
    due_date: date | None = None
    total_amount: str | None = None
    amount_due: str | None = None
    currency: str | None = None
