"""Bitrix24's records, as far as they are mapped. Keys are in upper case, nearly every value is a text.

The same field comes as ``"84"``, ``84``, ``""``, ``null`` or (an empty PHP object) ``{}``: fields are read as
loosely as that, and ``mapping`` says what they mean.
"""

from __future__ import annotations

from typing import Any

import msgspec

Scalar = str | int | float | bool | None


class Multifield(msgspec.Struct, rename="upper"):
    """One phone, e-mail, messenger or site out of a list of them."""

    value: Scalar = None
    value_type: Scalar = None


Multifields = list[Multifield] | dict[str, Multifield] | str | bool | None


class User(msgspec.Struct, rename="upper"):
    id: str | int
    active: Scalar = True
    name: Scalar = None
    last_name: Scalar = None
    second_name: Scalar = None
    email: Scalar = None
    personal_mobile: Scalar = None
    work_phone: Scalar = None


class Category(msgspec.Struct):
    """A pipeline. This method speaks the newer dialect: lower case and numbers."""

    id: str | int
    name: Scalar = None
    sort: Scalar = None


class StageExtra(msgspec.Struct, rename="upper"):
    semantics: Scalar = None


class Status(msgspec.Struct, rename="upper"):
    """An entry of one of the portal's lists; those of DEAL_STAGE… are stages of deals."""

    entity_id: str
    status_id: str | int
    name: Scalar = None
    sort: Scalar = None
    semantics: Scalar = None
    extra: StageExtra | list[Any] | None = None


class _Entity(msgspec.Struct, rename="upper"):
    id: str | int
    assigned_by_id: Scalar = None
    date_create: Any = None
    date_modify: Any = None


class _Tagged(_Entity, rename="upper"):
    utm_source: Scalar = None
    utm_medium: Scalar = None
    utm_campaign: Scalar = None
    utm_content: Scalar = None
    utm_term: Scalar = None


class Company(_Entity, rename="upper"):
    title: Scalar = None
    is_my_company: Scalar = None
    phone: Multifields = None
    email: Multifields = None
    web: Multifields = None


class Contact(_Tagged, rename="upper"):
    name: Scalar = None
    second_name: Scalar = None
    last_name: Scalar = None
    post: Scalar = None
    birthdate: Any = None
    address: Scalar = None
    address_2: Scalar = None
    address_city: Scalar = None
    address_postal_code: Scalar = None
    company_id: Scalar = None
    phone: Multifields = None
    email: Multifields = None
    im: Multifields = None


class Lead(_Tagged, rename="upper"):
    title: Scalar = None
    name: Scalar = None
    second_name: Scalar = None
    last_name: Scalar = None
    status_id: Scalar = None
    contact_id: Scalar = None
    company_id: Scalar = None
    comments: Scalar = None
    phone: Multifields = None
    email: Multifields = None


class Deal(_Tagged, rename="upper"):
    title: Scalar = None
    category_id: Scalar = None
    stage_id: Scalar = None
    stage_semantic_id: Scalar = None
    is_recurring: Scalar = None
    opportunity: Scalar = None
    currency_id: Scalar = None
    contact_id: Scalar = None
    company_id: Scalar = None
    lead_id: Scalar = None
    closedate: Any = None
    moved_time: Any = None


class StageMove(msgspec.Struct, rename="upper"):
    id: str | int
    owner_id: str | int
    stage_id: str | int
    created_time: Any = None
    category_id: Scalar = None


class Call(msgspec.Struct, rename="upper"):
    id: str | int
    call_start_date: Any = None
    call_type: Scalar = None
    phone_number: Scalar = None
    portal_number: Scalar = None
    portal_user_id: Scalar = None
    call_duration: Scalar = None
    call_failed_code: Scalar = None
    call_failed_reason: Scalar = None
    call_record_url: Scalar = None
    crm_entity_type: Scalar = None
    crm_entity_id: Scalar = None
    comment: Scalar = None
