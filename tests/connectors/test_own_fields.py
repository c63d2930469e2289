"""How systems tell which fields an account has of its own."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec
import pytest

from connectors.amocrm import own_fields as amocrm
from connectors.amocrm.settings import AmoCrmSettings
from connectors.bitrix24 import own_fields as bitrix24
from connectors.bitrix24.mapping import custom
from connectors.bitrix24.settings import Bitrix24Settings
from connectors.contract import CustomField, VendorResponse
from connectors.errors import VendorChanged
from schema.enums import CustomFieldType, RecordKind

PORTAL = Bitrix24Settings.model_validate({"webhook_url": "https://example.bitrix24.ru/rest/1/abc/"})
ACCOUNT = AmoCrmSettings.model_validate({"base_url": "https://example.amocrm.ru", "access_token": "t"})


def answer(body: Any) -> VendorResponse:
    return VendorResponse(200, httpx.Headers(), b"" if body is None else msgspec.json.encode(body))


def described(**more: Any) -> dict[str, Any]:
    return {"type": "string", "isMultiple": False, "title": "UF_CRM_1", **more}


def of_portal(**deals: Any) -> dict[str, Any]:
    sources = [{"STATUS_ID": "WEB", "NAME": "Веб-сайт"}, {"STATUS_ID": 1, "NAME": None}]
    return {"result": {"result": {"c0": deals, "c1": {}, "c2": {}, "c3": {}, "c4": sources}, "result_error": []}}


def test_a_portal_is_asked_for_all_kinds_at_once() -> None:
    request = bitrix24.CUSTOM_FIELDS.request(PORTAL, {})
    assert request.json["halt"] == 1
    assert list(request.json["cmd"]) == ["c0", "c1", "c2", "c3", "c4"]
    fields, following = bitrix24.CUSTOM_FIELDS.read(
        PORTAL,
        {},
        answer(
            of_portal(
                TITLE=described(title="Название"),
                UF_CRM_1=described(
                    type="enumeration", listLabel="Причина", items=[{"ID": "84", "VALUE": "Дорого"}]
                ),
                UF_CRM_2=described(type="money", formLabel="Бюджет", isMultiple=True),
                UF_CRM_3=described(type="crm_contact"),
                UF_CRM_4=described(type="resourcebooking"),
                SOURCE_ID=described(type="crm_status", statusType="SOURCE", title="Источник"),
            )
        ),
    )
    deal = RecordKind.DEAL
    assert following is None
    assert fields == [
        CustomField(deal, "UF_CRM_1", "Причина", CustomFieldType.ENUMERATION, options={"84": "Дорого"}),
        CustomField(deal, "UF_CRM_2", "Бюджет", CustomFieldType.MONEY, multiple=True),
        CustomField(deal, "UF_CRM_3", "UF_CRM_1", CustomFieldType.REFERENCE),
        CustomField(deal, "UF_CRM_4", "UF_CRM_1", CustomFieldType.OTHER),
        CustomField(
            deal, "SOURCE_ID", "Источник", CustomFieldType.ENUMERATION, options={"WEB": "Веб-сайт", "1": "1"}
        ),
    ]
    assert set(custom({each.key: "x" for each in fields} | {"TITLE": "x"}) or {}) == {each.key for each in fields}


def test_a_portal_that_tells_less_than_all_tells_nothing() -> None:
    told = of_portal()
    del told["result"]["result"]["c2"]
    for body in (told, {"result": {"result": [], "result_error": {"c0": "no"}}}):
        with pytest.raises(VendorChanged):
            bitrix24.CUSTOM_FIELDS.read(PORTAL, {}, answer(body))


def of_account(*fields: dict[str, Any], more: bool = False) -> dict[str, Any]:
    links = {"self": {"href": "x"}} | ({"next": {"href": "y"}} if more else {})
    return {"_links": links, "_embedded": {"custom_fields": list(fields)}}


def test_an_account_is_asked_kind_by_kind_and_page_by_page() -> None:
    position: dict[str, Any] | None = dict(amocrm.CUSTOM_FIELDS.start)
    pages = [
        of_account(
            {"id": 1, "type": "tracking_data", "name": "utm_source", "code": "UTM_SOURCE"},
            {"id": 2, "type": "multiselect", "name": "Вид", "code": None, "enums": [{"id": 9, "value": "А"}]},
            more=True,
        ),
        of_account({"id": 3, "type": "birthday", "name": None, "code": None}),
        None,
        of_account(
            {"id": 4, "type": "text", "name": "ИНН", "code": None}, {"id": 5, "type": "file", "name": "Файл"}
        ),
    ]
    asked: list[tuple[str, object]] = []
    found: list[CustomField] = []
    for page in pages:
        assert position is not None
        request = amocrm.CUSTOM_FIELDS.request(ACCOUNT, position)
        asked.append((request.path, request.query["page"]))
        fields, position = amocrm.CUSTOM_FIELDS.read(ACCOUNT, position, answer(page))
        found += fields
    assert position is None
    assert asked == [
        ("/api/v4/leads/custom_fields", 1),
        ("/api/v4/leads/custom_fields", 2),
        ("/api/v4/contacts/custom_fields", 1),
        ("/api/v4/companies/custom_fields", 1),
    ]
    assert found == [  # what a unified field takes already isn't among them
        CustomField(RecordKind.DEAL, "2", "Вид", CustomFieldType.ENUMERATION, multiple=True, options={"А": "А"}),
        CustomField(RecordKind.DEAL, "3", "3", CustomFieldType.DATE),
        CustomField(RecordKind.COMPANY, "INN", "ИНН", CustomFieldType.TEXT),
        CustomField(RecordKind.COMPANY, "5", "Файл", CustomFieldType.OTHER),
    ]
