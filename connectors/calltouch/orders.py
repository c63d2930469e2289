"""The journal of deals: copies of a CRM's deals, each with the call or request that it came from.

They are read only where the settings ask for it (``settings.orders``): as orders, which are evidence and no sales,
or as deals, where no CRM tells of them. Each use is a stream of its own, since a record that doesn't change isn't
mapped anew when a setting does.
The numbers in brackets are facts in BEHAVIOR.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
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
from schema.records import ContactRecord, DealRecord, OrderRecord, VisitRecord
from schema.traffic import Traffic, present

ORDERS_DAYS = 30  # in one window
ORDERS_REREAD_DAYS = 90  # [35] a deal changes for months, and is found by its own day only
OWN_TAG = "Skvoz"  # [36] the tag of a deal that Skvoz itself put there
CURRENCY = "RUB"  # [34] the journal names none
_HOLDING_TEXT = ("names", "name", "fio", "tag", "comment", "text", "phoneNumber", "phone", "email", "value")

_PAGE = msgspec.json.Decoder(CallsPage)
_KEY = msgspec.json.Decoder(OrderKey)
_ORDER = msgspec.json.Decoder(Order)


def start_orders(settings: CalltouchSettings, start: Start) -> Position | None:
    return _opening(settings, start) if settings.orders == "evidence" else None


def start_deals(settings: CalltouchSettings, start: Start) -> Position | None:
    return _opening(settings, start) if settings.orders == "deals" else None


def _opening(settings: CalltouchSettings, start: Start) -> Position | None:
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
    """A deal of the cabinet as an order that names no deal, and so counts in no sales."""
    told = _told(settings, body)
    if isinstance(told, Skip):
        return told
    wire, client = told.wire, told.wire.client or OrderClient()
    order = OrderRecord(
        external_id=told.id,
        updated_at=told.updated_at,
        created_at=told.created_at,
        state=OrderState.DONE if told.won else OrderState.OPEN,
        number=identifier(wire.order_number),
        status=present(wire.order_status),
        amount=told.amount,
        currency=CURRENCY,
        name=present(client.fio),
        phones=told.phones,
        emails=told.emails,
        visitor_ids=told.visitor_ids,
        visit=told.visit,
        lead=told.lead,
        tags=told.tags,
        comment="\n".join(_texts(wire.comment)) or None,
        traffic=told.traffic,
        custom=_custom(wire),
    )
    return [*told.visits, order]


def map_deal(settings: CalltouchSettings, body: bytes) -> Mapped:
    """A deal of the cabinet as a deal, with the client whom it names as a contact."""
    told = _told(settings, body)
    if isinstance(told, Skip):
        return told
    wire, client = told.wire, told.wire.client or OrderClient()
    number = identifier(wire.order_number)
    contact = ContactRecord(
        external_id=f"order-{told.id}",
        name=present(client.fio),
        phones=told.phones,
        emails=told.emails,
        created_at=told.created_at,
        traffic=told.traffic,
    )
    known = bool(told.phones or told.emails)
    completed_at = _time(wire.completed_date, settings) or told.updated_at or told.created_at
    deal = DealRecord(
        external_id=told.id,
        updated_at=told.updated_at,
        title=present(wire.order_name) or number or f"Deal {told.id}",
        created_at=told.created_at,
        status=DealStatus.WON if told.won else DealStatus.OPEN,
        amount=told.amount,
        currency=CURRENCY,
        closed_at=completed_at if told.won else None,
        contact=contact.external_id if known else None,
        lead=told.lead,
        tags=told.tags,
        traffic=told.traffic,
        custom=_custom(wire, number=number, status=present(wire.order_status)),
    )
    return [*told.visits, *((contact,) if known else ()), deal]


@dataclass(frozen=True, slots=True)
class _Told:
    """What a deal of the cabinet says, whatever it becomes."""

    wire: Order
    id: str
    created_at: datetime
    updated_at: datetime | None
    visits: tuple[VisitRecord, ...]
    visit: str | None
    visitor_ids: tuple[str, ...]
    traffic: Traffic | None
    phones: tuple[str, ...]
    emails: tuple[str, ...]
    lead: str | None
    tags: tuple[str, ...]
    amount: Decimal | None
    won: bool


def _told(settings: CalltouchSettings, body: bytes) -> _Told | Skip:
    wire = _ORDER.decode(body)
    order_id = identifier(wire.order_id)
    if order_id is None:
        raise BadRecord("A deal without orderId.")
    tags = distinct(_texts(wire.tags))
    if OWN_TAG in tags:
        return Skip("Skvoz itself put this deal there.")
    created_at = _time(wire.created_date, settings) or _time(wire.order_date, settings)
    if created_at is None:
        raise BadRecord("A deal without a time.")
    session, client = wire.visit or OrderVisit(), wire.client or OrderClient()
    visitors = visitor_ids_of(session.ct_client_id, session.ya_client_id, session.gua_client_id)
    ads = ads_of(session.yandex_direct, session.google_ad_words)
    visits = visits_of(session, ads, visitors, None, created_at, settings.zone)
    visit = identifier(session.session_id)
    value, won = _value(wire)
    return _Told(
        wire=wire,
        id=order_id,
        created_at=created_at,
        updated_at=_time(wire.updated_date, settings),
        visits=tuple(visits.values()),
        visit=visit,
        visitor_ids=visitors,
        traffic=visits[visit].traffic if visit else origin_of(traffic_of(session), ads),
        phones=distinct(_texts(client.phones)),
        emails=distinct(_texts(client.emails)),
        lead=identifier((wire.order_source or OrderSource()).request_id),
        tags=tags,
        amount=value,
        won=won,
    )


def _custom(wire: Order, **more: str | None) -> dict[str, Any] | None:
    source = wire.order_source or OrderSource()
    return custom_of(
        manager=next(_texts(wire.manager), None),
        funnel=present(wire.funnel),
        sourceType=present(source.type),
        callId=identifier(source.call_id),
        chatId=identifier(source.chat_id),
        **more,
    )


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
