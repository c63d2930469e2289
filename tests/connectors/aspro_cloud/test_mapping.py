"""Records made from the vendor's documented fields, and what becomes of them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.aspro_cloud import mapping
from connectors.aspro_cloud.settings import AsproCloudSettings
from connectors.contract import Skip
from connectors.errors import BadRecord
from schema.enums import DealStatus, InvoiceKind, PaymentKind
from schema.records import CompanyRecord, ContactRecord, DealRecord, LeadRecord, UserRecord

# The vendor's documented webhook holds the object as `get` gives it.
LEAD = {
    "id": 42, "name": "Заявка с сайта", "budget": 15000, "customer_id": 7, "contact_id": None,
    "contact_name": "Иван", "contact_phone": "+7 (999) 123-45-67", "contact_email": "ivan@example.com",
    "source_id": 3, "assignee_id": 2, "pipeline_id": 1, "pipeline_stage_id": 5, "active": 3,
    "start_date": "2024-05-01", "closing_date": "2024-05-06", "closing_status_id": None, "ref": "our-crm",
    "ref_id": 1001, "created_date": "2024-05-01 10:00:00", "updated_date": "2024-05-06 12:30:00",
    "cf_12": "utm_source=yandex&utm_campaign=brand",
}  # fmt: skip


def one(mapped: Any) -> Any:
    (record,) = mapped
    return record


def several(mapped: Any) -> list[Any]:
    return list(mapped)


def body(row: dict[str, Any], **changes: Any) -> bytes:
    return json.dumps(row | changes).encode()


def test_a_lead_is_a_deal_and_the_request_that_it_began_as(settings: AsproCloudSettings) -> None:
    lead, deal = several(mapping.lead(settings, body(LEAD)))
    assert isinstance(deal, DealRecord)
    assert (deal.status, deal.amount, deal.currency) == (DealStatus.WON, Decimal(15000), "RUB")
    assert deal.closed_at == datetime(2024, 5, 5, 21, tzinfo=UTC)  # Moscow's midnight
    assert (deal.contact, deal.company, deal.lead) == ("7", "7", "42")  # a customer may be either
    assert (deal.pipeline, deal.stage, deal.responsible) == ("1", "5", "2")
    assert deal.traffic is not None
    assert (deal.traffic.utm_source, deal.traffic.utm_campaign) == ("yandex", "brand")
    assert isinstance(lead, LeadRecord)
    assert (lead.phones, lead.emails, lead.contact) == (("+7 (999) 123-45-67",), ("ivan@example.com",), None)


@pytest.mark.parametrize(("active", "status"), [("1", DealStatus.OPEN), (2, DealStatus.LOST)])
def test_active_says_how_a_deal_stands(settings: AsproCloudSettings, active: Any, status: DealStatus) -> None:
    *_, deal = several(mapping.lead(settings, body(LEAD, active=active, closing_comment="Дорого")))
    assert isinstance(deal, DealRecord)
    assert deal.status is status
    assert deal.lost_reason == ("Дорого" if status is DealStatus.LOST else None)


def test_the_older_names_of_fields_are_read_too(settings: AsproCloudSettings) -> None:
    old = {"id": "42", "name": "x", "amount": "10.50", "company_id": 7, "manager_id": 3, "stage_id": 9, "active": 1}
    deal = one(mapping.lead(settings, body(old, created_date="2020-05-01 10:00:00")))
    assert (deal.amount, deal.company, deal.responsible, deal.stage) == (Decimal("10.50"), "7", "3", "9")


def test_a_merged_deal_is_gone(settings: AsproCloudSettings) -> None:
    assert all(record.deleted for record in several(mapping.lead(settings, body(LEAD, merged_to_id=43))))


@pytest.mark.parametrize("wrong", [{"active": 7}, {"created_date": None}, {"budget": "x"}])
def test_a_deal_that_makes_no_sense_is_set_aside(settings: AsproCloudSettings, wrong: dict[str, Any]) -> None:
    with pytest.raises(BadRecord):
        mapping.lead(settings, body(LEAD, **wrong))


def test_an_account_is_a_person_or_an_organisation(settings: AsproCloudSettings) -> None:
    card = {"id": "5", "name": "Иван Петров", "first_name": "Иван", "last_name": "Петров", "phone": "8 999 1234567",
            "phone2": "", "phone3": "8 999 1234567", "email": "i@example.com", "telegram": "@ivan", "owner_id": 2,
            "created_date": "2024-05-01 10:00:00", "VAT": "7701234567", "merged_to": 0}  # fmt: skip
    person = one(mapping.account(settings, body(card, type="2")))
    assert isinstance(person, ContactRecord)
    assert (person.phones, person.messengers, person.deleted) == (("8 999 1234567",), ("telegram:@ivan",), False)
    assert person.created_at == datetime(2024, 5, 1, 7, tzinfo=UTC)
    firm = one(mapping.account(settings, body(card, type=1, merged_to="6")))
    assert isinstance(firm, CompanyRecord)
    assert (firm.tax_id, firm.deleted) == ("7701234567", True)
    with pytest.raises(BadRecord, match="type 3"):
        mapping.account(settings, body(card, type=3))


def test_times_are_the_portals(settings: AsproCloudSettings) -> None:
    there = settings.model_copy(update={"timezone": "Asia/Yekaterinburg"})
    *_, deal = several(mapping.lead(there, body(LEAD)))
    assert deal.created_at == datetime(2024, 5, 1, 5, tzinfo=UTC)


def test_tags_stand_in_the_fields_that_the_settings_name(settings: AsproCloudSettings) -> None:
    named = settings.model_copy(update={"utm_fields": "utm_source=cf_3; utm_term = cf_4"})
    *_, deal = several(mapping.lead(named, body(LEAD, cf_3="vk", cf_4="")))
    assert isinstance(deal, DealRecord)
    assert deal.traffic is not None
    assert (deal.traffic.utm_source, deal.traffic.utm_campaign) == ("vk", None)


def test_a_custom_fields_value_wins_over_its_number(settings: AsproCloudSettings) -> None:
    *_, deal = several(mapping.lead(settings, body(LEAD, cf_9=4, cf_9_value="Опт", cf_10="0000-00-00")))
    assert deal.custom == {"cf_12": LEAD["cf_12"], "cf_9": "Опт", "source_id": "3"}


TASK = {"id": 1, "name": "Перезвонить", "type": 0, "status": 5, "created_date": "2024-05-01 10:00:00",
        "deadline": "2024-05-02 18:00:00", "closed_date": "0000-00-00 00:00:00",
        "updated_date": "2024-05-02 12:00:00", "responsible_id": 2, "module": "crm", "model": "lead",
        "model_id": 42}  # fmt: skip


def test_a_task_hangs_on_what_its_model_says(settings: AsproCloudSettings) -> None:
    done = one(mapping.task(settings, body(TASK)))
    assert (done.deal, done.contact, done.done_at) == ("42", None, datetime(2024, 5, 2, 9, tzinfo=UTC))
    on_card = one(mapping.task(settings, body(TASK, status=3, model="account", model_id=7)))
    assert (on_card.deal, on_card.contact, on_card.company, on_card.done_at) == (None, "7", "7", None)
    assert isinstance(mapping.task(settings, body(TASK, type=30)), Skip)


INVOICE = {"id": 8, "invoice_number": 42, "invoice_number_print": "СЧ-00042", "invoice_date": "2024-05-01",
           "due_date": "2024-05-06", "paid_date": None, "status_id": 10, "customer_id": 7, "currency_id": 1,
           "currency_code": "USD", "total": "1500.50", "module": "crm", "model": "lead",
           "model_id": 42}  # fmt: skip


def test_invoices_and_acts(settings: AsproCloudSettings) -> None:
    invoice = one(mapping.invoice(settings, body(INVOICE)))
    assert (invoice.kind, invoice.number, invoice.amount) == (InvoiceKind.INVOICE, "СЧ-00042", Decimal("1500.50"))
    assert (invoice.currency, invoice.due_at, invoice.deal) == ("USD", date(2024, 5, 6), "42")
    act = {"id": 3, "act_number": "АК-1", "act_date": "2024-05-07", "total": 10, "customer_id": 7}
    assert one(mapping.act(settings, body(act))).kind is InvoiceKind.ACT


PAYMENT = {"id": 5, "name": "Оплата", "total": 100, "currency_id": 10, "date": "2024-05-06", "status": 10,
           "crm_company_id": 7}  # fmt: skip


def test_only_money_that_came_is_a_payment(settings: AsproCloudSettings) -> None:
    paid = one(mapping.payment(settings, body(PAYMENT)))
    assert (paid.kind, paid.amount, paid.currency, paid.company) == (PaymentKind.PAYMENT, Decimal(100), "RUB", "7")
    assert one(mapping.payment(settings, body(PAYMENT, total="-5"))).kind is PaymentKind.REFUND
    assert isinstance(mapping.payment(settings, body(PAYMENT, status=1)), Skip)


def test_a_portals_number_of_a_currency_is_never_guessed(settings: AsproCloudSettings) -> None:
    several = settings.model_copy(update={"currency_ids": "1=RUB, 10=BYN"})
    assert one(mapping.payment(several, body(PAYMENT))).currency == "BYN"
    with pytest.raises(BadRecord, match="number 11"):
        mapping.payment(several, body(PAYMENT, currency_id=11))


def test_an_employee_without_a_name_has_a_login(settings: AsproCloudSettings) -> None:
    user = one(mapping.user(settings, body({"id": 2, "username": "anna@example.com", "active": 1})))
    assert user == UserRecord(external_id="2", name="anna@example.com", email="anna@example.com")
