"""amoCRM's records become unified ones: on samples of the vendor and of a live account, and on odd values."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from connectors.amocrm import mapping
from connectors.amocrm.settings import AmoCrmSettings
from connectors.contract import Mapped, Skip
from connectors.errors import BadRecord
from schema.enums import DealStatus, Direction
from schema.records import (
    CallRecord,
    CompanyRecord,
    ContactRecord,
    DealRecord,
    StageChangeRecord,
    StageRecord,
    UserRecord,
)
from schema.traffic import Traffic

Sample = Callable[[str], Any]
LEAD = {"id": 7, "name": "Уборка", "created_at": 1700000000, "status_id": 55, "pipeline_id": 3}
NOTE = {
    "id": 9,
    "entity_id": 12,
    "note_type": "call_in",
    "created_at": 1700000000,
    "params": {"uniq": "u1", "duration": 60},
    "_links": {"self": {"href": "https://firm.amocrm.ru/api/v4/leads/12/notes/9"}},
}


def of(settings: AmoCrmSettings, map_: Callable[[AmoCrmSettings, bytes], Mapped], row: Any) -> Any:
    mapped = map_(settings, json.dumps(row).encode())
    assert not isinstance(mapped, Skip)
    (record,) = mapped
    return record


def field(value: Any, **kwargs: Any) -> dict[str, Any]:
    return {
        "field_id": 1,
        "field_name": "?",
        "field_code": None,
        "field_type": "text",
        "values": [{"value": value}],
    } | kwargs


def test_a_lost_lead_with_all_that_can_come_with_it(settings: AmoCrmSettings, sample: Sample) -> None:
    assert of(settings, mapping.deal, sample("lead_get_with_all.response")) == DealRecord(
        external_id="3912171",
        updated_at=datetime(2020, 5, 28, 16, 28, 57, tzinfo=UTC),
        title="Example",
        created_at=datetime(2020, 3, 27, 8, 52, 51, tzinfo=UTC),
        status=DealStatus.LOST,
        amount=Decimal(12),
        currency="RUB",
        closed_at=datetime(2020, 5, 28, 16, 28, 57, tzinfo=UTC),
        lost_reason="Пропала потребность",
        pipeline="3104455",
        stage="3104455:143",
        contact="10971465",
        company="10971463",
        responsible="504141",
        tags=("тест",),
    )


def test_a_lead_of_a_live_account(settings: AmoCrmSettings, sample: Sample) -> None:
    (row,) = sample("real_leads_page_scrubbed.response")["_embedded"]["leads"]
    record = of(settings, mapping.deal, row)
    assert (record.status, record.amount, record.lost_reason, record.contact) == (
        DealStatus.LOST,
        Decimal(124000),
        None,
        None,
    )
    assert record.custom == {
        "774349": "14012",
        "838363": "b2c",
        "921871": "frontend",
        "921827": "Cloudpayments",
        "UTM_REFERRER": "https://example.com/programs",
        "SOURCE_PAGE": "landing",
        "SOURCE_DOMAIN": "example.com",
    }
    assert record.traffic == Traffic(referrer="https://example.com/programs")


def test_tags_of_a_campaign_and_kopecks(settings: AmoCrmSettings, sample: Sample) -> None:
    record = of(settings, mapping.deal, sample("synthetic_lead_with_utm.response"))
    assert record.amount == Decimal("10000.5")
    assert record.traffic == Traffic(
        utm_source="yandex",
        utm_medium="cpc",
        utm_campaign="12345678",
        utm_content="ad1",
        utm_term="crm",
        click_id="1234567890123456789",
    )
    assert record.custom == {"_YM_UID": "1716610000123456789", "YCLID": "1234567890123456789", "ROISTAT": "100500"}
    assert (record.contact, record.tags, record.closed_at) == ("555", ("сайт",), None)


def test_a_contact_and_a_company_of_the_vendor(settings: AmoCrmSettings, sample: Sample) -> None:
    contact = of(settings, mapping.contact, sample("contact_get.response"))
    assert contact == ContactRecord(
        external_id="3",
        updated_at=datetime(2020, 5, 31, 16, 52, 9, tzinfo=UTC),
        name="Иван Иванов",
        first_name="Иван",
        last_name="Иванов",
        phones=("+79123",),
        company="1",
        responsible="3",
        created_at=datetime(2020, 2, 19, 13, 2, 11, tzinfo=UTC),
    )
    company = of(settings, mapping.company, sample("company_get.response"))
    assert isinstance(company, CompanyRecord)
    assert (company.name, company.phones, company.custom) == ("АО Рога и копыта", ("123213",), None)


def test_contacts_without_any_field(settings: AmoCrmSettings, sample: Sample) -> None:
    rows = sample("contacts_list_page1.response")["_embedded"]["contacts"]
    assert rows[0]["custom_fields_values"] is None
    record = of(settings, mapping.contact, rows[0])
    assert (record.phones, record.emails, record.first_name, record.company) == ((), (), None, None)


def test_a_user_of_the_vendor(settings: AmoCrmSettings, sample: Sample) -> None:
    row = sample("user_get.response")
    assert of(settings, mapping.user, row) == UserRecord(
        external_id="3", name="Алексей Поимцев", email="test@example.com", active=True
    )
    row["rights"]["is_active"] = False
    assert of(settings, mapping.user, row).active is False


def test_the_pipeline_and_its_stages(settings: AmoCrmSettings, sample: Sample) -> None:
    (row,) = sample("pipelines.response")["_embedded"]["pipelines"]
    assert of(settings, mapping.pipeline, row).name == "Воронка"
    stages = [of(settings, mapping.stage, status) for status in row["_embedded"]["statuses"]]
    assert [stage.status for stage in stages] == [DealStatus.OPEN] * 3 + [DealStatus.WON, DealStatus.LOST]
    assert stages[3] == StageRecord(
        external_id="3177727:142",
        name="Успешно реализовано",
        pipeline="3177727",
        sort=10000,
        status=DealStatus.WON,
    )


def test_a_change_of_stage(settings: AmoCrmSettings, sample: Sample) -> None:
    (row,) = sample("events_list.response")["_embedded"]["events"]
    assert of(settings, mapping.stage_change, row) == StageChangeRecord(
        external_id="aaabbbbcccc1234567",
        deal="1234567",
        stage="123:111",
        pipeline="123",
        changed_at=datetime(2022, 10, 6, 13, 53, 31, tzinfo=UTC),
    )


def test_a_call(settings: AmoCrmSettings, sample: Sample) -> None:
    (row,) = sample("synthetic_notes_call_in.response")["_embedded"]["notes"]
    assert of(settings, mapping.call, row) == CallRecord(
        external_id="8f52d38a-5fb3-406d-93a3-a4832dc28f8b",
        updated_at=datetime(2024, 6, 12, 10, 15, 51, tzinfo=UTC),
        started_at=datetime(2024, 6, 12, 10, 15, 51, tzinfo=UTC),
        direction=Direction.INBOUND,
        client_phone="+79990000000",
        answered=True,
        talk_seconds=60,
        status="conversation",
        recording_url="https://example.com/rec.mp3",
        contact="123123112",
        responsible="123123",
    )


@pytest.mark.parametrize(
    ("status", "duration", "answered", "talk"),
    [
        (4, 60, True, 60),
        ("4", "60", True, 60),
        (4, 0, True, 0),
        (6, 25, False, 0),
        (1, 25, False, 0),
        (None, 25, True, 25),
        (None, "0", False, 0),
        (None, None, False, 0),
        (2, 30, True, 30),
    ],
)
def test_whether_a_call_was_answered(
    settings: AmoCrmSettings, status: Any, duration: Any, answered: bool, talk: int
) -> None:
    note = NOTE | {"params": {"uniq": "u1", "duration": duration, "call_status": status}}
    record = of(settings, mapping.call, note)
    assert (record.answered, record.talk_seconds) == (answered, talk)


@pytest.mark.parametrize(
    ("params", "external_id"),
    [({"uniq": "u1"}, "u1"), ({"uniq": 42}, "42"), ({"uniq": ""}, "note:9"), (None, "note:9"), ([], "note:9")],
)
def test_one_call_on_two_cards_has_one_id(settings: AmoCrmSettings, params: Any, external_id: str) -> None:
    assert of(settings, mapping.call, NOTE | {"params": params}).external_id == external_id


@pytest.mark.parametrize(
    ("entity", "name"), [("leads", "deal"), ("contacts", "contact"), ("companies", "company"), ("customers", None)]
)
def test_the_card_of_a_call_stands_in_its_link(settings: AmoCrmSettings, entity: str, name: str | None) -> None:
    link = {"self": {"href": f"https://firm.amocrm.ru/api/v4/{entity}/12/notes/9"}}
    record = of(settings, mapping.call, NOTE | {"_links": link})
    links = {each: getattr(record, each) for each in ("contact", "company", "lead", "deal")}
    assert links == dict.fromkeys(links) | ({} if name is None else {name: "12"})


@pytest.mark.parametrize(
    ("status", "kind", "closed"),
    [(142, DealStatus.WON, True), (143, DealStatus.LOST, True), (55, DealStatus.OPEN, False)],
)
def test_142_and_143_close_a_lead_in_every_pipeline(
    settings: AmoCrmSettings, status: int, kind: DealStatus, closed: bool
) -> None:
    record = of(settings, mapping.deal, LEAD | {"status_id": status, "closed_at": 1700000100})
    assert record.status is kind
    assert (record.closed_at is not None) is closed
    assert record.stage == f"3:{status}"


@pytest.mark.parametrize(
    ("price", "exact", "amount"),
    [
        (12, None, Decimal(12)),
        (12, 12.34, Decimal("12.34")),
        (12, "12.34", Decimal("12.34")),
        (0, 0, Decimal(0)),
        (None, None, None),
    ],
)
def test_the_price_with_kopecks_wins(
    settings: AmoCrmSettings, price: Any, exact: Any, amount: Decimal | None
) -> None:
    assert of(settings, mapping.deal, LEAD | {"price": price, "price_with_minor_units": exact}).amount == amount


def test_hand_made_fields_are_known_by_name_and_yield_to_real_ones(settings: AmoCrmSettings) -> None:
    made = [
        field("by hand", field_id=5, field_name="utm_source"),
        field("google", field_id=6, field_name=" UTM_Medium "),
        field("yandex", field_id=7, field_name="x", field_code="UTM_SOURCE", field_type="tracking_data"),
    ]
    record = of(settings, mapping.deal, LEAD | {"custom_fields_values": made})
    assert record.traffic == Traffic(utm_source="yandex", utm_medium="google")
    assert record.custom == {"5": "by hand"}


def test_a_tax_number_as_legal_entity_or_by_hand(settings: AmoCrmSettings) -> None:
    card = {"id": 1, "name": "ООО «Ромашка»"}
    legal = field({"name": "ООО", "vat_id": "7700000001"}, field_type="legal_entity")
    by_hand = field("7700000002", field_name="ИНН")
    assert of(settings, mapping.company, card | {"custom_fields_values": [by_hand, legal]}).tax_id == "7700000001"
    assert of(settings, mapping.company, card | {"custom_fields_values": [by_hand]}).tax_id == "7700000002"
    assert of(settings, mapping.company, card).tax_id is None


@pytest.mark.parametrize(
    ("kind", "value", "kept"),
    [
        ("date", 1588885200, "2020-05-08"),  # 7 May 21:00 UTC is the account's midnight of 8 May
        ("birthday", "1588885200", "2020-05-08"),
        ("date", "2020-05-08", "2020-05-08"),
        ("date_time", 1588885200, "2020-05-08T00:00:00+03:00"),
        ("numeric", "14012", "14012"),
        ("checkbox", True, True),
        ("checkbox", False, False),
        ("numeric", 0, 0),
    ],
)
def test_values_of_custom_fields(settings: AmoCrmSettings, kind: str, value: Any, kept: Any) -> None:
    row = LEAD | {"custom_fields_values": [field(value, field_type=kind)]}
    assert of(settings, mapping.deal, row).custom == {"1": kept}


def test_the_day_of_birth_and_the_address_of_a_person(settings: AmoCrmSettings) -> None:
    born = field("1588885200", field_type="birthday")
    lives = field(
        None,
        field_id=2,
        field_type="smart_address",
        values=[{"value": "Арбат, 1", "enum_code": "address_line_1"}, {"value": "Москва", "enum_code": "city"}],
    )
    card = {"id": 1, "name": "Анна", "custom_fields_values": [born, lives]}
    person = of(settings, mapping.contact, card)
    assert (person.birthday, person.address) == (date(2020, 5, 8), "Москва, Арбат, 1")
    nonsense = card | {"custom_fields_values": [field("весной", field_type="birthday")]}
    assert of(settings, mapping.contact, nonsense).birthday is None


def test_several_values_and_none(settings: AmoCrmSettings) -> None:
    several = field(None, field_type="multiselect", values=[{"value": "a"}, {"value": "b"}])
    nothing = field(None, field_id=2, values=None)
    assert of(settings, mapping.deal, LEAD | {"custom_fields_values": [several, nothing]}).custom == {
        "1": ["a", "b"]
    }
    assert of(settings, mapping.deal, LEAD | {"custom_fields_values": []}).custom is None


def test_phones_once_and_messengers_by_kind(settings: AmoCrmSettings) -> None:
    phones = [{"value": "+7 916"}, {"value": "+7 916"}, {"value": 74950}, {"value": ""}]
    card = {
        "id": 1,
        "custom_fields_values": [
            field(None, field_id=3, field_code="PHONE", field_type="multitext", values=phones),
            field(None, field_id=4, field_code="IM", values=[{"value": "@ivan", "enum_code": "TELEGRAM"}]),
        ],
    }
    record = of(settings, mapping.contact, card)
    assert record.phones == ("+7 916", "74950")
    assert record.messengers == ("telegram:@ivan",)


def test_the_main_contact_is_taken(settings: AmoCrmSettings) -> None:
    contacts = [{"id": 1, "is_main": False}, {"id": 2, "is_main": True}]
    assert of(settings, mapping.deal, LEAD | {"_embedded": {"contacts": contacts}}).contact == "2"
    assert of(settings, mapping.deal, LEAD | {"_embedded": {"contacts": contacts[:1]}}).contact == "1"


def test_a_robot_is_nobody_and_a_deleted_lead_is_deleted(settings: AmoCrmSettings) -> None:
    record = of(settings, mapping.deal, LEAD | {"responsible_user_id": 0, "created_by": 0, "is_deleted": True})
    assert (record.responsible, record.deleted) == (None, True)


@pytest.mark.parametrize(
    ("map_", "row"),
    [
        (mapping.deal, LEAD | {"created_at": None}),
        (mapping.deal, LEAD | {"status_id": None}),
        (mapping.deal, LEAD | {"price": "many"}),
        (mapping.deal, LEAD | {"id": "seven"}),
        (mapping.call, NOTE | {"note_type": "common"}),
        (mapping.call, NOTE | {"params": {"duration": "long"}}),
        (mapping.stage_change, {"id": "e", "entity_id": 1, "created_at": 1, "value_after": []}),
    ],
)
def test_what_cant_be_understood_goes_to_quarantine(settings: AmoCrmSettings, map_: Any, row: Any) -> None:
    with pytest.raises((BadRecord, msgspec.ValidationError)):
        map_(settings, json.dumps(row).encode())
