"""What is sent to a base, and what its answers mean."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from connectors.contract import Command, VendorRequest, VendorResponse
from connectors.errors import NotPermitted, VendorChanged
from connectors.onec import CONNECTOR
from connectors.onec.settings import OneCSettings
from tests.connectors.onec.conftest import GIVEN

KIND, KEY = "22222222-6360-11e9-dd92-fa163e8ba11d", "8d04ce3c-6360-11e9-dd92-fa163e8ba11d"
WRITING = OneCSettings(
    **GIVEN,
    phone_kind=KIND,
    email_kind=KIND,
    defaults="partners.ГруппаДоступа_Key=1; deals.ВидСделки_Key=2",
)


def answer(body: Any, status: int = 200) -> VendorResponse:
    return VendorResponse(status, httpx.Headers(), json.dumps(body, ensure_ascii=False).encode())


def request(settings: OneCSettings, write: str, values: dict[str, Any], key: str | None = None) -> VendorRequest:
    return CONNECTOR.write(write).request(settings, Command("k1", values, key))


def test_a_partner_has_all_that_the_form_would_have_filled_in() -> None:
    made = request(WRITING, "partner.create", {"name": "Иван", "phones": ["+79991234567"], "emails": ["i@x.ru"]})
    assert (made.method, made.path) == ("POST", "/Catalog_Партнеры")
    body = made.json
    lines = body.pop("КонтактнаяИнформация")
    assert body.pop("ДатаРегистрации")
    assert body == {
        "Клиент": True,
        "ГруппаДоступа_Key": "1",
        "Description": "Иван",
        "НаименованиеПолное": "Иван",
        "ЮрФизЛицо": "ЧастноеЛицо",
        "Комментарий": "skvoz:k1",
    }
    phone, email = lines
    assert (phone["НомерТелефона"], phone["НомерТелефонаБезКодов"], phone["Вид_Key"]) == (
        "79991234567",
        "1234567",
        KIND,
    )
    assert json.loads(phone["Значение"])["areaCode"] == "999"
    assert (email["АдресЭП"], email["ДоменноеИмяСервера"], email["LineNumber"]) == ("i@x.ru", "x.ru", "2")


def test_phones_need_their_kind(settings: OneCSettings) -> None:
    with pytest.raises(NotPermitted, match="phone_kind"):
        request(settings, "partner.create", {"name": "Иван", "phones": ["+79991234567"]})


def test_our_key_keeps_a_comment_and_is_searched_with_like() -> None:
    made = request(WRITING, "partner.create", {"name": "Иван", "comment": "С сайта"})
    assert made.json["Комментарий"] == "С сайта\nskvoz:k1"
    lookup = CONNECTOR.write("partner.create").by_marker
    assert lookup is not None
    asked = lookup.request(WRITING, Command("k1", {}))
    assert asked is not None
    assert asked.query["$filter"] == "like(Комментарий,'%skvoz:k1%')"
    row = {"Ref_Key": KEY, "Description": "Иван", "Комментарий": "С сайта\nskvoz:k1", "DeletionMark": False}
    standing = lookup.found(WRITING, Command("k1", {}), answer({"value": [row | {"DeletionMark": True}, row]}))
    assert standing is not None
    assert (standing.external_id, standing.title, standing.values["comment"]) == (KEY, "Иван", "С сайта")
    assert lookup.found(WRITING, Command("k1", {}), answer({"value": []})) is None


def test_the_same_partner_is_sought_by_the_end_of_a_number() -> None:
    lookup = CONNECTOR.write("partner.create").by_match
    assert lookup is not None
    asked = lookup.request(WRITING, Command("k1", {"phones": ["+7 (999) 123-45-67"], "emails": ["I@x.ru"]}))
    assert asked is not None
    assert asked.query["$filter"] == (
        "КонтактнаяИнформация/any(d: endswith(d/НомерТелефона,'9991234567'))"
        " or КонтактнаяИнформация/any(d: d/АдресЭП eq 'I@x.ru')"
        " or КонтактнаяИнформация/any(d: d/АдресЭП eq 'i@x.ru')"
    )
    assert lookup.request(WRITING, Command("k1", {"name": "Иван"})) is None


def test_a_deal_of_trade_and_an_interest_of_crm() -> None:
    values = {"title": "Уборка", "partner": KEY, "amount": "1500.50", "status": "won"}
    trade = request(WRITING, "deal.create", values)
    assert trade.path == "/Catalog_СделкиСКлиентами"
    assert {name: trade.json[name] for name in ("Статус", "ВидСделки_Key", "ПотенциальнаяСуммаПродажи")} == {
        "Статус": "Выиграна",
        "ВидСделки_Key": "2",
        "ПотенциальнаяСуммаПродажи": 1500.5,
    }
    crm = request(OneCSettings(**GIVEN, profile="crm3"), "deal.create", values)
    assert crm.path == "/Document_CRM_Интерес"
    assert (crm.json["Тема"], crm.json["Завершен"], crm.json["Описание"]) == ("Уборка", True, "skvoz:k1")
    assert crm.json["Date"]


def test_only_what_changes_is_sent_at_the_servers_time() -> None:
    values = {"status": "lost", "closed": "2024-05-06T09:30:00+00:00", "responsible": None, "Своё_Поле": 5}
    changed = request(WRITING, "deal.update", values, KEY)
    assert (changed.method, changed.path) == ("PATCH", f"/Catalog_СделкиСКлиентами(guid'{KEY}')")
    assert changed.json == {
        "Статус": "Проиграна",
        "ДатаОкончания": "2024-05-06T12:30:00",
        "Ответственный_Key": "00000000-0000-0000-0000-000000000000",
        "Своё_Поле": 5,
    }
    read = CONNECTOR.write("deal.update").read
    assert read is not None
    command = Command("k1", values, KEY)
    asked = read.request(WRITING, command)
    assert asked is not None
    assert str(asked.query["$select"]).endswith(",Своё_Поле")
    row = {"Ref_Key": KEY, "Description": "x", "Статус": "Проиграна", "ДатаОкончания": "2024-05-06T12:30:00"}
    standing = read.found(WRITING, command, answer({"value": [row | {"Своё_Поле": 5}]}))
    assert standing is not None
    assert (standing.values["status"], standing.values["closed"], standing.values["Своё_Поле"]) == (
        "lost",
        "2024-05-06T12:30:00+03:00",
        5,
    )


def test_a_section_that_is_there_is_left_alone() -> None:
    with pytest.raises(NotPermitted, match="takes the section whole"):
        request(WRITING, "partner.update", {"phones": ["+79991234567"]}, KEY)


def test_a_call_and_an_event() -> None:
    call = request(WRITING, "call.create", {"phone": "+7", "direction": "outbound", "subject": "Звонок"})
    assert call.path == "/Document_ТелефонныйЗвонок"
    assert (call.json["Входящий"], call.json["АбонентКакСвязаться"]) == (False, "+7")
    with pytest.raises(NotPermitted, match="nothing to write events into"):
        request(WRITING, "event.create", {"subject": "Встреча"})
    crm = OneCSettings(**GIVEN, profile="crm3")
    event = request(crm, "event.create", {"subject": "Встреча", "kind": KIND, "text": "Обсудили"})
    assert (event.json["Содержание"], event.json["ВидВзаимодействия_Key"]) == ("Встреча", KIND)
    assert event.json["Результат"] == "Обсудили\nskvoz:k1"


def test_an_answer_without_a_key_is_no_success() -> None:
    write = CONNECTOR.write("deal.create")
    assert write.result(WRITING, Command("k1", {}), answer({"Ref_Key": KEY}, 201)) == KEY
    with pytest.raises(VendorChanged):
        write.result(WRITING, Command("k1", {}), answer({"value": []}))
