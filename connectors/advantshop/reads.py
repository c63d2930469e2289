"""How a shop's lists are read. The numbers in brackets are facts in BEHAVIOR.md.

Version 10 can't say what changed [3]. Customers: each run reads those who registered since the day before the last
one, and once a day everybody. Orders are read by the days on which they were made: the last ``reread_days`` of
them in each run (with the exchange with 1C only those that changed), and once a week all of them, by which it is
seen what is there no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import msgspec

from connectors.advantshop import mapping
from connectors.advantshop.errors import absent, refusal
from connectors.advantshop.exchange import read_exchange, with_extra
from connectors.advantshop.settings import AdvantshopSettings
from connectors.contract import (
    Fetch,
    Page,
    Position,
    RawRecord,
    Start,
    Stream,
    VendorRequest,
    VendorResponse,
)
from connectors.errors import VendorChanged
from connectors.windows import Window
from schema.enums import RecordKind

CUSTOMERS_PAGE, ORDERS_PAGE, STATUSES_PAGE = 100, 50, 100  # [5] more is taken for the default without a word
ORDERS_DAYS = 7  # in one window
EXCHANGE_REREAD_DAYS = 1
EVERYBODY_EVERY, ALL_ORDERS_EVERY = timedelta(hours=20), timedelta(days=7)
_MOST_RESTARTS = 3


class _OrderId(msgspec.Struct, rename="pascal"):
    id: int


class _CustomerId(msgspec.Struct):
    id: str | int


class _List(msgspec.Struct, rename="pascal"):
    data_items: list[msgspec.Raw] | None = None
    total_page_count: int = 0


class _Listed(msgspec.Struct):
    obj: _List


class _One(msgspec.Struct):
    obj: msgspec.Raw


class _Pages(msgspec.Struct, rename="camel"):
    total_count: int = 0
    total_page_count: int = 0


class _Customers(msgspec.Struct):
    customers: list[msgspec.Raw] | None = None
    pagination: _Pages = msgspec.field(default_factory=_Pages)


def listed(response: VendorResponse) -> tuple[list[msgspec.Raw], int]:
    """The rows of a list of orders or statuses, and how many pages it has [4]. Raises VendorChanged."""
    words = refusal(response)
    if words is not None:
        raise VendorChanged(f"ADVANTSHOP refused a list: {words}")
    try:
        found = msgspec.json.decode(response.content, type=_Listed).obj
    except msgspec.MsgspecError as error:
        raise VendorChanged(f"ADVANTSHOP's list isn't the known envelope: {error}.") from None
    return found.data_items or [], found.total_page_count


def _identified(rows: Sequence[msgspec.Raw], shape: type[_OrderId | _CustomerId]) -> Iterator[RawRecord]:
    try:
        for row in rows:
            yield RawRecord(str(msgspec.json.decode(row, type=shape).id), bytes(row))
    except msgspec.MsgspecError as error:
        raise VendorChanged(f"ADVANTSHOP's list holds a row without an id: {error}.") from None


# --- managers and statuses, read whole in each run


def _ask_managers(_settings: AdvantshopSettings, _position: Position) -> VendorRequest:
    return VendorRequest("/managers")


def _read_managers(_settings: AdvantshopSettings, _position: Position, response: VendorResponse) -> Page:
    try:
        rows = msgspec.json.decode(response.content, type=list[msgspec.Raw])
    except msgspec.MsgspecError:
        raise VendorChanged("ADVANTSHOP's list of managers is no list.") from None
    return Page(list(_identified(rows, _CustomerId)), next=None, cursor={}, done=1.0)


def _ask_statuses(_settings: AdvantshopSettings, position: Position) -> VendorRequest:
    body = {"Page": position["page"], "ItemsPerPage": STATUSES_PAGE}
    return VendorRequest("/orderstatus/getlist", "POST", json=body)


def _read_statuses(_settings: AdvantshopSettings, position: Position, response: VendorResponse) -> Page:
    rows, pages = listed(response)
    records = list(_identified(rows, _OrderId))
    if position["page"] == 1:  # what the statuses are stages of
        records.insert(0, RawRecord(mapping.PIPELINE, mapping.PIPELINE.encode()))
    if rows and position["page"] < pages:
        return Page(records, {"page": position["page"] + 1})
    return Page(records, next=None, cursor={}, done=1.0)


# --- customers


def _start_customers(settings: AdvantshopSettings, begin: Start) -> Position:
    cursor = begin.cursor or {}
    whole = not cursor or datetime.fromisoformat(cursor["whole_at"]) <= begin.now - EVERYBODY_EVERY
    return {
        "page": 1,
        "since": None if whole else cursor["until"],
        "until": (begin.now - timedelta(days=1))
        .astimezone(settings.zone)
        .replace(tzinfo=None)
        .isoformat("T", "seconds"),
        "whole": whole,
        "whole_at": begin.now.isoformat() if whole else cursor["whole_at"],
        "total": None,
        "restarts": 0,
    }


def _ask_customers(_settings: AdvantshopSettings, position: Position) -> VendorRequest:
    query: dict[str, Any] = {"page": position["page"], "itemsPerPage": CUSTOMERS_PAGE, "extended": "true"}
    if position["since"] is not None:
        query["registrationDateTimeFrom"] = position["since"]
    return VendorRequest("/customers", query=query)


def _read_customers(_settings: AdvantshopSettings, position: Position, response: VendorResponse) -> Page:
    """A page; from the first one again, where the list grew or shrank meanwhile: page numbers have drifted then,
    and whoever slipped through would count as deleted."""
    try:
        found = msgspec.json.decode(response.content, type=_Customers)
    except msgspec.MsgspecError as error:
        raise VendorChanged(f"ADVANTSHOP's list of customers isn't the known envelope: {error}.") from None
    rows, pages = found.customers or [], found.pagination
    records = list(_identified(rows, _CustomerId))
    drifted = position["total"] not in (None, pages.total_count)
    if rows and position["page"] < pages.total_page_count:
        following = {**position, "page": position["page"] + 1, "total": position["total"] or pages.total_count}
        return Page(records, following, done=position["page"] / pages.total_page_count)
    if drifted and position["restarts"] < _MOST_RESTARTS:
        return Page(records, {**position, "page": 1, "total": None, "restarts": position["restarts"] + 1})
    cursor = {"until": position["until"], "whole_at": position["whole_at"]}
    return Page(records, next=None, cursor=cursor, done=1.0)


def _ask_customer(_settings: AdvantshopSettings, external_id: str) -> VendorRequest:
    return VendorRequest(f"/customers/{external_id}")


def _read_customer(_settings: AdvantshopSettings, external_id: str, response: VendorResponse) -> RawRecord | None:
    return None if absent(response) else RawRecord(external_id, response.content)


# --- orders


def _start_orders(settings: AdvantshopSettings, begin: Start) -> Position | None:
    """``step``: the exchange of a window is asked first ("exchange", ``extras``), then the orders made in it
    ("list"), then one by one those that only changed in it ("single", ``queue``)."""
    cursor = begin.cursor or {}
    since = begin.since.astimezone(settings.zone).date()
    kept = min(since, date.fromisoformat(cursor["since"])) if cursor else since
    due = begin.now - ALL_ORDERS_EVERY
    last = cursor.get("whole_at")
    whole = last is None or since < date.fromisoformat(cursor["since"]) or datetime.fromisoformat(last) <= due
    again = EXCHANGE_REREAD_DAYS if settings.exchange else settings.reread_days
    opening = Start(None if whole else cursor, begin.now, begin.since, begin.run_id)
    window = Window.opening(opening, days=ORDERS_DAYS, reread_days=again, zone=settings.zone)
    if window is None:
        return None
    if kept < since:  # what was read stays read, or it would count as deleted
        first = kept if whole else window.first
        last_day = min(first + timedelta(days=ORDERS_DAYS - 1), window.run_last)
        window = Window(first, last_day, first, window.run_last, kept)
    run = {"whole": whole, "whole_at": begin.now.isoformat() if whole else last, "last_whole": last}
    return _opened(settings, {**window.position(), **run})


def _opened(settings: AdvantshopSettings, position: Position) -> Position:
    """The beginning of a window."""
    step = "exchange" if settings.exchange else "list"
    return {**position, "step": step, "page": 1, "extras": {}, "queue": []}


def _ask_orders(_settings: AdvantshopSettings, position: Position) -> VendorRequest:
    window = Window.at(position)
    match position["step"]:
        case "exchange":
            days = {"from": f"{window.first:%Y.%m.%d}", "to": f"{window.last:%Y.%m.%d}"}
            return VendorRequest("/1c/exportorders", query=days)
        case "single":
            return VendorRequest(f"/order/get/{position['queue'][0]}")
        case _:
            body = {
                "Page": position["page"],
                "ItemsPerPage": ORDERS_PAGE,
                "LoadItems": True,
                "DateFrom": f"{window.first.isoformat()}T00:00:00",
                "DateTo": f"{window.last.isoformat()}T23:59:59",
            }
            return VendorRequest("/order/getlist", "POST", json=body)


def _read_orders(settings: AdvantshopSettings, position: Position, response: VendorResponse) -> Page:
    extras: dict[str, dict[str, str]] = position["extras"]
    match position["step"]:
        case "exchange":
            found = read_exchange(response.content)
            return Page([], {**position, "step": "list", "extras": found})
        case "single":
            id_, *queue = position["queue"]
            order = _read_order(settings, id_, response)
            records = [] if order is None else [RawRecord(id_, with_extra(order.body, extras.get(id_)))]
            rest = {**position, "queue": queue, "extras": {id: extras[id] for id in queue if id in extras}}
            return Page(records, rest) if queue else _at_end(settings, rest, records)
        case _:
            rows, pages = listed(response)
            plain = list(_identified(rows, _OrderId))
            records = [
                RawRecord(each.external_id, with_extra(each.body, extras.get(each.external_id))) for each in plain
            ]
            left = {id: extra for id, extra in extras.items() if id not in {each.external_id for each in plain}}
            if rows and position["page"] < pages:
                share = position["page"] / pages
                following = {**position, "page": position["page"] + 1, "extras": left}
                return Page(records, following, done=Window.at(position).done(share))
            if left and not position["whole"]:  # a run over all orders meets them on their own days
                return Page(records, {**position, "step": "single", "queue": sorted(left, key=int), "extras": left})
            return _at_end(settings, position, records)


def _at_end(settings: AdvantshopSettings, position: Position, records: list[RawRecord]) -> Page:
    """The end of a window. What a cursor says of a run over all orders holds only when that is through."""
    window = Window.at(position)
    following = window.following(ORDERS_DAYS)
    whole_at = position["whole_at"] if following is None else position["last_whole"]
    cursor = window.cursor() | ({} if whole_at is None else {"whole_at": whole_at})
    if following is None:
        return Page(records, next=None, cursor=cursor, done=1.0)
    return Page(records, _opened(settings, {**position, **following.position()}), cursor=cursor, done=window.done())


def _ask_order(_settings: AdvantshopSettings, external_id: str) -> VendorRequest:
    return VendorRequest(f"/order/get/{external_id}")


def _read_order(_settings: AdvantshopSettings, external_id: str, response: VendorResponse) -> RawRecord | None:
    if absent(response):  # [10] drafts are never shown
        return None
    try:
        return RawRecord(external_id, bytes(msgspec.json.decode(response.content, type=_One).obj))
    except msgspec.MsgspecError:
        raise VendorChanged("ADVANTSHOP answered the question for one order without an order.") from None


STREAMS: tuple[Stream[AdvantshopSettings], ...] = (
    Stream(
        name="managers",
        title="Managers",
        makes=(RecordKind.USER,),
        start=lambda _settings, _begin: {},
        request=_ask_managers,
        read=_read_managers,
        map=mapping.manager,
        sweeps=True,
    ),
    Stream(
        name="statuses",
        title="Statuses of orders",
        makes=(RecordKind.PIPELINE, RecordKind.STAGE),
        start=lambda _settings, _begin: {"page": 1},
        request=_ask_statuses,
        read=_read_statuses,
        map=mapping.status,
        sweeps=True,
    ),
    Stream(
        name="customers",
        title="Customers",
        makes=(RecordKind.CONTACT,),
        start=_start_customers,
        request=_ask_customers,
        read=_read_customers,
        map=mapping.customer,
        whole=lambda position: bool(position["whole"]),
        one=Fetch(_ask_customer, _read_customer),
    ),
    Stream(
        name="orders",
        title="Orders with their items, sales and payments",
        makes=(RecordKind.ORDER, RecordKind.DEAL, RecordKind.PAYMENT),
        start=_start_orders,
        request=_ask_orders,
        read=_read_orders,
        map=mapping.order,
        takes_back=True,  # the payment of an order that was marked as paid by mistake
        whole=lambda position: bool(position["whole"]),
        one=Fetch(_ask_order, _read_order),
    ),
)
