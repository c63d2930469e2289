"""Two emulated 1C bases, asked over HTTP: each habit of the platform that a connector must survive."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest

from sandbox.vendors.onec import VENDOR
from sandbox.vendors.onec.names import PLAN
from sandbox.vendors.onec.store import key
from sandbox.world.happenings import Called, CardEdited, CardMade, Crm, DealMoved, DealOpened
from tests.sandbox.conftest import Stage

BEGIN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PARTNERS, DEALS, ORDERS = "Catalog_Партнеры", "Catalog_СделкиСКлиентами", "Document_ЗаказКлиента"
INVOICES, CALLS = "Document_СчетНаОплатуКлиенту", "Document_ТелефонныйЗвонок"
BANK, CASH = "Document_ПоступлениеБезналичныхДенежныхСредств", "Document_ПриходныйКассовыйОрдер"


def at(minutes: int) -> datetime:
    return BEGIN + timedelta(minutes=minutes)


def card(number: int, *, crm: Crm = "onec", firm: int | None = None) -> CardMade:
    return CardMade(
        seq=number,
        at=at(number),
        card=number,
        crm=crm,
        person=number,
        typed_name="Пётр Иванов",
        first_name="Пётр",
        last_name=f"Иванов {number}",
        phones=(f"+7 (916) 000-{number:04d}",),
        emails=(f"client{number}@example.com",),
        firm=firm,
        manager=20,
        utm={},
    )


def deal(number: int, of_card: int, crm: Crm = "onec") -> DealOpened:
    return DealOpened(
        seq=number,
        at=at(100),
        deal=number,
        crm=crm,
        card=of_card,
        person=of_card,
        title=f"Сделка {number}",
        amount=Decimal("1000.50"),
        manager=20,
        utm={"utm_source": "yandex"},
        from_lead=True,
        visit=None,
        ad_campaign=None,
    )


def moved(number: int, stage: int | Literal["won", "lost"], crm: Crm = "onec") -> DealMoved:
    reason = "Дорого" if stage == "lost" else None
    return DealMoved(
        seq=900 + number, at=at(200), deal=number, crm=crm, stage=stage, amount=Decimal(2000), lost_reason=reason
    )


def called(number: int) -> Called:
    return Called(
        seq=number, at=at(number), call=number, person=1, from_phone="+79160000001", to_phone="+73436019005",
        tracked=False, visit=None, answered=True, wait_seconds=5, talk_seconds=61, crm="onec", manager=20,
    )  # fmt: skip


class Base:
    """A client as bare as can be."""

    def __init__(self, stage: Stage, base: str = "ut11") -> None:
        self.stage = stage
        self.url = f"{stage.base_url}/{base}/odata/standard.odata"
        given = stage.credentials
        self.auth: httpx.Auth | None = httpx.BasicAuth(given["login"].encode(), given["password"])

    def raw(self, method: str, path: str, body: Any = None, headers: Any = None, **options: str) -> httpx.Response:
        query = "&".join(f"{quote(name, safe='$')}={quote(value)}" for name, value in options.items())
        address = f"{self.url}/{path}" + (f"?{query}" if query else "")
        return self.stage.http.request(method, address, json=body, headers=headers, auth=self.auth)

    def rows(self, name: str, where: str = "", **options: str) -> list[dict[str, Any]]:
        asked = {f"${each}": value for each, value in options.items()} | ({"$filter": where} if where else {})
        answer = self.raw("GET", name, **asked)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["value"]
        return found

    def refused(self, name: str, **options: str) -> tuple[int, str]:
        answer = self.raw("GET", name, **options)
        return answer.status_code, answer.json()["odata.error"]["code"]


@pytest.fixture
def base(stage: Callable[..., Stage]) -> Base:
    return Base(stage(VENDOR))


def test_a_deal_of_1c_becomes_an_order_an_invoice_and_a_payment(base: Base) -> None:
    base.stage.happen(card(1, firm=1), deal(1, 1), moved(1, 3))
    (order,) = base.rows(ORDERS)
    assert (order["Статус"], order["Сделка_Key"], order["СуммаДокумента"]) == ("КОбеспечению", key("deal", 1), 2000)
    assert order["Товары"][0]["LineNumber"] == "1"  # 64 bits are a text
    assert base.rows(BANK) == []
    base.stage.happen(moved(1, "won"))
    (sold,) = base.rows(DEALS)
    assert (sold["Статус"], sold["Закрыта"], sold["ДатаОкончания"]) == ("Выиграна", True, "2026-03-02T15:20:00")
    assert base.rows(ORDERS)[0]["Статус"] == "Закрыт"
    (invoice,), (payment,) = base.rows(INVOICES), base.rows(BANK)
    assert invoice["ДокументОснование_Type"] == f"StandardODATA.{ORDERS}"
    assert payment["РасшифровкаПлатежа"][0]["ОснованиеПлатежа"] == invoice["Ref_Key"]
    (legal,) = base.rows("Catalog_Контрагенты")
    (partner,) = base.rows(PARTNERS)
    assert (len(legal["ИНН"]), legal["Партнер_Key"], partner["ЮрФизЛицо"]) == (10, partner["Ref_Key"], "Компания")


def test_the_books_hold_what_other_branches_sold_and_no_deal_of_theirs(base: Base) -> None:
    base.stage.happen(card(1, crm="bitrix24"), deal(1, 1, "bitrix24"), card(2, crm="amocrm"), deal(7, 2, "amocrm"))
    assert base.rows(PARTNERS) == []
    base.stage.happen(moved(1, "won", "bitrix24"), moved(7, "won", "amocrm"))
    assert len(base.rows(PARTNERS)) == 2
    assert (len(base.rows(DEALS)), len(base.rows(INVOICES)), len(base.rows(BANK)), len(base.rows(CASH))) == (
        0,
        2,
        1,
        1,
    )
    (partner,) = base.rows(PARTNERS, "КонтактнаяИнформация/any(d: endswith(d/НомерТелефона,'9160000001'))")
    assert base.stage.person_of("partner", partner["Ref_Key"]) == 1


def test_crm_beside_it_has_other_names(base: Base) -> None:
    crm = Base(base.stage, "crm3")
    base.stage.happen(card(1), deal(1, 1), moved(1, 1), moved(1, "lost"), called(5))
    (interest,) = crm.rows("Document_CRM_Интерес")
    assert (interest["Завершен"], interest["ПричинаОтказа_Key"]) == (True, key("reason", "Дорого"))
    (request,) = crm.rows("Document_CRM_Заявка")
    assert (request["UTMМетка"], interest["ДокументОснование"]) == ("utm_source=yandex", request["Ref_Key"])
    select = "Ref_Key,ВидВзаимодействия____Presentation"
    (event,) = crm.rows("Document_CRM_Взаимодействие", select=select)
    assert event["ВидВзаимодействия____Presentation"] == "Встреча с клиентом"
    assert len(crm.rows(CALLS)) == len(base.rows(CALLS)) == 1
    assert crm.refused(DEALS) == (404, "8")


def test_an_edit_changes_the_version(base: Base) -> None:
    base.stage.happen(card(1))
    (before,) = base.rows(PARTNERS)
    edited = CardEdited(
        seq=5, at=at(50), card=1, crm="onec", phones=("1",), emails=(), first_name="Пётр", last_name="Белов"
    )
    base.stage.happen(edited)
    (after,) = base.rows(PARTNERS)
    assert after["DataVersion"] != before["DataVersion"]
    assert (after["Description"], len(after["КонтактнаяИнформация"])) == ("Белов Пётр", 1)
    assert before["КонтактнаяИнформация"][0]["НомерТелефона"] == "79160000001"


def test_sign_in_and_what_is_published(base: Base) -> None:
    base.stage.switch(unpublished=ORDERS, forbidden=PARTNERS)
    assert base.refused(ORDERS) == (404, "8")
    assert base.refused(PARTNERS) == (401, "20")
    assert base.raw("GET", PARTNERS, allowedOnly="true").status_code == 200
    assert base.refused("Enum_Статусы") == (404, "8")
    assert b"<EntitySet" in base.raw("GET", "$metadata").content
    base.stage.switch(login_page=True)
    assert base.raw("GET", INVOICES).headers["content-type"].startswith("text/html")
    base.stage.switch(login_page=False)
    base.auth = None
    answer = base.raw("GET", PARTNERS)
    assert (answer.status_code, "Basic" in answer.headers["www-authenticate"]) == (401, True)


def test_there_is_no_paging_of_its_own(base: Base) -> None:
    base.stage.happen(*(card(number) for number in range(1, 121)))
    assert len(base.rows(PARTNERS)) == 120
    assert [row["Description"] for row in base.rows(PARTNERS, orderby="Ref_Key", top="2", skip="1")] == [
        "Иванов 10 Пётр",
        "Иванов 100 Пётр",
    ]
    answer = base.raw("GET", PARTNERS, **{"$inlinecount": "allpages", "$top": "5"}).json()
    assert (answer["odata.count"], len(answer["value"])) == ("120", 120)
    assert base.raw("GET", f"{PARTNERS}/$count").content == b"\xef\xbb\xbf120"
    assert base.refused(PARTNERS, **{"$expan": "x"}) == (400, "0")
    base.stage.switch(largest_page=50)
    assert base.refused(PARTNERS, **{"$top": "51"}) == (500, "-1")
    assert len(base.rows(PARTNERS, top="50")) == 50
    assert len(base.rows(PARTNERS, select="Ref_Key,DataVersion")) == 120


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("Description eq 'Иванов 1 Пётр' and Клиент eq true", 1),
        ("not (Description eq 'Иванов 1 Пётр') or ЮрФизЛицо eq 'Компания'", 2),
        ("startswith(Description,'Иванов') and endswith(Description,'Пётр')", 3),
        ("substringof('в 2', Description)", 1),
        ("like(Description,'%2 П%')", 1),
        ("КонтактнаяИнформация/any(d: d/АдресЭП eq 'client3@example.com')", 1),
        (
            "ДатаРегистрации ge datetime'2026-03-02T00:00:00' and ДатаРегистрации lt datetime'2026-03-03T00:00:00'",
            3,
        ),
        ("Комментарий eq 'O''Neil'", 0),
    ],
)
def test_filters(base: Base, where: str, found: int) -> None:
    base.stage.happen(card(1), card(2), card(3))
    assert len(base.rows(PARTNERS, where)) == found


@pytest.mark.parametrize(
    ("where", "refusal"),
    [
        ("Ref_Key gt guid'8d04ce3c-6360-11e9-dd92-fa163e8ba11d'", (500, "-1")),
        ("Нет eq 1", (400, "10")),
        ("length(Description) gt 1", (400, "21")),
        ("Description eq", (400, "14")),
        ("Description+eq+'x'", (400, "14")),
    ],
)
def test_filters_that_are_refused(base: Base, where: str, refusal: tuple[int, str]) -> None:
    base.stage.happen(card(1))
    assert base.refused(PARTNERS, **{"$filter": where}) == refusal


def test_a_plus_is_no_space(base: Base) -> None:
    base.stage.happen(card(1))
    address = f"{base.url}/{PARTNERS}?$filter=Description+eq+'x'"
    assert base.stage.http.get(address, auth=base.auth).status_code == 400


def test_a_composite_property_never_equals_a_bare_key(base: Base) -> None:
    base.stage.happen(card(1), deal(1, 1), moved(1, 3), moved(1, "won"))
    order = key("order", 1)
    assert base.rows(INVOICES, f"ДокументОснование eq guid'{order}'") == []
    assert len(base.rows(INVOICES, f"ДокументОснование eq cast(guid'{order}','{ORDERS}')")) == 1


def test_presentations_and_what_is_empty(base: Base) -> None:
    base.stage.happen(card(1), deal(1, 1), moved(1, "won"))
    (shown,) = base.rows(INVOICES, select="Number,Валюта____Presentation,Договор_Key")
    assert shown == {
        "Number": "СЧ-00000001",
        "Валюта____Presentation": "RUB",
        "Договор_Key": "00000000-0000-0000-0000-000000000000",
    }
    (row,) = base.rows(DEALS)
    assert (row["ВероятностьУспешногоЗавершения"], row["Комментарий"]) == (0, "")
    assert base.rows(CALLS) == []
    assert base.refused(DEALS, **{"$select": "Нет"}) == (400, "10")


def test_writing(base: Base) -> None:
    made = base.raw(
        "POST", PARTNERS, {"Description": "Новый", "Опечатка": 1, "КонтактнаяИнформация": [{"Тип": "Факс"}]}
    )
    assert made.status_code == 201
    row = made.json()
    assert "Опечатка" not in row  # ignored without a word
    assert row["КонтактнаяИнформация"][0]["LineNumber"] == "1"
    one = f"{PARTNERS}(guid'{row['Ref_Key']}')"
    stale = base.raw("PATCH", one, {"Description": "Старый"}, {"If-Match": "AAAACQAAAAA="})
    assert stale.status_code == 412
    fresh = base.raw("PATCH", one, {"КонтактнаяИнформация": []}, {"If-Match": row["DataVersion"]}).json()
    assert (fresh["Description"], fresh["КонтактнаяИнформация"]) == ("Новый", [])  # a section is replaced whole
    base.stage.switch(patch=False)
    assert base.raw("PATCH", one, {"Description": "x"}).status_code == 405
    assert base.raw("DELETE", one).status_code == 204
    assert base.raw("GET", one).json()["odata.error"]["code"] == "9"
    assert base.raw("GET", f"{PARTNERS}(guid'{uuid4()}')").status_code == 404


def test_posting(base: Base) -> None:
    base.stage.happen(card(1), deal(1, 1), moved(1, "won"), called(5))
    invoice = f"{INVOICES}(guid'{key('invoice', 1)}')"
    assert base.raw("POST", f"{invoice}/Unpost").status_code == 200
    assert base.raw("GET", invoice).json()["Posted"] is False
    refused = base.raw("POST", f"{CALLS}(guid'{key('call', 5)}')/Post")
    assert (refused.status_code, refused.json()["odata.error"]["code"]) == (500, "-1")
    assert base.raw("POST", f"{invoice}/Start").json()["odata.error"]["code"] == "6"


def test_an_exchange_plan_tells_what_changed_until_it_is_confirmed(base: Base) -> None:
    base.stage.happen(card(1))
    nodes = {node["Code"].strip(): node for node in base.rows(PLAN)}
    assert nodes["00"]["ThisNode"]
    point = {"DataExchangePoint": f"'{base.url}/{PLAN}(guid'{nodes['SK']['Ref_Key']}')'"}
    first = base.raw("POST", "SelectChanges", **point, MessageNo="1")
    assert quote(PARTNERS) in quote(first.text)
    base.stage.happen(card(2))
    deleted = key("partner-card", 1)
    base.raw("DELETE", f"{PARTNERS}(guid'{deleted}')")
    again = base.raw("POST", "SelectChanges", **point, MessageNo="1").text
    assert key("partner-card", 2) in again  # not that packet again, but all since then
    assert f"<at:deleted-entry ref=\"{base.url}/{PARTNERS}(guid'{deleted}')\"/>" in again
    assert base.raw("POST", "NotifyChangesReceived", **point, MessageNo="1").status_code == 200
    assert "<entry>" not in base.raw("POST", "SelectChanges", **point, MessageNo="2").text
    assert {node["Code"].strip(): node["ReceivedNo"] for node in base.rows(PLAN)}["SK"] == "1"
    itself = {"DataExchangePoint": f"'{base.url}/{PLAN}(guid'{nodes['00']['Ref_Key']}')'"}
    assert base.raw("POST", "SelectChanges", **itself, MessageNo="1").status_code == 404
    assert base.raw("POST", "SelectChanges").json()["odata.error"]["code"] == "12"


def test_numbers_may_be_filled_up_with_spaces(base: Base) -> None:
    base.stage.switch(padded_numbers=True)
    base.stage.happen(card(1), deal(1, 1), moved(1, "won"))
    assert base.rows(INVOICES)[0]["Number"] == "СЧ-00000001    "
