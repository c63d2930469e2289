"""The vendor's own sample answers, in the words of the unified model."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, cast

import msgspec
import pytest

from connectors.advantshop import CONNECTOR
from connectors.advantshop.exchange import read_exchange, with_extra
from connectors.advantshop.settings import AdvantshopSettings
from connectors.contract import Mapped
from connectors.errors import BadRecord, VendorChanged
from schema.enums import DealStatus, OrderState, PaymentKind
from schema.records import DealRecord, OrderItem, OrderRecord, PaymentRecord, PipelineRecord, StageRecord
from tests.connectors.advantshop.conftest import sample

GUID = "f1688306-fa99-4193-a102-a0e6d9977ef2"


def order_body(**changed: Any) -> bytes:
    told = json.loads(sample("order_get.json"))["obj"]
    return json.dumps(told | changed).encode()


def mapped(settings: AdvantshopSettings, body: bytes, stream: str = "orders") -> list[Any]:
    found: Mapped = CONNECTOR.stream(stream).map(settings, body)
    return list(cast("list[Any]", found))


def the_status(**changed: Any) -> dict[str, Any]:
    return {"Id": 5, "Name": "Доставлен", "IsCanceled": False, "IsCompleted": False, "Hidden": False, **changed}


def test_an_order_is_an_order_a_sale_and_a_payment(settings: AdvantshopSettings) -> None:
    order, deal, payment = mapped(settings, order_body())
    made = datetime(2017, 4, 10, 5, 45, 17, 700_000, UTC)  # 9:45 in Samara
    assert isinstance(order, OrderRecord)
    assert (order.external_id, order.number, order.created_at) == ("1", "1", made)
    assert (order.state, order.status) == (OrderState.DONE, "Доставлен")
    assert (order.amount, order.currency, order.paid_at) == (Decimal("990.00"), "RUB", made)
    assert order.items == (
        OrderItem(
            sku="1649", name="Ваш товар", quantity=Decimal("1.0"), price=Decimal("990.0"), amount=Decimal("990.00")
        ),
    )
    assert order.name == "Сидоров (тест) Александр Иванович"
    assert (order.phones, order.emails) == (("+7900123456",), ("alex-test@sidorov.ru",))
    assert (order.contact, order.deal, order.comment) == (GUID, "1", "Тестовый заказ")
    assert order.traffic is None  # that it came through the basket says nothing of an origin
    assert order.custom is not None
    assert order.custom["source"] == "Корзина интернет магазина"
    assert isinstance(deal, DealRecord)
    assert (deal.external_id, deal.title, deal.status) == ("1", "Order 1", DealStatus.WON)
    assert (deal.amount, deal.closed_at, deal.contact) == (Decimal("990.00"), None, GUID)
    assert (deal.pipeline, deal.stage) == ("orders", "5")
    assert isinstance(payment, PaymentRecord)
    assert (payment.kind, payment.amount, payment.method) == (PaymentKind.PAYMENT, Decimal(990), "Оплата наличными")
    assert (payment.order, payment.deal, payment.paid_at) == ("1", "1", made)


@pytest.mark.parametrize(
    ("paid", "status", "rule", "sale", "state"),
    [
        (True, {}, "paid_or_completed", DealStatus.WON, OrderState.OPEN),
        (False, {"IsCompleted": True}, "paid_or_completed", DealStatus.WON, OrderState.DONE),
        (False, {"IsCompleted": True}, "paid", DealStatus.OPEN, OrderState.DONE),
        (True, {}, "completed", DealStatus.OPEN, OrderState.OPEN),
        (False, {}, "paid_or_completed", DealStatus.OPEN, OrderState.OPEN),
        (True, {"IsCanceled": True}, "paid_or_completed", DealStatus.LOST, OrderState.CANCELLED),
    ],
)
def test_what_a_sale_is_the_user_says(
    settings: AdvantshopSettings, paid: bool, status: dict[str, Any], rule: Any, sale: DealStatus, state: OrderState
) -> None:
    settings = settings.model_copy(update={"sale_when": rule})
    order, deal, *payments = mapped(settings, order_body(IsPaid=paid, Status=the_status(**status)))
    assert (deal.status, order.state, len(payments)) == (sale, state, int(paid))
    assert deal.lost_reason == ("Доставлен" if sale is DealStatus.LOST else None)


def test_the_exchange_adds_the_day_of_payment_and_the_visitors(settings: AdvantshopSettings) -> None:
    extras = read_exchange(sample("synthetic_1c_exportorders.xml"))
    order, deal, payment = mapped(settings, with_extra(order_body(), extras["1"]))
    paid = datetime(2017, 4, 10, 6, 0, tzinfo=UTC)
    assert order.paid_at == deal.closed_at == payment.paid_at == paid
    assert order.visitor_ids == ("ym:1491800000123456789", "ga:123456789.1491800000")
    lost = order_body(Status=the_status(IsCanceled=True))
    assert mapped(settings, with_extra(lost, extras["1"]))[1].closed_at == datetime(2017, 4, 11, 7, 0, tzinfo=UTC)


def test_the_exchange_is_read_with_and_without_its_mark() -> None:
    content = sample("synthetic_1c_exportorders.xml")
    assert content[:2] == b"\xff\xfe"
    assert read_exchange(content[2:]) == read_exchange(content)
    hostile = '<?xml version="1.0"?><!DOCTYPE o [<!ENTITY a "aaa">]><Orders>&a;</Orders>'.encode("utf-16")
    for wrong in (hostile, "<Html/>".encode("utf-16"), b"error saas plan", b""):
        with pytest.raises(VendorChanged):
            read_exchange(wrong)


@pytest.mark.parametrize(
    ("kind", "source"), [("Vk", "vk"), ("Telegram", "telegram"), ("Phone", None), (None, None)]
)
def test_only_a_network_is_an_origin(settings: AdvantshopSettings, kind: str | None, source: str | None) -> None:
    order = mapped(settings, order_body(Source={"Id": 7, "Name": "x", "Main": False, "Type": kind}))[0]
    assert (order.traffic.source if order.traffic else None) == source


def test_a_guest_has_no_card_and_items_may_lack(settings: AdvantshopSettings) -> None:
    guest = {"CustomerId": "00000000-0000-0000-0000-000000000000", "FirstName": "Олег", "Phone": "8 916 111 22 33"}
    order, deal, _ = mapped(settings, order_body(Customer=guest, Items=None))
    assert (order.contact, deal.contact, order.items, order.name) == (None, None, (), "Олег")
    for items in ([{"ArtNo": "A", "Price": 0.1, "Amount": 3, "Color": "red", "Size": "L"}], []):
        assert len(mapped(settings, order_body(Items=items))[0].items) == len(items)
    red = mapped(settings, order_body(Items=[{"ArtNo": "A", "Price": 0.1, "Amount": 3, "Color": "red"}]))[0].items[
        0
    ]
    assert (red.name, red.amount) == ("A (red)", Decimal("0.30"))


@pytest.mark.parametrize("wrong", [{"Date": ""}, {"Date": "вчера"}, {"Sum": None}, {"Status": None}])
def test_what_cant_be_understood_is_set_aside(settings: AdvantshopSettings, wrong: dict[str, Any]) -> None:
    with pytest.raises((BadRecord, msgspec.ValidationError)):
        mapped(settings, order_body(**wrong))


def test_a_customer_is_a_card(settings: AdvantshopSettings) -> None:
    (card,) = mapped(settings, sample("customer_get.json"), "customers")
    assert card.external_id == "b337541c-7c41-4bd1-a3d6-360cf655601b"
    assert (card.name, card.first_name, card.last_name) == ("Ivanov Ivan Ivanovich", "Ivan", "Ivanov")
    assert (card.phones, card.emails, card.responsible) == (("+79171234567",), ("myemail@email.com",), None)
    assert card.custom["Text field"] == "some text"
    assert (card.custom["organization"], card.custom["city"]) == ("OOO Umbrella", "Москва")
    assert (card.birthday, card.address) == (date(2022, 1, 1), "432000, Москва, Ленина, 1, 2")


def test_statuses_are_the_stages_of_one_way(settings: AdvantshopSettings) -> None:
    assert mapped(settings, b"orders", "statuses") == [PipelineRecord(external_id="orders", name="Orders")]
    for flags, status in (
        ({"IsCanceled": True}, DealStatus.LOST),
        ({"IsCompleted": True}, DealStatus.WON),
        ({}, DealStatus.OPEN),
    ):
        (stage,) = mapped(settings, json.dumps(the_status(**flags)).encode(), "statuses")
        assert stage == StageRecord(external_id="5", name="Доставлен", pipeline="orders", sort=5, status=status)
