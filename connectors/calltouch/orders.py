"""The journal of deals: copies of a CRM's deals, each with the call or request that it came from.

They are read only where the settings ask for it (``settings.orders``), and count as sales only where no CRM does.
The numbers in brackets are facts in BEHAVIOR.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from connectors.calltouch.mapping import custom_of, distinct
from connectors.calltouch.reads import CALLS_DATE, PAGE_LIMIT, next_page, records_of
from connectors.calltouch.settings import CalltouchSettings
from connectors.calltouch.values import amount, identifier, instant, local_time
from connectors.calltouch.visits import ads_of, origin_of, traffic_of, visitor_ids_of, visits_of
from connectors.calltouch.wire import CallsPage, Order, OrderClient, OrderKey, OrderSource, OrderVisit, Scalar
from connectors.contract import Mapped, Page, Position, Skip, Start, VendorRequest, VendorResponse
from connectors.errors import BadRecord, VendorChanged
from connectors.windows import Window
from schema.enums import DealStatus, OrderState
from schema.records import ContactRecord, DealRecord, OrderRecord
from schema.traffic import present

ORDERS_DAYS = 30  # in one window
ORDERS_REREAD_DAYS = 90  # [35] a deal changes for months, and is found by its own day only
OWN_TAG = "Skvoz"  # [36] the tag of a deal that Skvoz itself put there
CURRENCY = "RUB"  # [34] the journal names none
_HOLDING_TEXT = ("names", "name", "fio", "tag", "comment", "text", "phoneNumber", "phone", "email", "value")

_PAGE = msgspec.json.Decoder(CallsPage)
_KEY = msgspec.json.Decoder(OrderKey)
_ORDER = msgspec.json.Decoder(Order)


def start_orders(settings: CalltouchSettings, start: Start) -> Position | None:
    if settings.orders == "ignored":
        return None
    again = max(settings.reread_days, ORDERS_REREAD_DAYS)
    window = Window.opening(start, days=ORDERS_DAYS, reread_days=again, zone=settings.zone)
    return None if window is None else {**window.position(), "page": 1}


def ask_orders(settings: CalltouchSettings, position: Position) -> VendorRequest:
    """[32] A single day is refused, so each window is asked for with the day after it, which comes twice."""
    window = Window.at(position)
    return VendorRequest(
        path=f"/calls-service/RestAPI/{settings.site_id}/orders-diary/orders",
        query={
            "dateFrom": window.first.strftime(CALLS_DATE),
            "dateTo": (window.last + timedelta(days=1)).strftime(CALLS_DATE),
            "page": position["page"],
            "limit": PAGE_LIMIT,
            "withOrdersTags": "true",
            "withComments": "true",
            "withContacts": "true",
        },
    )


def read_orders(_settings: CalltouchSettings, position: Position, response: VendorResponse) -> Page:
    """One page of a window. Raises VendorChanged where the answer isn't the journal's envelope."""
    try:
        page = _PAGE.decode(response.content)
    except msgspec.MsgspecError as error:
        raise VendorChanged(f"Calltouch's journal of deals isn't the known envelope: {error}.") from error
    records = records_of((_order_id(raw), bytes(raw)) for raw in page.records)
    return next_page(records, position, page.page_total, ORDERS_DAYS)


def map_order(settings: CalltouchSettings, body: bytes) -> Mapped:
    """A deal of the cabinet as an order that counts in no sales, or (by the settings) as a deal that does."""
    wire = _ORDER.decode(body)
    order_id = identifier(wire.order_id)
    if order_id is None:
        raise BadRecord("A deal without orderId.")
    if OWN_TAG in _texts(wire.tags):
        return Skip("Skvoz itself put this deal there.")
    created_at = _time(wire.created_date, settings) or _time(wire.order_date, settings)
    if created_at is None:
        raise BadRecord("A deal without a time.")
    session = wire.visit or OrderVisit()
    visitors = visitor_ids_of(session.ct_client_id, session.ya_client_id, session.gua_client_id)
    ads = ads_of(session.yandex_direct, session.google_ad_words)
    visits = visits_of(session, ads, visitors, None, created_at, settings.zone)
    visit = identifier(session.session_id)
    traffic = visits[visit].traffic if visit else origin_of(traffic_of(session), ads)
    client = wire.client or OrderClient()
    phones, emails = distinct(_texts(client.phones)), distinct(_texts(client.emails))
    source = wire.order_source or OrderSource()
    updated_at = _time(wire.updated_date, settings)
    value, won = _value(wire)
    number, comment = identifier(wire.order_number), "\n".join(_texts(wire.comment)) or None
    tags, lead = distinct(_texts(wire.tags)), identifier(source.request_id)
    custom = custom_of(
        manager=next(_texts(wire.manager), None),
        funnel=present(wire.funnel),
        sourceType=present(source.type),
        callId=identifier(source.call_id),
        chatId=identifier(source.chat_id),
    )
    if settings.orders != "deals":
        order = OrderRecord(
            external_id=order_id,
            updated_at=updated_at,
            created_at=created_at,
            state=OrderState.DONE if won else OrderState.OPEN,
            number=number,
            status=present(wire.order_status),
            amount=value,
            currency=CURRENCY,
            name=present(client.fio),
            phones=phones,
            emails=emails,
            visitor_ids=visitors,
            visit=visit,
            lead=lead,
            tags=tags,
            comment=comment,
            traffic=traffic,
            custom=custom,
        )
        return [*visits.values(), order]
    contact = ContactRecord(
        external_id=f"order-{order_id}",
        name=present(client.fio),
        phones=phones,
        emails=emails,
        created_at=created_at,
        traffic=traffic,
    )
    known = bool(phones or emails)
    deal = DealRecord(
        external_id=order_id,
        updated_at=updated_at,
        title=present(wire.order_name) or number or f"Deal {order_id}",
        created_at=created_at,
        status=DealStatus.WON if won else DealStatus.OPEN,
        amount=value,
        currency=CURRENCY,
        closed_at=(_time(wire.completed_date, settings) or updated_at or created_at) if won else None,
        contact=contact.external_id if known else None,
        lead=lead,
        tags=tags,
        traffic=traffic,
        custom={**(custom or {}), **(custom_of(status=present(wire.order_status), number=number) or {})} or None,
    )
    return [*visits.values(), *((contact,) if known else ()), deal]


def _value(wire: Order) -> tuple[Decimal | None, bool]:
    """[34] The sum of a deal, and whether it was won: no field says so, but only a won deal has completed money."""
    planned, completed = amount(bytes(wire.planned_amount)), amount(bytes(wire.completed_amount))
    return (completed, True) if completed else (planned, False)


def _time(value: Scalar, settings: CalltouchSettings) -> datetime | None:
    """A time of the journal: text in the cabinet's zone, or a Unix time."""
    if isinstance(value, str) and not value.strip().isdecimal():
        local = local_time(value)
        return None if local is None else local.replace(tzinfo=settings.zone)
    return instant(value)


def _texts(value: Any) -> Iterator[str]:
    """The texts in a value that is a text for one client and a list or an object for another [34]."""
    match value:
        case str() | int():
            text = present(str(value))
            if text is not None:
                yield text
        case list():
            for each in value:
                yield from _texts(each)
        case dict():
            for name in _HOLDING_TEXT:
                if value.get(name):
                    yield from _texts(value[name])
                    return


def _order_id(raw: msgspec.Raw) -> str | None:
    try:
        return identifier(_KEY.decode(raw).order_id)
    except msgspec.MsgspecError:
        return None
