"""The emulated ADVANTSHOP shop, asked over HTTP: each habit of the real one that a connector must survive."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal
from xml.etree import ElementTree

import httpx
import pytest

from sandbox.vendors.advantshop import VENDOR
from sandbox.vendors.advantshop.store import Store
from sandbox.world.happenings import CardEdited, CardMade, DealMoved, DealOpened, Traffic, Visited
from tests.sandbox.conftest import Stage

BEGIN = datetime(2026, 3, 2, 21, 30, tzinfo=UTC)  # half past midnight in the shop's own zone
UTM = {"utm_source": "yandex"}


def at(minutes: int) -> datetime:
    return BEGIN + timedelta(minutes=minutes)


def card(number: int, email: str, phone: str = "8 (916) 000-00-01") -> CardMade:
    return CardMade(
        seq=number,
        at=at(number),
        card=number,
        crm="advantshop",
        person=number,
        typed_name="Пётр Сом",
        first_name="Пётр",
        last_name="Сом",
        phones=(phone,),
        emails=(email,),
        firm=None,
        manager=17,
        utm=UTM,
    )


def deal(number: int, of_card: int, visit: int | None = None) -> DealOpened:
    return DealOpened(
        seq=number,
        at=at(100),
        deal=number,
        crm="advantshop",
        card=of_card,
        person=of_card,
        title="Уборка",
        amount=Decimal("1000.50"),
        manager=17,
        utm=UTM,
        from_lead=False,
        visit=visit,
        ad_campaign=None,
    )


def moved(number: int, stage: int | Literal["won", "lost"], reason: str | None = None) -> DealMoved:
    return DealMoved(
        seq=900, at=at(3000), deal=number, crm="advantshop", stage=stage, amount=Decimal(2000), lost_reason=reason
    )


def visited(visit: int) -> Visited:
    return Visited(
        seq=visit,
        at=at(50),
        visit=visit,
        person=1,
        visitor_id="1700000000000000001",
        traffic=Traffic("yandex", "cpc"),
        landing_url="https://chistota.example/",
        city="Москва",
        device="desktop",
    )


class Shop:
    """A client as bare as can be."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.key = stage.credentials["api_key"]

    def send(self, path: str, body: Any = None, **query: Any) -> httpx.Response:
        query = {"apikey": self.key} | query
        url = f"{self.stage.base_url}/api/{path}"
        if body is None:
            return self.stage.http.get(url, params=query)
        return self.stage.http.post(url, params=query, json=body)

    def ask(self, path: str, body: Any = None, **query: Any) -> Any:
        answer = self.send(path, body, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def shop(stage: Callable[..., Stage]) -> Shop:
    return Shop(stage(VENDOR))


def test_a_key_is_asked_for_with_success_whatever_it_is(shop: Shop) -> None:
    assert shop.ask("managers", apikey="x") == {"status": "error", "errors": "Invalid apikey"}
    by_header = shop.stage.http.get(f"{shop.stage.base_url}/api/managers", headers={"Authorization": shop.key})
    assert [sorted(each) for each in by_header.json()] == [["id", "name"]] * 3


def test_a_card_is_a_customer_and_a_deal_their_order(shop: Shop) -> None:
    shop.stage.happen(card(1, "p@som.ru"), visited(5), deal(7, 1, visit=5))
    (customer,) = shop.ask("customers", extended="true")["customers"]
    assert (customer["phone"], customer["email"], customer["managerId"]) == (79160000001, "p@som.ru", 17)
    (order,) = shop.ask("order/getlist", {"LoadItems": True})["obj"]["DataItems"]
    assert order["Date"] == "2026-03-03T02:10:00.000"
    assert (order["Sum"], order["IsPaid"], order["Status"]["Name"]) == (1000.5, False, "Новый")
    assert (order["Customer"]["CustomerId"], order["Customer"]["Phone"]) == (customer["id"], "+79160000001")
    assert sum(line["Price"] * line["Amount"] for line in order["Items"]) == 1000.5
    assert shop.stage.person_of("order", order["Id"]) == shop.stage.person_of("customer", customer["id"]) == 1
    shop.stage.happen(moved(7, "won"))
    order = shop.ask(f"order/get/{order['Id']}")["obj"]
    assert (order["Sum"], order["IsPaid"], order["Status"]["IsCompleted"]) == (2000, True, True)


def test_one_email_is_one_customer_and_a_taken_phone_none(shop: Shop) -> None:
    shop.stage.happen(card(1, "p@som.ru"), card(2, "P@som.ru"), card(3, "other@som.ru"))
    customers = shop.ask("customers")["customers"]
    assert [each["phone"] for each in customers] == [79160000001, None]
    edited = CardEdited(
        seq=9,
        at=at(9),
        card=3,
        crm="advantshop",
        phones=("+7 917 5",),
        emails=("p@som.ru",),
        first_name="",
        last_name="",
    )
    shop.stage.happen(edited)
    assert [each["email"] for each in shop.ask("customers")["customers"]] == ["p@som.ru", "other@som.ru"]


def test_pages_end_without_a_list_and_sizes_are_taken_silently(shop: Shop) -> None:
    shop.stage.happen(*(card(n, f"c{n}@x.ru", f"+7916000{n:04d}") for n in range(1, 131)))
    shop.stage.happen(*(deal(n, n) for n in range(1, 131)))

    def page(**body: Any) -> dict[str, Any]:
        found: dict[str, Any] = shop.ask("order/getlist", body)["obj"]
        return found

    assert len(page(ItemsPerPage=100)["DataItems"]) == 100
    assert len(page(ItemsPerPage=101)["DataItems"]) == 50  # and no word of it
    assert len(page(ItemsPerPage=100, LoadItems=True)["DataItems"]) == 50
    assert page(page=4, itemsperpage=50)["DataItems"] is None
    assert page()["DataItems"][0]["Items"] is None
    assert page(DateFrom="2026-03-04T00:00:00")["TotalItemsCount"] == 0
    refused = shop.ask("order/getlist", {"DateFrom": "вчера"})
    assert refused == {"result": False, "errors": ["Неудалось преобразовать дату параметра DateFrom"]}
    assert shop.ask("customers", page=3)["pagination"]["totalPageCount"] == 3
    assert shop.ask("customers", page=9)["customers"] == []


def test_orders_are_changed_and_told_once_and_drafts_are_never_shown(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[bytes] = []
    monkeypatch.setattr(type(shop.stage.world), "deliver", lambda _, url, content, kind: told.append(content))
    shop.stage.switch(webhook="http://door.example/hook")
    shop.stage.happen(card(1, "p@som.ru"), deal(7, 1))
    assert shop.ask("order/changestatus", {"OrderId": 1, "StatusId": 6}) == {"result": True}
    assert shop.ask("order/setpaid", {"OrderId": 1}) == {"result": True}
    assert shop.ask("order/changestatus", {"OrderId": 1, "StatusId": 99})["errors"] == ["Статус не найден"]
    assert len(told) == 3
    assert b'"IsPaied":true' in told[2]
    with shop.stage.world.transaction():
        draft = Store(shop.stage.world).add_order({}, at(1), draft=True)
    assert shop.ask(f"order/get/{draft}")["errors"] == ["Заказ не найден"]


def test_the_exchange_tells_what_the_others_lack(shop: Shop) -> None:
    shop.stage.happen(card(1, "p@som.ru"), visited(5), deal(7, 1, visit=5), moved(7, "won"))

    def export(day: str) -> list[ElementTree.Element]:
        content = shop.send("1c/exportorders", **{"from": day, "to": day}).content
        assert content[:2] == b"\xff\xfe"
        return list(ElementTree.fromstring(content.decode("utf-16")))  # noqa: S314 - our own emulator

    (made,), (changed,) = export("2026.03.03"), export("2026.03.05")
    assert made.attrib == changed.attrib
    assert (made.attrib["PaymentDate"], made.attrib["ModifiedDate"]) == ("2026-03-05 02:30:00",) * 2
    customer = made.find("Customers/Customer")
    assert customer is not None
    assert customer.attrib["YandexClientID"] == "1700000000000000001"
    assert export("2026.03.04") == []
    shop.stage.switch(exchange=False)
    assert shop.send("1c/exportorders").text == "error saas plan"


def test_a_customers_email_is_always_overwritten(shop: Shop) -> None:
    shop.stage.happen(card(1, "p@som.ru"))
    (customer,) = shop.ask("customers")["customers"]
    shop.ask(f"customers/{customer['id']}", {"managerId": 18})
    emptied = shop.ask(f"customers/{customer['id']}")
    assert (emptied["managerId"], emptied["email"], emptied["firstName"]) == (18, "", "Пётр")
    assert shop.ask("customers/nobody")["errors"] == "Покупатель не найден"
    assert shop.ask("customers/add", {"email": "x"})["errors"] == "Не валидный email"
    made = shop.ask("customers/add", {"email": "new@x.ru", "phone": 79160000001})
    assert made["errors"] == "Пользователь с таким телефоном уже существует"
    assert shop.ask("leads/add", {"Title": "x"})["status"] == "error"
    assert shop.ask("leads/add", {"firstName": "x"}) == {"leadId": 1, "status": "ok", "errors": "", "warnings": ""}
