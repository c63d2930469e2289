"""Lists are read to their end; what changed is found by days, by the exchange with 1C, and by reading all."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from connectors.advantshop import CONNECTOR
from connectors.advantshop.settings import AdvantshopSettings
from connectors.contract import Delivery, Page, RawRecord, Start, VendorRequest, VendorResponse
from connectors.errors import BadRecord, VendorChanged
from tests.connectors.advantshop.conftest import sample

NOW = datetime(2026, 3, 20, 8, 0, tzinfo=UTC)
SINCE = datetime(2026, 3, 1, tzinfo=UTC)
ORDERS, CUSTOMERS = CONNECTOR.stream("orders"), CONNECTOR.stream("customers")


def start(cursor: dict[str, Any] | None = None, now: datetime = NOW, since: datetime = SINCE) -> Start:
    return Start(cursor, now, since, UUID(int=1))


def answer(body: Any) -> VendorResponse:
    return VendorResponse(200, httpx.Headers(), json.dumps(body).encode())


class Shop:
    """Orders by id, each with the day on which it was made and the day of its last change."""

    def __init__(self, orders: dict[int, tuple[date, date]]) -> None:
        self.orders = orders
        self.asked: list[VendorRequest] = []

    def answer(self, request: VendorRequest) -> VendorResponse:
        self.asked.append(request)
        if request.path == "/order/getlist":
            told = request.json
            first, last = (date.fromisoformat(told[name][:10]) for name in ("DateFrom", "DateTo"))
            ids = sorted(id for id, (made, _) in self.orders.items() if first <= made <= last)
            page = ids[(told["Page"] - 1) * told["ItemsPerPage"] :][: told["ItemsPerPage"]]
            listed = [{"Id": id} for id in page] or None  # a page past the end has no list at all
            return answer({"result": True, "obj": {"DataItems": listed, "TotalPageCount": -(-len(ids) // 50)}})
        if request.path == "/1c/exportorders":
            first, last = (
                datetime.strptime(str(request.query[name]), "%Y.%m.%d").date()  # noqa: DTZ007
                for name in ("from", "to")
            )
            found = [id for id, days in self.orders.items() if any(first <= day <= last for day in days)]
            rows = "".join(f'<Order OrderID="{id}" ModifiedDate="2026-03-19 10:00:00"/>' for id in found)
            return VendorResponse(200, httpx.Headers(), f"<Orders>{rows}</Orders>".encode("utf-16"))
        id_ = int(request.path.rpartition("/")[2])
        if id_ not in self.orders:
            return answer({"result": False, "errors": ["Заказ не найден"]})
        return answer({"result": True, "obj": {"Id": id_}})


def drive(settings: AdvantshopSettings, shop: Shop, begin: Start) -> tuple[list[RawRecord], list[Page], bool]:
    position = ORDERS.start(settings, begin)
    assert position is not None
    assert ORDERS.whole is not None
    whole = ORDERS.whole(position)
    records: list[RawRecord] = []
    pages: list[Page] = []
    while position is not None:
        assert len(pages) < 100, "reading doesn't end"
        position = json.loads(json.dumps(position))
        page = ORDERS.read(settings, position, shop.answer(ORDERS.request(settings, position)))
        records += page.records
        pages.append(page)
        position = page.next
    return records, pages, whole


def march(day: int) -> date:
    return date(2026, 3, day)


@pytest.mark.parametrize("number", [0, 1, 50, 51, 101])
def test_every_page_of_every_window_is_read(settings: AdvantshopSettings, number: int) -> None:
    shop = Shop({id: (march(2 + id % 18), march(19)) for id in range(1, number + 1)})
    shop.orders |= {1000 + id: (march(5), march(5)) for id in range(number)}
    records, pages, whole = drive(settings, shop, start())
    assert sorted(int(each.external_id) for each in records) == sorted(shop.orders)
    assert whole
    assert pages[-1].cursor == {"read_to": "2026-03-20", "since": "2026-03-01", "whole_at": NOW.isoformat()}
    done = [page.done for page in pages if page.done is not None]
    assert done == sorted(done)
    assert all(request.json["LoadItems"] for request in shop.asked)


def test_a_run_that_was_cut_off_is_no_reading_of_all(settings: AdvantshopSettings) -> None:
    _, pages, _ = drive(settings, Shop({1: (march(2), march(2))}), start())
    assert "whole_at" not in (pages[0].cursor or {})


def test_later_runs_read_the_last_days_and_now_and_then_all(settings: AdvantshopSettings) -> None:
    settings = settings.model_copy(update={"reread_days": 3})
    shop = Shop({1: (march(2), march(19)), 2: (march(18), march(19))})
    _, pages, _ = drive(settings, shop, start())
    cursor = pages[-1].cursor
    records, pages, whole = drive(settings, shop, start(cursor, NOW + timedelta(hours=1)))
    assert ([each.external_id for each in records], whole) == (["2"], False)
    later = start(cursor, NOW + timedelta(days=7))
    assert drive(settings, shop, later)[2]
    # A later first day leaves out nothing that was read: it would count as deleted.
    narrowed = start(pages[-1].cursor, NOW + timedelta(days=8), since=datetime(2026, 3, 10, tzinfo=UTC))
    records, pages, whole = drive(settings, shop, narrowed)
    assert whole
    assert {each.external_id for each in records} == {"1", "2"}
    assert pages[-1].cursor is not None
    assert pages[-1].cursor["since"] == "2026-03-01"


def test_the_exchange_finds_what_changed_whenever_it_was_made(settings: AdvantshopSettings) -> None:
    settings = settings.model_copy(update={"exchange": True})
    shop = Shop({1: (march(2), march(2)), 2: (march(3), march(19)), 3: (march(20), march(20))})
    records, pages, _ = drive(settings, shop, start())
    assert sorted(each.external_id for each in records) == ["1", "2", "3"]  # each once, on its own day
    shop.asked.clear()
    records, _, whole = drive(settings, shop, start(pages[-1].cursor, NOW + timedelta(hours=1)))
    assert not whole
    assert sorted(each.external_id for each in records) == ["2", "3"]
    assert [request.path for request in shop.asked] == ["/1c/exportorders", "/order/getlist", "/order/get/2"]
    assert all(json.loads(each.body)["SkvozExchange"]["changed_at"] for each in records)


def test_one_order_and_one_customer_are_fetched_or_found_absent(settings: AdvantshopSettings) -> None:
    one = ORDERS.one
    assert one is not None
    assert one.request(settings, "1").path == "/order/get/1"
    found = one.read(settings, "1", VendorResponse(200, httpx.Headers(), sample("order_get.json")))
    assert found is not None
    assert json.loads(found.body)["Sum"] == 990
    assert one.read(settings, "9", answer({"result": False, "errors": ["Заказ не найден"]})) is None
    card = CUSTOMERS.one
    assert card is not None
    assert card.read(settings, "x", answer({"status": "error", "errors": "Покупатель не найден"})) is None
    with pytest.raises(VendorChanged):
        one.read(settings, "9", answer({"result": False, "errors": ["Что-то ещё"]}))


def test_customers_are_read_anew_where_the_list_drifted(settings: AdvantshopSettings) -> None:
    position = CUSTOMERS.start(settings, start())
    assert position is not None
    assert "registrationDateTimeFrom" not in CUSTOMERS.request(settings, position).query

    def page(rows: int, total: int) -> VendorResponse:
        pages = {"count": rows, "currentPage": 1, "totalCount": total, "totalPageCount": 2}
        return answer({"pagination": pages, "customers": [{"id": f"c{n}"} for n in range(rows)]})

    second = CUSTOMERS.read(settings, position, page(100, 130)).next
    assert second is not None
    again = CUSTOMERS.read(settings, second, page(29, 129))
    assert again.next is not None
    assert again.next["page"] == 1
    assert again.cursor is None
    second = CUSTOMERS.read(settings, again.next, page(100, 129)).next
    assert second is not None
    end = CUSTOMERS.read(settings, second, page(29, 129))
    assert (end.next, end.done) == (None, 1.0)
    later = CUSTOMERS.start(settings, start(end.cursor, NOW + timedelta(hours=1)))
    assert later is not None
    assert not later["whole"]
    assert CUSTOMERS.request(settings, later).query["registrationDateTimeFrom"] == "2026-03-19T12:00:00"


def test_webhooks_name_orders_and_the_customers_of_new_ones(settings: AdvantshopSettings) -> None:
    hooks = CONNECTOR.webhooks
    assert hooks is not None

    def read(content: bytes) -> list[tuple[str, str]]:
        return [
            (each.stream, each.external_id) for each in hooks.read(settings, Delivery(content, httpx.Headers()))
        ]

    for line in sample("synthetic_webhooks.jsonl").splitlines():
        assert read(json.dumps(json.loads(line)["body"]).encode()) == [("orders", "1")]
    made = json.dumps(json.loads(sample("order_get.json"))["obj"]).encode()
    assert read(made) == [("orders", "1"), ("customers", "f1688306-fa99-4193-a102-a0e6d9977ef2")]
    for wrong in (b"", b"[]", b'{"Number": "1"}', b"Id=1"):
        with pytest.raises(BadRecord):
            read(wrong)
