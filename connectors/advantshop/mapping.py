"""A shop's records in the words of the unified model. The numbers in brackets are facts in BEHAVIOR.md.

A shop's order is an order **and** the sale itself: it is told as an OrderRecord and as the DealRecord that the
order belongs to, both by the order's id. So every figure of sales (won deals, revenue, new clients) counts the shop
as it counts a CRM, and nothing counts twice: orders add nothing to revenue. Money that came is a payment beside
them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from connectors.advantshop import wire
from connectors.advantshop.settings import AdvantshopSettings
from connectors.advantshop.values import emails, full_name, moment, money, phones, present
from connectors.contract import Mapped
from connectors.errors import BadRecord
from connectors.people import address, birthday
from schema.enums import DealStatus, OrderState
from schema.records import (
    ContactRecord,
    DealRecord,
    OrderItem,
    OrderRecord,
    PaymentRecord,
    PipelineRecord,
    StageRecord,
    UserRecord,
)
from schema.traffic import Traffic

PIPELINE = "orders"
"""[12] A shop has one way of statuses, which has no name there."""
NOBODY = "00000000-0000-0000-0000-000000000000"
CURRENCY = "RUB"
_SOCIAL = {
    "Vk": "vk",
    "Instagram": "instagram",
    "Facebook": "facebook",
    "Telegram": "telegram",
    "Ok": "ok",
    "SocialNetworks": "social",
}
"""[11] Types of sources that name where the buyer came from; the others say how the order was made."""

_ORDER = msgspec.json.Decoder(wire.Order)
_CUSTOMER = msgspec.json.Decoder(wire.Customer)
_STATUS = msgspec.json.Decoder(wire.Status)
_MANAGER = msgspec.json.Decoder(wire.Manager)


def manager(_settings: AdvantshopSettings, body: bytes) -> Mapped:
    told = _MANAGER.decode(body)
    return [UserRecord(external_id=str(told.id), name=present(told.name) or f"#{told.id}")]


def status(_settings: AdvantshopSettings, body: bytes) -> Mapped:
    """A status is a stage. One that completes says nothing of money: whether an order is a sale, its deal says."""
    if body == PIPELINE.encode():
        return [PipelineRecord(external_id=PIPELINE, name="Orders")]
    told = _STATUS.decode(body)
    return [
        StageRecord(
            external_id=str(told.id),
            name=present(told.name) or f"#{told.id}",
            pipeline=PIPELINE,
            sort=told.id,
            status=DealStatus.LOST
            if told.is_canceled
            else DealStatus.WON
            if told.is_completed
            else DealStatus.OPEN,
        )
    ]


def customer(_settings: AdvantshopSettings, body: bytes) -> Mapped:
    told = _CUSTOMER.decode(body)
    place = told.contact or wire.Contact()
    own = {present(each.name) or str(each.id): each.value for each in told.fields or () if each.value is not None}
    custom = own | _told(
        organization=told.organization,
        birthday=told.birthday,
        comment=told.admin_comment,
        group=None if told.group_id is None else str(told.group_id),
        region=place.region,
        city=place.city,
    )
    return [
        ContactRecord(
            external_id=told.id.casefold(),
            name=full_name(told.last_name, told.first_name, told.patronymic),
            first_name=present(told.first_name),
            middle_name=present(told.patronymic),
            last_name=present(told.last_name),
            birthday=birthday(told.birthday),
            address=address(place.zip, place.city, place.street, place.house, place.apartment),
            phones=phones(told.phone),
            emails=emails(told.email),
            responsible=None if told.manager_id is None else str(told.manager_id),
            custom=custom or None,
        )
    ]


def order(settings: AdvantshopSettings, body: bytes) -> Mapped:
    """An order, the sale that it is, and the payment if it is paid."""
    told = _ORDER.decode(body)
    created_at = moment(told.date, settings.zone)
    if created_at is None:
        raise BadRecord("An order without a date.")
    id_, extra = str(told.id), told.skvoz_exchange or wire.Extra()
    buyer, source = told.customer or wire.Buyer(), told.source or wire.Source()
    amount, currency = money(told.sum), present(told.currency) or CURRENCY
    known = moment(extra.paid_at, settings.zone)
    paid_at = (known or created_at) if told.is_paid else None  # [8] only the exchange knows the day
    changed_at = moment(extra.changed_at, settings.zone)
    contact = _customer_of(buyer)
    number = present(told.number) or id_
    made = OrderRecord(
        external_id=id_,
        number=number,
        created_at=created_at,
        state=_state(told.status),
        status=present(told.status.name),
        amount=amount,
        currency=currency,
        paid_at=paid_at,
        items=tuple(map(_item, told.items or ())),
        name=full_name(buyer.last_name, buyer.first_name, buyer.patronymic),
        phones=phones(buyer.phone),
        emails=emails(buyer.email),
        visitor_ids=_visitors(extra),
        contact=contact,
        deal=id_,
        comment="\n".join(filter(None, map(present, (told.customer_comment, told.admin_comment)))) or None,
        traffic=_traffic(source),
        custom=_told(
            source=source.name,
            source_type=source.type,
            payment_method=told.payment_name,
            shipping=told.shipping_name,
            track_number=told.track_number,
            organization=buyer.organization,
            tax_id=extra.tax_id,
            city=buyer.city,
            custom_field_1=buyer.custom_field1,
            custom_field_2=buyer.custom_field2,
            custom_field_3=buyer.custom_field3,
        )
        or None,
    )
    sale = _sale(settings, told)
    deal = DealRecord(
        external_id=id_,
        title=f"Order {number}",
        created_at=created_at,
        status=sale,
        amount=amount,
        currency=currency,
        closed_at=_closed_at(sale, known, changed_at),
        lost_reason=(present(extra.status_comment) or present(told.status.name))
        if sale is DealStatus.LOST
        else None,
        pipeline=PIPELINE,
        stage=str(told.status.id),
        contact=contact,
    )
    payment = PaymentRecord(
        external_id=f"{id_}:paid",
        paid_at=paid_at or created_at,
        amount=amount,
        currency=currency,
        method=present(told.payment_name),
        number=number,
        contact=contact,
        order=id_,
        deal=id_,
    )
    return [made, deal, *((payment,) if told.is_paid else ())]


def _sale(settings: AdvantshopSettings, told: wire.Order) -> DealStatus:
    if told.status.is_canceled:
        return DealStatus.LOST
    done = {
        "paid": told.is_paid,
        "completed": told.status.is_completed,
        "paid_or_completed": told.is_paid or told.status.is_completed,
    }[settings.sale_when]
    return DealStatus.WON if done else DealStatus.OPEN


def _closed_at(sale: DealStatus, paid_at: datetime | None, changed_at: datetime | None) -> datetime | None:
    """[8] The day of payment of a sale, the day of the change of one that fell through. Where the exchange doesn't
    tell, nothing does: then the day of the order counts."""
    match sale:
        case DealStatus.WON:
            return paid_at
        case DealStatus.LOST:
            return changed_at
        case _:
            return None


def _state(told: wire.Status) -> OrderState:
    if told.is_canceled:
        return OrderState.CANCELLED
    return OrderState.DONE if told.is_completed else OrderState.OPEN


def _item(told: wire.Item) -> OrderItem:
    look = ", ".join(filter(None, map(present, (told.color, told.size))))
    name = present(told.name) or present(told.art_no) or "—"
    return OrderItem(
        sku=present(told.art_no),
        name=f"{name} ({look})" if look else name,
        quantity=told.amount,
        price=told.price,
        amount=money(told.price * told.amount),
    )


def _customer_of(buyer: wire.Buyer) -> str | None:
    told = present(buyer.customer_id)
    return None if told is None or told == NOBODY else told.casefold()


def _visitors(extra: wire.Extra) -> tuple[str, ...]:
    found = (("ym", present(extra.yandex_id)), ("ga", present(extra.google_id)))
    return tuple(f"{counter}:{value}" for counter, value in found if value)


def _traffic(source: wire.Source) -> Traffic | None:
    network = _SOCIAL.get(source.type or "")
    return None if network is None else Traffic(source=network, medium="social")


def _told(**texts: str | None) -> dict[str, Any]:
    return {name: told for name, text in texts.items() if (told := present(text)) is not None}
