"""The emulated Aspro.Cloud portal, asked over HTTP: each habit of the real one that a connector must survive."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

import httpx
import pytest

from sandbox.vendors.aspro_cloud import VENDOR
from sandbox.world.happenings import Called, CardEdited, CardMade, DealMoved, DealOpened
from tests.sandbox.conftest import Stage

BEGIN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
UTM = {"utm_source": "yandex", "utm_campaign": "brand|101234567"}


def at(minutes: int) -> datetime:
    return BEGIN + timedelta(minutes=minutes)


def card(number: int, phone: str = "+7 (916) 000-00-01", firm: int | None = None) -> CardMade:
    return CardMade(
        seq=number,
        at=at(number),
        card=number,
        crm="aspro_cloud",
        person=number,
        typed_name="Пётр Иванов",
        first_name="Пётр",
        last_name="Иванов",
        phones=(phone,),
        emails=(f"client{number}@example.com",),
        firm=firm,
        manager=13,
        utm=UTM,
    )


def deal(number: int, of_card: int) -> DealOpened:
    return DealOpened(
        seq=number,
        at=at(100),
        deal=number,
        crm="aspro_cloud",
        card=of_card,
        person=of_card,
        title=f"Сделка {number}",
        amount=Decimal("1000.50"),
        manager=13,
        utm=UTM,
        from_lead=False,
        visit=None,
        ad_campaign=None,
    )


def moved(number: int, stage: int | Literal["won", "lost"], reason: str | None = None) -> DealMoved:
    return DealMoved(
        seq=900 + number,
        at=at(200),
        deal=number,
        crm="aspro_cloud",
        stage=stage,
        amount=Decimal(2000),
        lost_reason=reason,
    )


class Portal:
    """A client as bare as can be."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.key = stage.credentials["api_key"]

    def raw(self, method: str, path: str, form: dict[str, Any] | None = None, **query: Any) -> httpx.Response:
        address = f"{self.stage.base_url}/api/v1/module/{path}"
        return self.stage.http.request(method, address, params={"api_key": self.key} | query, data=form)

    def get(self, path: str, **query: Any) -> Any:
        answer = self.raw("GET", path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def items(self, path: str, **query: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(f"{path}/list", **query)["response"]["items"]
        return found

    def post(self, path: str, **form: Any) -> Any:
        return self.raw("POST", path, form).json()


@pytest.fixture
def portal(stage: Callable[..., Stage]) -> Portal:
    return Portal(stage(VENDOR))


def test_one_list_holds_people_and_organisations(portal: Portal) -> None:
    portal.stage.happen(card(1, firm=1), card(2, phone="8 916 0000002", firm=1))
    assert sorted(row["type"] for row in portal.items("crm/account")) == [1, 2, 2]
    (firm,) = portal.items("crm/account", **{"filter[type]": "1"})
    assert portal.items("crm/account", **{"filter[type_id]": "!2"}) == [firm]
    assert len(portal.items("crm/account", **{"filter[type_id]": "1,2"})) == 3
    assert portal.stage.person_of("account", firm["id"]) is None


def test_a_deal_on_its_way(portal: Portal) -> None:
    portal.stage.happen(card(1), deal(1, 1))
    (row,) = portal.items("crm/lead")
    assert (row["active"], row["budget"], row["contact_phone"]) == (1, 1000.5, "+7 (916) 000-00-01")
    assert (row["created_date"], row["closing_date"]) == ("2026-03-02 13:40:00", "0000-00-00 00:00:00")
    portal.stage.happen(moved(1, 3))
    (invoice,) = portal.items("fin/invoice")
    assert (invoice["model_id"], invoice["paid_date"]) == (row["id"], None)
    portal.stage.happen(moved(1, "won"))
    assert portal.get(f"crm/lead/get/{row['id']}")["response"]["active"] == 3
    assert portal.items("fin/invoice")[0]["paid_date"] == "2026-03-02"
    (payment,) = portal.items("fin/customer_payment")
    assert (payment["status"], payment["total"], payment["currency_id"]) == (10, 2000, 1)
    assert len(portal.items("fin/act")) == 1


def test_a_lost_deal_names_its_reason_by_number(portal: Portal) -> None:
    portal.stage.happen(card(1), deal(1, 1), moved(1, "lost", "Передумал"))
    (row,) = portal.items("crm/lead")
    (reason,) = (each for each in portal.items("crm/loss_reason") if each["id"] == row["closing_status_id"])
    assert (row["active"], reason["name"]) == (2, "Передумал")
    assert portal.items("fin/customer_payment") == []


def test_an_edit_and_a_missed_call(portal: Portal) -> None:
    edited = CardEdited(
        seq=5, at=at(50), card=1, crm="aspro_cloud", phones=("1",), emails=(), first_name="Пётр", last_name="Белов"
    )
    call = Called(
        seq=6, at=at(60), call=1, person=1, from_phone="+79160000001", to_phone="+74956019003", tracked=False,
        visit=None, answered=False, wait_seconds=9, talk_seconds=0, crm="aspro_cloud", manager=13,
    )  # fmt: skip
    portal.stage.happen(card(1), edited, call)
    (row,) = portal.items("crm/account")
    assert (row["phone"], row["email"], row["last_name"]) == ("1", None, "Белов")
    assert row["updated_date"] == "2026-03-02 12:50:00"
    (task,) = portal.items("task/tasks")
    assert (task["status"], task["deadline"]) == (1, "2026-03-02 15:00:00")


def test_a_page_holds_a_hundred_and_total_counts_everything(portal: Portal) -> None:
    portal.stage.happen(*(card(number) for number in range(1, 131)))
    told = portal.get("crm/account/list", limit=500, search="client13")["response"]
    assert (told["total"], told["total_result"], told["count"]) == (130, 2, 2)
    assert len(portal.items("crm/account")) == 50
    assert len(portal.items("crm/account", limit=500)) == 100
    assert len(portal.items("crm/account", limit=100, page=2)) == 30
    assert portal.items("crm/account", limit=100, page=3) == []
    portal.stage.switch(totals=False)
    assert "total" not in portal.get("crm/account/list")["response"]


def test_filters_in_json(portal: Portal) -> None:
    portal.stage.happen(card(1), card(24 * 60), deal(1, 1), deal(2, 1))
    since = json.dumps({"start_date": "2026-03-03"})
    assert len(portal.items("crm/account", **{"filter[updated_date]": since})) == 1
    until = json.dumps({"end_date": "2026-03-02"})
    assert len(portal.items("crm/account", **{"filter[created_date]": until})) == 1
    assert len(portal.items("crm/lead", **{"filter[budget]": '{"type":"more","value":1000}'})) == 2
    assert portal.items("crm/lead", **{"filter[budget]": '{"type":"range","start_value":1,"end_value":9}'}) == []
    portal.stage.switch(date_filter=False)
    assert len(portal.items("crm/account", **{"filter[updated_date]": since})) == 2


def test_search_compares_letters(portal: Portal) -> None:
    portal.stage.happen(card(1))
    assert portal.items("crm/account", search="79160000001") == []
    assert len(portal.items("crm/account", search="00-01")) == 1


def test_errors_come_with_200(portal: Portal) -> None:
    missing = portal.raw("GET", "crm/lead/get/77")
    assert (missing.status_code, missing.json()["error"]["error_code"]) == (200, 20)
    assert portal.raw("GET", "crm/nothing/list").json()["error"]["error_code"] == 20
    invalid = portal.post("crm/account/create", name="")
    assert (invalid["error"], list(invalid["details"])) == ("validation", ["name"])
    portal.key = "wrong"
    assert portal.raw("GET", "crm/lead/list").json()["error"]["error_code"] == 11
    portal.stage.switch(errors_in_200=False)
    assert portal.raw("GET", "crm/lead/list").status_code == 401


def test_a_body_in_json_is_no_body(portal: Portal) -> None:
    address = f"{portal.stage.base_url}/api/v1/module/crm/account/create"
    answer = portal.stage.http.post(address, params={"api_key": portal.key}, json={"name": "Пётр"})
    assert answer.json()["error"] == "validation"


def test_creating_twice_makes_two_and_deletion_is_a_get(portal: Portal) -> None:
    made = [portal.post("crm/account/create", name="Пётр", type=2, ref="x:1")["response"]["id"] for _ in range(2)]
    assert made == [1, 2]
    assert len(portal.items("crm/account", **{"filter[ref]": "x:1"})) == 2
    changed = portal.post("crm/account/update/1", phone="1", ref_id="77")["response"]
    assert (changed["name"], changed["phone"], changed["type"], changed["ref_id"]) == ("Пётр", "1", 2, "77")
    assert portal.get("crm/account/delete/1") == {"response": {"id": "1"}}
    assert portal.get("crm/account/delete/1")["error"]["error_code"] == 20


def test_ids_may_come_as_texts(portal: Portal) -> None:
    portal.stage.happen(card(1))
    portal.stage.switch(text_ids=True)
    assert portal.items("crm/account", fields="id,name")[0] == {"id": "1", "name": "Пётр Иванов"}


def test_one_request_a_second_and_no_such_company(stage: Callable[..., Stage]) -> None:
    portal = Portal(stage(VENDOR, limits=1.0))
    assert portal.raw("GET", "core/user/get").json()["response"]["name"] == "Администратор Портала"
    assert portal.raw("GET", "core/user/get").status_code == 429
    lost = portal.stage.http.get(f"{portal.stage.base_url}/somewhere", follow_redirects=False)
    assert (lost.status_code, lost.headers["location"]) == (302, "https://aspro.cloud/")


def test_a_hook_tells_what_was_and_what_is(portal: Portal) -> None:
    portal.stage.world.serving = True
    portal.stage.switch(webhook="https://skvoz.example/in")
    portal.stage.happen(card(1))
    portal.post("crm/account/update/1", phone="1")
    portal.get("crm/account/delete/1")
    told = [json.loads(each.content) for each in portal.stage.world.webhooks]
    assert [each["meta"]["action"] for each in told] == ["create", "update", "delete"]
    assert (told[1]["previous"]["phone"], told[1]["current"]["phone"]) == ("+7 (916) 000-00-01", "1")
    assert (told[0]["previous"], told[2]["current"]) == (None, None)
