"""Bitrix24's records become unified ones: on the vendor's own samples and on the odd values it is known for."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from connectors.bitrix24 import mapping
from connectors.bitrix24.settings import Bitrix24Settings
from connectors.contract import Mapped, Skip
from connectors.errors import BadRecord
from schema.enums import DealStatus, Direction
from schema.records import (
    CallRecord,
    CompanyRecord,
    ContactRecord,
    DealRecord,
    LeadRecord,
    StageChangeRecord,
    StageRecord,
    UserRecord,
)
from schema.traffic import Traffic

Sample = Callable[[str], Any]
PLUS_2 = timezone(timedelta(hours=2))
DEAL = {"ID": "7", "TITLE": "Уборка", "DATE_CREATE": "2026-03-01T10:00:00+03:00", "STAGE_ID": "NEW"}
CALL = {"ID": "3", "CALL_START_DATE": "2026-03-01T10:00:00+03:00", "CALL_TYPE": "2", "CALL_FAILED_CODE": "200"}


def one(mapped: Mapped) -> Any:
    assert not isinstance(mapped, Skip)
    (record,) = mapped
    return record


def of(settings: Bitrix24Settings, map_: Callable[[Bitrix24Settings, bytes], Mapped], row: Any) -> Any:
    return one(map_(settings, json.dumps(row).encode()))


def test_a_deal_of_the_documentation(settings: Bitrix24Settings, sample: Sample) -> None:
    row = sample("crm_deal_get.response")["result"]
    assert of(settings, mapping.deal, row) == DealRecord(
        external_id="410",
        updated_at=datetime(2024, 8, 30, 14, 29, tzinfo=PLUS_2),
        custom={
            "SOURCE_ID": "CALLBACK",
            "SOURCE_DESCRIPTION": "Additional source information",
            "PARENT_ID_1220": "22",
            "UF_CRM_1721244482250": "Hello world!",
        },
        title="New Deal #1",
        created_at=datetime(2024, 8, 30, 14, 29, tzinfo=PLUS_2),
        status=DealStatus.OPEN,
        amount=Decimal("1000000.00"),
        currency="EUR",
        expected_at=date(2024, 9, 9),
        pipeline="0",
        stage="PREPARATION",
        contact="84",
        company="9",
        responsible="1",
        traffic=Traffic(utm_source="google", utm_medium="CPC"),
    )


def test_a_contact_of_the_documentation(settings: Bitrix24Settings, sample: Sample) -> None:
    record = of(settings, mapping.contact, sample("crm_contact_get.response")["result"])
    assert isinstance(record, ContactRecord)
    assert (record.name, record.first_name, record.middle_name, record.last_name) == (
        "John Doe Smith",
        "John",
        "Doe",
        "Smith",
    )
    assert record.phones == ("+13333333555", "+15599888666")
    assert record.emails == ("johnsmith@example.mailing", "johnsmith@example.work")
    assert (record.company, record.responsible, record.position) == ("12", "6", "Administrator")
    assert record.birthday == date(2001, 11, 11)  # the hours and the offset beside it are nobody's
    assert record.traffic == Traffic(
        utm_source="google",
        utm_medium="CPC",
        utm_campaign="summer_sale",
        utm_content="header_banner",
        utm_term="discount",
    )


def test_contacts_of_a_list_that_names_few_fields(settings: Bitrix24Settings, sample: Sample) -> None:
    records = [of(settings, mapping.contact, row) for row in sample("crm_contact_list.response")["result"]]
    assert records[0].name == "Anastasia Ilyina"
    assert records[0].emails == ("special-for@example.com",)
    assert all(record.phones == () and record.traffic is None for record in records)


def test_a_lead_of_the_documentation_has_a_phone_and_no_messenger(
    settings: Bitrix24Settings, sample: Sample
) -> None:
    record = of(settings, mapping.lead, sample("crm_lead_get.response")["result"])
    assert isinstance(record, LeadRecord)
    assert record.phones == ("+15454777777",)
    assert (record.name, record.status, record.contact, record.traffic) == (None, "IN_PROCESS", None, None)
    assert record.custom == {"SOURCE_ID": "1"}


def test_a_lead_of_a_live_portal(settings: Bitrix24Settings, sample: Sample) -> None:
    record = of(settings, mapping.lead, sample("real_call_single_success")["result"]["result"]["order0"])
    assert record.external_id == "35943"
    assert record.created_at == datetime(2022, 5, 21, 9, 0, 12, tzinfo=UTC)
    assert (record.status, record.custom, record.responsible) == ("3", None, "19")


def test_a_company_of_the_documentation(settings: Bitrix24Settings, sample: Sample) -> None:
    record = of(settings, mapping.company, sample("crm_company_get.response")["result"])
    assert isinstance(record, CompanyRecord)
    assert (record.name, record.responsible, record.custom) == ("GAZPROM", "139", None)
    assert record.created_at == datetime(2024, 3, 11, 15, 36, 46, tzinfo=UTC)


def test_users_of_the_documentation_in_spite_of_empty_objects(settings: Bitrix24Settings, sample: Sample) -> None:
    rows = sample("user_get.response")["result"]
    assert rows[0]["TIMESTAMP_X"] == {}
    assert [of(settings, mapping.user, row) for row in rows] == [
        UserRecord(external_id="1", name="Vadim Valeev", email="user@example.com"),
        UserRecord(external_id="3", name="John Smith", email="test@gmail.com"),
    ]


def test_pipelines_of_the_documentation(settings: Bitrix24Settings, sample: Sample) -> None:
    rows = sample("crm_category_list.response")["result"]["categories"]
    names = {record.external_id: record.name for record in (of(settings, mapping.pipeline, row) for row in rows)}
    assert names["0"] == "General"
    assert names["9"] == "Funnel with Original Name"


def test_stages_of_the_documentation(settings: Bitrix24Settings, sample: Sample) -> None:
    rows = sample("crm_status_list_deal_stage.response")["result"]
    records = [of(settings, mapping.stage, row) for row in rows]
    assert {record.pipeline for record in records} == {"0"}
    statuses = {record.external_id: record.status for record in records}
    assert statuses["NEW"] is DealStatus.OPEN
    assert statuses["WON"] is DealStatus.WON
    assert statuses["LOSE"] is DealStatus.LOST


def test_a_stage_of_another_pipeline_and_an_entry_of_another_list(settings: Bitrix24Settings) -> None:
    row = {"ENTITY_ID": "DEAL_STAGE_7", "STATUS_ID": "C7:WON", "NAME": "Оплачено", "SORT": 60, "SEMANTICS": "S"}
    assert of(settings, mapping.stage, row) == StageRecord(
        external_id="C7:WON", name="Оплачено", pipeline="7", sort=60, status=DealStatus.WON
    )
    other = {"ENTITY_ID": "DEAL_STAGEHAND", "STATUS_ID": "1", "NAME": "?"}
    assert isinstance(mapping.stage(settings, json.dumps(other).encode()), Skip)


def test_stage_history_has_numbers_in_the_documentation_and_texts_in_life(
    settings: Bitrix24Settings, sample: Sample
) -> None:
    (documented,) = sample("crm_stagehistory_list.response")["result"]["items"]
    assert of(settings, mapping.stage_change, documented) == StageChangeRecord(
        external_id="35",
        deal="21",
        stage="NEW",
        pipeline="0",
        changed_at=datetime(2024, 4, 25, 14, 59, 11, tzinfo=UTC),
    )
    live = sample("real_crm_stagehistory_list")["result"]["result"]["order0000000000"]["items"]
    first = of(settings, mapping.stage_change, live[0])
    assert (first.external_id, first.deal, first.stage) == ("10653", "5047", "EXECUTING")
    assert first.changed_at == datetime(2022, 11, 1, 6, 39, 6, tzinfo=UTC)


def test_calls_of_the_documentation(settings: Bitrix24Settings, sample: Sample) -> None:
    rows = sample("voximplant_statistic_get.response")["result"]
    missed, answered = (of(settings, mapping.call, row) for row in rows)
    assert missed == CallRecord(
        external_id="1",
        started_at=datetime(2025, 8, 6, 13, 8, 40, tzinfo=UTC),
        direction=Direction.OUTBOUND,
        client_phone="+19061234567",
        answered=False,
        talk_seconds=0,
        status="cancelled",
        contact="275",
        responsible="1",
    )
    assert (answered.direction, answered.answered, answered.talk_seconds) == (Direction.INBOUND, True, 95)
    assert (answered.contact, answered.tracking_phone) == ("797", None)


@pytest.mark.parametrize(
    ("semantic", "stage", "status", "closed"),
    [
        ("S", "C7:UC_PAID", DealStatus.WON, True),
        ("F", "JUNK", DealStatus.LOST, True),
        ("P", "WON", DealStatus.OPEN, False),
        (None, "C7:WON", DealStatus.WON, True),
        (None, "LOSE", DealStatus.LOST, True),
        (None, "14", DealStatus.OPEN, False),
    ],
)
def test_a_deal_is_closed_when_it_moved_into_a_final_stage(
    settings: Bitrix24Settings, semantic: str | None, stage: str, status: DealStatus, closed: bool
) -> None:
    row = DEAL | {
        "STAGE_SEMANTIC_ID": semantic,
        "STAGE_ID": stage,
        "MOVED_TIME": "2026-03-05T12:00:00+03:00",
        "CLOSEDATE": "2026-12-31T02:00:00+03:00",
    }
    record = of(settings, mapping.deal, row)
    assert record.status is status
    assert record.closed_at == (datetime(2026, 3, 5, 9, tzinfo=UTC) if closed else None)
    assert record.expected_at == (None if closed else date(2026, 12, 31))


@pytest.mark.parametrize("empty", ["", None, {}, []])
def test_what_stands_for_no_time_is_no_time(settings: Bitrix24Settings, empty: Any) -> None:
    row = DEAL | {"STAGE_SEMANTIC_ID": "S", "MOVED_TIME": empty, "CLOSEDATE": empty, "DATE_MODIFY": empty}
    record = of(settings, mapping.deal, row)
    assert (record.closed_at, record.expected_at, record.updated_at) == (None, None, None)


@pytest.mark.parametrize("nothing", ["", None, "0", 0])
def test_no_reference_is_written_in_many_ways(settings: Bitrix24Settings, nothing: Any) -> None:
    record = of(settings, mapping.deal, DEAL | {"CONTACT_ID": nothing, "COMPANY_ID": nothing, "LEAD_ID": nothing})
    assert (record.contact, record.company, record.lead) == (None, None, None)


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("19999.99", Decimal("19999.99")),
        (19999.5, Decimal("19999.5")),
        (0, Decimal(0)),
        ("", None),
        (None, None),
    ],
)
def test_money_comes_as_text_or_number(settings: Bitrix24Settings, written: Any, amount: Decimal | None) -> None:
    assert of(settings, mapping.deal, DEAL | {"OPPORTUNITY": written}).amount == amount


def test_a_date_is_cut_and_not_converted(settings: Bitrix24Settings) -> None:
    # 31 December 23:00 in UTC: converting it would move the deal into another year.
    record = of(settings, mapping.deal, DEAL | {"CLOSEDATE": "2026-01-01T00:00:00+01:00"})
    assert record.expected_at == date(2026, 1, 1)


@pytest.mark.parametrize(
    ("category", "stage", "pipeline"),
    [("7", "C7:NEW", "7"), (0, "NEW", "0"), (None, "C12:NEW", "12"), (None, "NEW", "0")],
)
def test_the_pipeline_of_a_deal(settings: Bitrix24Settings, category: Any, stage: str, pipeline: str) -> None:
    assert of(settings, mapping.deal, DEAL | {"CATEGORY_ID": category, "STAGE_ID": stage}).pipeline == pipeline


def test_templates_and_own_companies_are_left_out(settings: Bitrix24Settings) -> None:
    template = json.dumps(DEAL | {"IS_RECURRING": "Y"}).encode()
    ours = json.dumps({"ID": "1", "TITLE": "Мы", "IS_MY_COMPANY": "Y"}).encode()
    assert isinstance(mapping.deal(settings, template), Skip)
    assert isinstance(mapping.company(settings, ours), Skip)


def test_multifields_as_lists_maps_and_nothing(settings: Bitrix24Settings) -> None:
    card = {
        "ID": 5,
        "PHONE": {"1": {"VALUE": "+7 916 000-00-00", "VALUE_TYPE": "MOBILE"}, "2": {"VALUE": " "}},
        "EMAIL": [],
        "IM": [
            {"VALUE": "@ivan", "VALUE_TYPE": "TELEGRAM"},
            {"VALUE": "imol|livechat|1|6|2", "VALUE_TYPE": "IMOL"},
        ],
    }
    record = of(settings, mapping.contact, card)
    assert record.phones == ("+7 916 000-00-00",)
    assert record.emails == ()
    assert record.messengers == ("telegram:@ivan",)


def test_custom_fields_keep_zero_and_drop_nothing_else_than_emptiness(settings: Bitrix24Settings) -> None:
    row = DEAL | {"UF_CRM_A": 0, "UF_CRM_B": "0", "UF_CRM_C": False, "UF_CRM_D": [], "UF_CRM_E": ["1", "2"], "X": 1}
    assert of(settings, mapping.deal, row).custom == {"UF_CRM_A": 0, "UF_CRM_B": "0", "UF_CRM_E": ["1", "2"]}


@pytest.mark.parametrize(
    ("kind", "direction"),
    [
        ("1", Direction.OUTBOUND),
        (2, Direction.INBOUND),
        ("3", Direction.INBOUND),
        ("4", Direction.INBOUND),
        ("5", Direction.OUTBOUND),
    ],
)
def test_kinds_of_calls(settings: Bitrix24Settings, kind: Any, direction: Direction) -> None:
    assert of(settings, mapping.call, CALL | {"CALL_TYPE": kind}).direction is direction


@pytest.mark.parametrize(
    ("owner", "field"), [("CONTACT", "contact"), ("COMPANY", "company"), ("LEAD", "lead"), ("DEAL", "deal")]
)
def test_a_call_knows_its_card(settings: Bitrix24Settings, owner: str, field: str) -> None:
    record = of(settings, mapping.call, CALL | {"CRM_ENTITY_TYPE": owner, "CRM_ENTITY_ID": 12})
    links = {name: getattr(record, name) for name in ("contact", "company", "lead", "deal")}
    assert links == dict.fromkeys(links) | {field: "12"}


@pytest.mark.parametrize(
    ("map_", "row"),
    [
        (mapping.call, CALL | {"CALL_TYPE": "9"}),
        (mapping.call, CALL | {"CALL_START_DATE": {}}),
        (mapping.deal, DEAL | {"DATE_CREATE": "24.08.2023 13:19:39"}),
        (mapping.deal, DEAL | {"DATE_CREATE": "2023-08-24 13:19:39"}),
        (mapping.deal, DEAL | {"DATE_CREATE": ""}),
        (mapping.deal, DEAL | {"OPPORTUNITY": "many"}),
        (mapping.deal, DEAL | {"OPPORTUNITY": "NaN"}),
        (mapping.deal, DEAL | {"CLOSEDATE": "soon"}),
    ],
)
def test_what_cant_be_understood_is_a_bad_record(settings: Bitrix24Settings, map_: Any, row: Any) -> None:
    with pytest.raises(BadRecord):
        map_(settings, json.dumps(row).encode())
