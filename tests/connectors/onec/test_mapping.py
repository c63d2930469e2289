"""Rows of 1C, made from the configurations' own names, and what becomes of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.contract import Skip
from connectors.errors import BadRecord
from connectors.onec import CONNECTOR
from connectors.onec.settings import OneCSettings
from schema.enums import DealStatus, Direction, MessageChannel, OrderState, PaymentKind
from schema.records import CallRecord, CompanyRecord, ContactRecord, MessageRecord
from tests.connectors.onec.conftest import GIVEN, body

A, B, C = (f"00000000-0000-0000-0000-00000000000{number}" for number in "abc")
NOBODY = "00000000-0000-0000-0000-000000000000"


def mapped(settings: OneCSettings, stream: str, row: bytes) -> Any:
    return CONNECTOR.stream(stream).map(settings, row)


def one(settings: OneCSettings, stream: str, row: bytes) -> Any:
    (record,) = mapped(settings, stream, row)
    return record


def changed(row: bytes, **values: Any) -> bytes:
    return json.dumps(json.loads(row) | values).encode()


def test_a_partner_is_a_firm_or_a_person(settings: OneCSettings, row: Callable[[str], bytes]) -> None:
    firm = one(settings, "partners", row("synthetic_ut11_partner"))
    assert isinstance(firm, CompanyRecord)
    assert (firm.name, firm.phones, firm.emails) == (
        "Ромашка ООО",
        ("+7 (495) 123-45-67",),
        ("info@romashka.example",),
    )
    assert firm.created_at == datetime(2024, 2, 29, 21, tzinfo=UTC)  # Moscow's midnight
    person = one(settings, "partners", changed(row("synthetic_ut11_partner"), ЮрФизЛицо="ЧастноеЛицо"))
    assert isinstance(person, ContactRecord)
    marked = one(settings, "partners", changed(row("synthetic_ut11_partner"), DeletionMark=True))
    assert marked.deleted


@pytest.mark.parametrize(
    "values", [{"Клиент": False, "Поставщик": True, "Description": "x"}, {"IsFolder": True, "Description": "x"}]
)
def test_what_is_no_client_is_left_out(crm: OneCSettings, values: dict[str, Any]) -> None:
    assert isinstance(mapped(crm, "partners", body(**values)), Skip)


def test_the_tax_number_stands_at_the_counterparty(settings: OneCSettings, crm: OneCSettings) -> None:
    legal = one(settings, "counterparties", body(Description="Ромашка", ИНН="7701234567  ", ЮрФизЛицо="ЮрЛицо"))
    assert legal.tax_id == "7701234567"  # texts of fixed length are filled up with spaces
    assert isinstance(mapped(settings, "counterparties", body(ЮрФизЛицо="ФизЛицо")), Skip)
    assert one(crm, "partners", body(Description="x", ЮрФизЛицо="Компания", CRM_ИНН="77")).tax_id == "77"


def test_a_contact_person_belongs_to_the_owner(settings: OneCSettings) -> None:
    phone = {"Тип": "Телефон", "Представление": "8 (495) 123-45-67", "НомерТелефона": "84951234567"}
    fax = {"Тип": "Факс", "Представление": "", "НомерТелефона": "74950000000"}
    row = body(Description="Иван Петров", Owner_Key=A, КонтактнаяИнформация=[phone, fax, phone])
    person = one(settings, "contacts", row)
    assert (person.company, person.phones) == (A, ("8 (495) 123-45-67", "74950000000"))
    assert one(settings, "contacts", body(Description="x", Owner_Key=NOBODY)).company is None


@pytest.mark.parametrize(
    ("status", "expected"),
    [("ВРаботе", DealStatus.OPEN), ("Выиграна", DealStatus.WON), ("Проиграна", DealStatus.LOST)],
)
def test_a_deal_of_trade(settings: OneCSettings, status: str, expected: DealStatus) -> None:
    tags = {"Свойство_Key": B, "Значение": "utm_source=yandex&utm_campaign=brand", "Значение_Type": "Edm.String"}
    row = body(
        Description="Уборка",
        Статус=status,
        ДатаНачала="2024-05-06T07:08:09",
        ДатаОкончания="2024-05-07T00:00:00" if status != "ВРаботе" else "0001-01-01T00:00:00",
        ПотенциальнаяСуммаПродажи=1500.10,
        Партнер_Key=A,
        ПричинаПроигрышаСделки_Key=C,
        ПричинаПроигрышаСделки____Presentation="Дорого",
        ДополнительныеРеквизиты=[tags],
    )
    deal = one(settings, "deals", row)
    assert (deal.status, deal.amount, deal.currency) == (expected, Decimal("1500.1"), "RUB")
    assert deal.created_at == datetime(2024, 5, 6, 4, 8, 9, tzinfo=UTC)
    assert (deal.closed_at is None) == (expected is DealStatus.OPEN)
    assert (deal.contact, deal.company) == (A, A)  # the deal doesn't say whether the partner is a firm
    assert deal.lost_reason == ("Дорого" if expected is DealStatus.LOST else None)
    assert (deal.traffic.utm_source, deal.custom) == ("yandex", {B: tags["Значение"]})


@pytest.mark.parametrize(
    ("finished", "reason", "expected"),
    [(False, NOBODY, DealStatus.OPEN), (True, NOBODY, DealStatus.WON), (True, C, DealStatus.LOST)],
)
def test_an_interest_of_crm(crm: OneCSettings, finished: bool, reason: str, expected: DealStatus) -> None:
    row = body(
        Date="2024-05-06T10:00:00", Тема="Уборка", Завершен=finished, ПричинаОтказа_Key=reason, ОжидаемаяВыручка=10,
        Партнер_Key=A, КонтактноеЛицо_Key=B, ДокументОснование=C,
        ДокументОснование_Type="StandardODATA.Document_CRM_Заявка",
    )  # fmt: skip
    deal = one(crm, "deals", row)
    assert (deal.status, deal.contact, deal.company, deal.lead) == (expected, B, A, C)


def test_a_status_that_is_not_known_is_set_aside(settings: OneCSettings) -> None:
    with pytest.raises(BadRecord, match="Отложена"):
        mapped(settings, "deals", body(ДатаНачала="2024-05-06T07:08:09", Статус="Отложена"))
    with pytest.raises(BadRecord, match="began"):
        mapped(settings, "deals", body(Статус="ВРаботе"))


def test_a_request_with_its_tags(crm: OneCSettings) -> None:
    row = body(
        Date="2024-05-06T10:00:00", Тема="Заявка", Наименование="Иван", Телефон="8 999 1234567",
        ЭлектроннаяПочта="", UTMМетка="utm_source=vk", Контакт="", Контакт_Type="StandardODATA.Undefined",
    )  # fmt: skip
    lead = one(crm, "leads", row)
    assert (lead.name, lead.phones, lead.emails, lead.contact) == ("Иван", ("8 999 1234567",), (), None)
    assert lead.traffic.utm_source == "vk"


ORDER: dict[str, Any] = {
    "Date": "2024-05-06T10:00:00", "Number": "00ЦБ-000042   ", "Posted": True, "СуммаДокумента": 12500.5,
    "Валюта_Key": B, "Валюта____Presentation": "RUB", "Партнер_Key": A, "КонтактноеЛицо_Key": NOBODY,
    "Сделка_Key": C, "Статус": "КОтгрузке",
    "Товары": [
        {"LineNumber": "1", "Номенклатура_Key": A, "Содержание": "Уборка", "Количество": 2, "Цена": 6250.25,
         "СуммаСНДС": 12500.5, "Отменено": False},
        {"LineNumber": "2", "Номенклатура_Key": B, "Количество": 1, "Цена": 1, "Сумма": 1, "Отменено": True},
    ],
}  # fmt: skip


def test_an_order_with_its_lines(settings: OneCSettings) -> None:
    order = one(settings, "orders", body(**ORDER))
    assert (order.number, order.amount, order.state, order.deal) == (
        "00ЦБ-000042",
        Decimal("12500.5"),
        OrderState.OPEN,
        C,
    )
    (line,) = order.items
    assert (line.name, line.sku, line.quantity, line.amount) == ("Уборка", A, Decimal(2), Decimal("12500.5"))
    assert one(settings, "orders", body(**ORDER | {"Статус": "Закрыт"})).state is OrderState.DONE
    called_off = [line | {"Отменено": True} for line in ORDER["Товары"]]
    assert one(settings, "orders", body(**ORDER | {"Товары": called_off})).state is OrderState.CANCELLED


@pytest.mark.parametrize(("told", "code"), [("руб.", "RUB"), ("USD", "USD"), ("", "RUB")])
def test_a_currency_is_known_by_its_presentation(settings: OneCSettings, told: str, code: str) -> None:
    assert one(settings, "orders", body(**ORDER | {"Валюта____Presentation": told})).currency == code


def test_another_name_of_a_currency_sets_the_record_aside(settings: OneCSettings) -> None:
    with pytest.raises(BadRecord, match="is no ISO code"):
        mapped(settings, "orders", body(**ORDER | {"Валюта____Presentation": "усл.ед"}))


def test_an_invoice_says_what_it_is_based_on(settings: OneCSettings, crm: OneCSettings) -> None:
    base = {"ДокументОснование": C, "ДокументОснование_Type": "StandardODATA.Document_ЗаказКлиента"}
    stages = [{"ДатаПлатежа": "2024-05-09T00:00:00"}, {"ДатаПлатежа": "2024-05-12T00:00:00"}]
    common = {"Date": "2024-05-06T10:00:00", "СуммаДокумента": 100, "Партнер_Key": A}
    invoice = one(settings, "invoices", body(**common, **base, ЭтапыГрафикаОплаты=stages, Аннулирован=True))
    assert (invoice.order, invoice.deal, invoice.due_at, invoice.cancelled) == (C, None, date(2024, 5, 12), True)
    paid = [{"ДатаОплаты": "2024-05-08T12:00:00", "Сумма": 100}]
    interest = {"ДокументОснование": C, "ДокументОснование_Type": "StandardODATA.Document_CRM_Интерес"}
    told = one(crm, "invoices", body(**common, **interest, СуммаОплаты=100, Оплата=paid))
    assert (told.deal, told.paid_at) == (C, datetime(2024, 5, 8, 9, tzinfo=UTC))
    part = one(crm, "invoices", body(**common, **interest, СуммаОплаты=99, Оплата=paid))
    assert part.paid_at is None


def test_a_payment_for_each_line(settings: OneCSettings, row: Callable[[str], bytes]) -> None:
    sample = row("synthetic_ut11_payment")
    payment = one(settings, "bank_payments", sample)
    assert payment.external_id == "41aa6331-954f-11ee-814b-005056c00008:1"
    assert (payment.amount, payment.method, payment.number) == (Decimal("12500.5"), "bank", "00ЦБ-000017")
    assert payment.order == "c5a0384c-e9e4-11ee-4487-000c295e30eb"
    assert payment.kind is PaymentKind.PAYMENT
    assert one(settings, "bank_payments", changed(sample, Posted=False)).deleted
    assert isinstance(mapped(settings, "bank_payments", changed(sample, ХозяйственнаяОперация="СдачаВБанк")), Skip)


def test_a_settlement_of_crm_pays_its_invoice(crm: OneCSettings) -> None:
    lines = [{"LineNumber": "1", "Сумма": 70, "СчетНаОплату_Key": B}, {"LineNumber": "2", "Сумма": 30}]
    row = body(
        Date="2024-05-06T10:00:00", Posted=True, ВидДокумента="ПБДСРасчетыСКонтрагентами", Контрагент_Key=A,
        Заказ_Key=C, РасшифровкаПлатежа=lines,
    )  # fmt: skip
    first, second = mapped(crm, "bank_payments", row)
    assert (first.invoice, second.invoice, second.company) == (B, C, A)


CALL = {
    "Date": "2024-05-06T10:00:00", "Входящий": False, "АбонентКакСвязаться": "+7 999 123-45-67",
    "АбонентКонтакт": A, "АбонентКонтакт_Type": "StandardODATA.Catalog_КонтактныеЛицаПартнеров", "Тема": "Звонок",
}  # fmt: skip


def test_a_telephone_call(settings: OneCSettings) -> None:
    call = one(settings, "calls", body(**CALL))
    assert (call.direction, call.contact, call.company) == (Direction.OUTBOUND, A, None)
    assert (call.answered, call.talk_seconds) == (True, None)
    partner = body(**CALL | {"АбонентКонтакт_Type": "StandardODATA.Catalog_Партнеры"})
    assert (one(settings, "calls", partner).contact, one(settings, "calls", partner).company) == (None, A)


def test_an_add_ons_fields_are_named_by_overrides() -> None:
    named = OneCSettings(**GIVEN, overrides="calls.duration=сфпДлительностьЗвонка; calls.state=сфпСостояниеЗвонка")
    call = one(named, "calls", body(**CALL, сфпДлительностьЗвонка=61, сфпСостояниеЗвонка="Пропущенный"))
    assert (call.answered, call.talk_seconds) == (False, 61)
    assert "сфпДлительностьЗвонка" in named.names.roles["calls"].selected()


@pytest.mark.parametrize(
    ("kind", "made"),
    [
        ("Встреча с клиентом", MessageChannel.MEETING),
        ("Исходящее письмо", MessageChannel.EMAIL),
        ("СМС", MessageChannel.SMS),
    ],
)
def test_an_interaction_is_what_its_kind_is_called(crm: OneCSettings, kind: str, made: MessageChannel) -> None:
    row = body(Date="2024-05-06T10:00:00", ВидВзаимодействия_Key=A, ВидВзаимодействия____Presentation=kind)
    message = one(crm, "events", row)
    assert isinstance(message, MessageRecord)
    assert message.channel is made
    assert (message.direction is Direction.OUTBOUND) == kind.startswith("Исход")


def test_an_interaction_may_be_a_call_or_nothing_of_ours(crm: OneCSettings) -> None:
    row = body(Date="2024-05-06T10:00:00", ВидВзаимодействия_Key=A, Партнер_Key=B)
    assert isinstance(
        one(crm, "events", changed(row, ВидВзаимодействия____Presentation="Входящий звонок")), CallRecord
    )
    assert isinstance(mapped(crm, "events", changed(row, ВидВзаимодействия____Presentation="Дегустация")), Skip)


def test_times_are_the_servers() -> None:
    there = OneCSettings(**GIVEN | {"timezone": "Asia/Yekaterinburg"})
    assert one(there, "calls", body(**CALL)).started_at == datetime(2024, 5, 6, 5, tzinfo=UTC)
