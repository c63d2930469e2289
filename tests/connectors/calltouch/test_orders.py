"""The cabinet's deals: read only where asked for, as evidence or as sales, and never those that Skvoz put there."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest

from connectors.calltouch import CONNECTOR
from connectors.calltouch.settings import CalltouchSettings
from connectors.contract import Skip, Start, Stream, VendorResponse
from connectors.errors import BadRecord, VendorChanged
from schema.enums import DealStatus, OrderState
from schema.records import ContactRecord, DealRecord, OrderRecord, VisitRecord

ORDERS, SALES = CONNECTOR.stream("orders"), CONNECTOR.stream("deals")
MOSCOW = timezone(timedelta(hours=3))
IGNORED = CalltouchSettings(token="secret-token", site_id="12345")
EVIDENCE = IGNORED.model_copy(update={"orders": "evidence"})
DEALS = IGNORED.model_copy(update={"orders": "deals"})
START = Start(
    cursor=None,
    now=datetime(2026, 4, 30, 12, tzinfo=UTC),
    since=datetime(2026, 4, 1, tzinfo=UTC),
    run_id=UUID(int=1),
)


def order(**changes: Any) -> bytes:
    """A record of the journal as its one public reader has it."""
    whole = {
        "orderId": 300000001,
        "orderNumber": "A-1001",
        "orderName": "Заказ A-1001",
        "orderStatus": "Оплачен",
        "createdDate": "03/04/2026 11:00:00",
        "orderDate": "03/04/2026 10:30:00",
        "updatedDate": "05/04/2026 18:00:00",
        "plannedAmount": 15000.10,
        "completedAmount": 14999.99,
        "funnel": "Основная",
        "manager": {"fio": "Иванова Ивана"},
        "comment": ["первый", {"comment": "второй"}],
        "tags": [{"category": "", "type": "MANUAL", "names": ["Опт", "VIP"]}],
        "client": {"fio": "Пётр", "phones": ["79990001122"], "emails": [{"email": "a@b.ru"}]},
        "visit": {
            "sessionId": 700000001,
            "sessionDate": "03/04/2026 10:02:11",
            "source": "yandex",
            "medium": "cpc",
            "utmCampaign": "<не указано>",
            "yaClientId": "1775109228651162001",
            "yandexDirect": {"campaignId": 101234567},
        },
        "orderSource": {"type": "REQUEST", "requestId": 500000001, "callId": None},
    }
    return json.dumps(whole | changes).encode()


def mapped(settings: CalltouchSettings, body: bytes) -> list[Any]:
    stream = ORDERS if settings is EVIDENCE else SALES
    records = stream.map(settings, body)
    assert isinstance(records, list)
    return records


def test_deals_are_not_read_unless_they_are_asked_for() -> None:
    reading = {
        (stream.name, settings.orders): stream.start(settings, START) is not None
        for stream in (ORDERS, SALES)
        for settings in (IGNORED, EVIDENCE, DEALS)
    }
    assert {key for key, reads in reading.items() if reads} == {("orders", "evidence"), ("deals", "deals")}


def test_a_window_is_asked_for_with_the_day_after_it() -> None:
    """A single day is refused: dateFrom must be less than dateTo."""
    last_day = Start(cursor=None, now=START.now, since=START.now, run_id=START.run_id)
    position = ORDERS.start(EVIDENCE, last_day)
    assert position is not None
    request = ORDERS.request(EVIDENCE, position)
    assert request.path == "/calls-service/RestAPI/12345/orders-diary/orders"
    assert (request.query["dateFrom"], request.query["dateTo"]) == ("30/04/2026", "01/05/2026")
    assert request.query["withOrdersTags"] == "true"  # else our own deals could not be told


def test_deals_of_the_last_months_are_read_again() -> None:
    cursor = {"read_to": "2026-04-29", "since": "2025-01-01"}
    start = Start(cursor=cursor, now=START.now, since=datetime(2025, 1, 1, tzinfo=UTC), run_id=START.run_id)
    position = ORDERS.start(EVIDENCE, start)
    assert position is not None
    assert position["run_first"] == "2026-01-29"


def test_every_page_is_read() -> None:
    position = ORDERS.start(EVIDENCE, START)
    seen: list[str] = []
    while position is not None:
        number = position["page"]
        answer = {"page": number, "pageTotal": 2, "records": [{"orderId": number}, {"orderId": 10 + number}]}
        response = VendorResponse(200, httpx.Headers(), json.dumps(answer).encode())
        page = ORDERS.read(EVIDENCE, position, response)
        seen += [record.external_id for record in page.records]
        position = page.next
    assert seen == ["1", "11", "2", "12"]
    with pytest.raises(VendorChanged):
        ORDERS.read(EVIDENCE, ORDERS.start(EVIDENCE, START) or {}, VendorResponse(200, httpx.Headers(), b"[]"))


def test_evidence_is_an_order_that_counts_in_no_sales() -> None:
    visit, found = mapped(EVIDENCE, order())
    assert isinstance(visit, VisitRecord)
    assert (visit.external_id, visit.traffic.campaign) == ("700000001", "101234567")
    assert visit.started_at == datetime(2026, 4, 3, 10, 2, 11, tzinfo=MOSCOW)
    assert isinstance(found, OrderRecord)
    assert (found.external_id, found.number, found.deal) == ("300000001", "A-1001", None)
    assert (found.state, found.status, found.amount) == (OrderState.DONE, "Оплачен", Decimal("14999.99"))
    assert (found.phones, found.emails, found.name) == (("79990001122",), ("a@b.ru",), "Пётр")
    assert (found.lead, found.visit, found.visitor_ids) == ("500000001", "700000001", ("ym:1775109228651162001",))
    assert (found.tags, found.comment) == (("Опт", "VIP"), "первый\nвторой")
    assert found.traffic == visit.traffic
    assert found.custom == {"manager": "Иванова Ивана", "funnel": "Основная", "sourceType": "REQUEST"}


def test_a_deal_has_the_client_whom_the_cabinet_names() -> None:
    visit, contact, deal = mapped(DEALS, order())
    assert isinstance(visit, VisitRecord)
    assert isinstance(contact, ContactRecord)
    assert isinstance(deal, DealRecord)
    assert (contact.external_id, contact.phones) == ("order-300000001", ("79990001122",))
    assert (deal.contact, deal.lead) == ("order-300000001", "500000001")
    assert (deal.status, deal.amount, deal.currency) == (DealStatus.WON, Decimal("14999.99"), "RUB")
    assert deal.closed_at == deal.updated_at == datetime(2026, 4, 5, 18, tzinfo=MOSCOW)
    assert deal.created_at == datetime(2026, 4, 3, 11, tzinfo=MOSCOW)


def test_a_deal_without_completed_money_is_open() -> None:
    (deal,) = mapped(DEALS, order(completedAmount=0, client=None, visit=None, plannedAmount="15 000,10"))
    assert (deal.status, deal.amount, deal.closed_at, deal.contact) == (
        DealStatus.OPEN,
        Decimal("15000.10"),
        None,
        None,
    )
    assert deal.traffic is None


@pytest.mark.parametrize("stream", [ORDERS, SALES])
@pytest.mark.parametrize(
    "tags",
    [[{"tag": "Skvoz"}], ["Skvoz"], [{"category": "", "type": "MANUAL", "names": ["VIP", "Skvoz"]}], "Skvoz"],
)
def test_what_skvoz_put_there_is_left_out(stream: Stream[Any], tags: Any) -> None:
    assert isinstance(stream.map(EVIDENCE, order(tags=tags)), Skip)


def test_times_may_be_texts_or_numbers() -> None:
    (_, found) = mapped(EVIDENCE, order(createdDate=1775204130000, updatedDate="1775204130"))
    assert found.created_at == found.updated_at == datetime(2026, 4, 3, 8, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "changes",
    [
        {"orderId": None},
        {"createdDate": None, "orderDate": ""},
        {"plannedAmount": "много", "completedAmount": None},
    ],
)
def test_what_cannot_be_understood_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadRecord):
        ORDERS.map(EVIDENCE, order(**changes))
