"""What is sent to a portal, and what its answers mean."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from connectors.aspro_cloud import CONNECTOR
from connectors.aspro_cloud.settings import AsproCloudSettings
from connectors.contract import Command, VendorResponse
from connectors.errors import VendorChanged, WriteRejected

CARD = {"id": 5, "type": 2, "name": "Иван Петров", "phone": "+7 (999) 123-45-67", "email": "I@example.com",
        "merged_to": None, "ref": "skvoz:k1", "updated_date": "2024-05-01 10:00:00"}  # fmt: skip


def answer(body: Any, status: int = 200) -> VendorResponse:
    return VendorResponse(status, httpx.Headers(), json.dumps(body).encode())


def page(*rows: dict[str, Any]) -> VendorResponse:
    return answer({"response": {"total": 99, "page": 1, "count": len(rows), "items": rows}})


def test_a_card_is_sent_as_a_form_with_our_key(settings: AsproCloudSettings) -> None:
    command = Command("k1", {"first_name": "Иван", "last_name": "Петров", "phones": ["+79991234567"], "cf_3": True})
    request = CONNECTOR.write("contact.create").request(settings, command)
    assert (request.method, request.path, request.json) == ("POST", "/crm/account/create", None)
    assert request.form == {
        "type": "2",
        "name": "Иван Петров",
        "first_name": "Иван",
        "last_name": "Петров",
        "phone": "+79991234567",
        "phone2": "",
        "phone3": "",
        "cf_3": "1",
        "cf.3": "1",
        "ref": "skvoz:k1",
    }


def test_what_was_made_is_found_by_its_key_even_if_the_filter_is_ignored(settings: AsproCloudSettings) -> None:
    lookup = CONNECTOR.write("contact.create").by_marker
    assert lookup is not None
    command = Command("k1", {"phones": []})
    request = lookup.request(settings, command)
    assert request is not None
    assert request.query["filter[ref]"] == "skvoz:k1"
    found = lookup.found(settings, command, page(CARD | {"id": 4, "ref": "other"}, CARD))
    assert found is not None
    assert (found.external_id, found.values["phones"]) == ("5", ["+7 (999) 123-45-67"])
    assert lookup.found(settings, Command("k2", {}), page(CARD)) is None


@pytest.mark.parametrize(
    ("values", "sought", "hits"),
    [
        ({"phones": ["+79991234567"]}, [None, "45-67", "4567"], True),
        ({"phones": ["89991234567"], "emails": ["i@example.com"]}, ["i@example.com", "45-67", "4567"], True),
        ({"phones": ["+79990004567"]}, [None, "45-67", "4567"], False),
        ({"first_name": "Иван"}, [None, None, None], False),
    ],
)
def test_the_same_person_is_looked_for_in_each_spelling(
    settings: AsproCloudSettings, values: dict[str, Any], sought: list[str | None], hits: bool
) -> None:
    write = CONNECTOR.write("contact.create")
    assert write.by_match is not None
    command = Command("k9", values)
    requests = [lookup.request(settings, command) for lookup in (write.by_match, *write.also_by_match)]
    assert [None if request is None else request.query["search"] for request in requests] == sought
    firm, merged = CARD | {"id": 6, "type": 1}, CARD | {"id": 7, "merged_to": 5}
    found = write.by_match.found(settings, command, page(firm, merged, CARD))
    assert (found.external_id if found else None) == ("5" if hits else None)


def test_a_request_becomes_a_deal_with_raw_contact_data(settings: AsproCloudSettings) -> None:
    values = {"title": "Звонок", "first_name": "Иван", "phones": ["+79991234567"], "stage": "3", "responsible": "2"}
    form = CONNECTOR.write("lead.create").request(settings, Command("k1", values)).form
    assert form == {
        "name": "Звонок",
        "contact_name": "Иван",
        "contact_phone": "+79991234567",
        "contact_mobile": "",
        "pipeline_stage_id": "3",
        "assignee_id": "2",
        "ref": "skvoz:k1",
    }


def test_a_deal_is_closed_at_the_portals_time(settings: AsproCloudSettings) -> None:
    write = CONNECTOR.write("deal.update")
    values = {"status": "won", "closed_at": "2024-05-06T09:30:00+00:00", "amount": "100.50"}
    request = write.request(settings, Command("k1", values, "42"))
    assert request.path == "/crm/lead/update/42"
    assert request.form == {"active": "3", "closing_date": "2024-05-06 12:30:00", "budget": "100.50"}
    assert write.read is not None
    row = {"id": "42", "name": "x", "active": 3, "closing_date": "2024-05-06 12:30:00", "budget": 100.5}
    standing = write.read.found(settings, Command("k1", values, "42"), answer({"response": row}))
    assert standing is not None
    assert (standing.values["status"], standing.values["closed_at"]) == ("won", "2024-05-06T12:30:00+03:00")


def test_a_task_hangs_on_the_deal(settings: AsproCloudSettings) -> None:
    values = {"title": "Перезвонить", "deal": "42", "status": "done", "due_at": "2024-05-06T09:30:00+00:00"}
    form = CONNECTOR.write("task.create").request(settings, Command("k1", values)).form
    assert form == {
        "type": "0",
        "name": "Перезвонить",
        "model_id": "42",
        "status": "5",
        "deadline": "2024-05-06 12:30:00",
        "module": "crm",
        "model": "lead",
        "ref": "skvoz:k1",
    }


def test_a_200_may_hold_a_refusal() -> None:
    body = {
        "error": "validation",
        "description": "Ошибка заполнения формы",
        "details": {"name": "не может быть пустым"},
    }
    assert CONNECTOR.error_of is not None
    for status in (200, 400):
        error = CONNECTOR.error_of(httpx.Response(status, json=body))
        assert isinstance(error, WriteRejected)
        assert (error.field, error.sentence) == ("name", "Aspro.Cloud refuses the values: не может быть пустым.")


def test_what_is_gone_is_gone(settings: AsproCloudSettings) -> None:
    missing = answer({"error": {"error_code": 20, "error_msg": "not found"}})
    write = CONNECTOR.write("deal.delete")
    command = Command("k1", {}, "42")
    assert write.request(settings, command).method == "GET"
    assert write.result(settings, command, missing) == "42"
    assert write.read is not None
    assert write.read.found(settings, command, missing) is None
    merged = answer({"response": {"id": 42, "name": "x", "merged_to_id": 43}})
    assert write.read.found(settings, command, merged) is None


def test_an_answer_without_an_id_is_no_success(settings: AsproCloudSettings) -> None:
    with pytest.raises(VendorChanged):
        CONNECTOR.write("deal.create").result(settings, Command("k1", {}), answer({"response": []}))
