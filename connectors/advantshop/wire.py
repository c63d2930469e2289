"""Shapes of what the shop sends, as far as it is used. Orders are written in PascalCase, customers in camelCase."""

from __future__ import annotations

from decimal import Decimal

import msgspec

Scalar = str | int | float | None


class Status(msgspec.Struct, rename="pascal"):
    id: int
    name: str | None = None
    is_canceled: bool = False
    is_completed: bool = False
    hidden: bool = False


class Source(msgspec.Struct, rename="pascal"):
    name: str | None = None
    type: str | None = None


class Item(msgspec.Struct, rename="pascal"):
    art_no: str | None = None
    name: str | None = None
    color: str | None = None
    size: str | None = None
    price: Decimal = Decimal(0)
    amount: Decimal = Decimal(1)


class Buyer(msgspec.Struct, rename="pascal"):
    customer_id: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    patronymic: str | None = None
    organization: str | None = None
    email: str | None = None
    phone: str | None = None
    city: str | None = None
    custom_field1: str | None = None
    custom_field2: str | None = None
    custom_field3: str | None = None


class Extra(msgspec.Struct):
    """What only the exchange with 1C tells of an order."""

    paid_at: str | None = None
    changed_at: str | None = None
    google_id: str | None = None
    yandex_id: str | None = None
    tax_id: str | None = None
    status_comment: str | None = None


class Order(msgspec.Struct, rename="pascal"):
    id: int
    date: str
    status: Status
    number: str | None = None
    currency: str | None = None
    sum: Decimal = Decimal(0)
    is_paid: bool = False
    customer: Buyer | None = None
    source: Source | None = None
    items: list[Item] | None = None
    customer_comment: str | None = None
    admin_comment: str | None = None
    payment_name: str | None = None
    shipping_name: str | None = None
    track_number: str | None = None
    skvoz_exchange: Extra | None = None


class Field(msgspec.Struct):
    id: int
    name: str | None = None
    value: Scalar | bool = None


class Contact(msgspec.Struct):
    country: str | None = None
    region: str | None = None
    city: str | None = None
    zip: str | None = None
    street: str | None = None
    house: str | None = None
    apartment: str | None = None


class Customer(msgspec.Struct, rename="camel"):
    id: str
    email: str | None = None
    phone: Scalar = None
    first_name: str | None = None
    last_name: str | None = None
    patronymic: str | None = None
    organization: str | None = None
    birthday: str | None = None
    admin_comment: str | None = None
    manager_id: int | None = None
    group_id: int | None = None
    contact: Contact | None = None
    fields: list[Field] | None = None


class Manager(msgspec.Struct):
    id: int
    name: str | None = None
