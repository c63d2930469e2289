"""How deals are looked for before they are made, also in an account that ignores filters."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
from pydantic import SecretStr

from connectors.amocrm import CONNECTOR
from connectors.amocrm.settings import AmoCrmSettings
from connectors.contract import Command, Lookup, VendorResponse

SETTINGS = AmoCrmSettings(base_url="https://a.amocrm.ru", access_token=SecretStr("t"))
WRITE = CONNECTOR.write("deal.create")
COMMAND = Command("key1", {"title": "Звонок", "phones": ["+79161234567"], "contact": "5", "stage": "7:71"})


def answer(body: Any) -> VendorResponse:
    return VendorResponse(
        204 if body is None else 200, httpx.Headers(), b"" if body is None else orjson.dumps(body)
    )


def lead(id: int, contact: int, status: int = 71) -> dict[str, Any]:
    embedded = {"contacts": [{"id": contact}]}
    return {"id": id, "name": f"#{id}", "status_id": status, "pipeline_id": 7, "_embedded": embedded}


def found(lookup: Lookup[Any] | None, *bodies: Any) -> str | None:
    assert lookup is not None
    standing = lookup.found(SETTINGS, COMMAND, answer(bodies[-1]))
    return None if standing is None else standing.external_id


def test_an_open_deal_counts_only_if_it_is_the_contacts_own() -> None:
    def page(*leads: Any) -> dict[str, Any]:
        return {"_embedded": {"leads": leads}}

    assert found(WRITE.by_match, page(lead(1, 5, 143), lead(2, 5), lead(3, 6))) == "2"  # 3: the filter was ignored
    assert found(WRITE.by_match, page(lead(1, 5, 142), lead(3, 6))) is None
    assert found(WRITE.by_match, None) is None


def test_a_card_counts_only_if_the_phone_is_its_own() -> None:
    def page(phone: str) -> dict[str, Any]:
        field = {"field_id": 1, "field_code": "PHONE", "values": [{"value": phone, "enum_code": "WORK"}]}
        return {"_embedded": {"contacts": [{"id": 5, "name": "Анна", "custom_fields_values": [field]}]}}

    assert found(WRITE.by_party[0], page("8 (916) 123-45-67")) == "5"
    assert found(WRITE.by_party[0], page("8 (916) 123-45-68")) is None


def test_our_own_deal_is_known_by_its_key_alone() -> None:
    def page(key: str) -> dict[str, Any]:
        field = {"field_id": 9, "field_code": "SKVOZ_KEY", "values": [{"value": key}]}
        return {"_embedded": {"leads": [lead(1, 5) | {"custom_fields_values": [field]}]}}

    assert found(WRITE.by_marker, page("key1")) == "1"
    assert found(WRITE.by_marker, page("key10")) is None


def test_the_field_for_the_key_is_made_only_where_it_is_missing() -> None:
    assert WRITE.prepare is not None
    there = {"_embedded": {"custom_fields": [{"id": 9, "name": "Skvoz", "type": "text", "code": "SKVOZ_KEY"}]}}
    assert WRITE.prepare.missing(SETTINGS, answer(there)) is None
    made = WRITE.prepare.missing(SETTINGS, answer(None))
    assert made is not None
    assert made.json[0]["code"] == "SKVOZ_KEY"


def test_a_stage_names_its_pipeline_too() -> None:
    body = WRITE.request(SETTINGS, COMMAND).json[0]
    assert (body["status_id"], body["pipeline_id"], body["_embedded"]) == (71, 7, {"contacts": [{"id": 5}]})
