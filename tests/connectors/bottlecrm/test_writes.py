"""What is sent, and how what was sent before is found again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from connectors.bottlecrm import CONNECTOR
from connectors.bottlecrm.settings import BottleCrmSettings
from connectors.contract import Command, VendorResponse
from connectors.errors import VendorChanged, WriteRejected

CALLER = {
    "title": "Call from +79161112233",
    "phones": ["+79161112233"],
    "utm_source": "yandex",
    "utm_medium": "cpc",
}


def answer(content: Any, status: int = 200) -> VendorResponse:
    return VendorResponse(status, httpx.Headers(), json.dumps(content).encode())


def leads(*rows: dict[str, Any]) -> VendorResponse:
    return answer({"open_leads": {"open_leads": []}, "close_leads": {"close_leads": list(rows)}})


def test_who_has_no_name_is_called_by_the_phone_and_found_by_it(settings: BottleCrmSettings) -> None:
    write = CONNECTOR.write("lead.create")
    command = Command("k1", CALLER)
    request = write.request(settings, command)
    assert (request.method, request.path) == ("POST", "/leads/")
    assert request.json == {
        "title": "Call from +79161112233", "phone": "+79161112233", "source_ref": "skvoz:k1",
        "source_detail": "utm_source=yandex&utm_medium=cpc",
        "first_name": "+79161112233", "last_name": "+79161112233",
    }  # fmt: skip
    assert write.by_marker is not None
    look = write.by_marker.request(settings, command)
    assert look is not None
    assert look.query["search"] == "+79161112233"
    other = {"id": "a", "source_ref": "skvoz:other", "last_name": "+79161112233"}
    assert write.by_marker.found(settings, command, leads(other)) is None
    ours = other | {"id": "b", "source_ref": "skvoz:k1", "phone": "+79161112233", "title": "Call"}
    standing = write.by_marker.found(settings, command, leads(other, ours))
    assert standing is not None
    assert (standing.external_id, standing.values["phones"]) == ("b", ["+79161112233"])


def test_its_own_search_for_duplicates_finds_any_spelling(
    settings: BottleCrmSettings, recorded: Callable[..., VendorResponse]
) -> None:
    lookup = CONNECTOR.write("lead.create").by_match
    assert lookup is not None
    request = lookup.request(settings, Command("k1", CALLER))
    assert request is not None
    assert (request.path, request.json) == ("/leads/duplicates/", {"phone": "+79161112233"})
    found = lookup.found(settings, Command("k1", CALLER), recorded("duplicates.json"))
    assert found is not None
    assert found.title == "Иван +79161112233"
    assert lookup.request(settings, Command("k1", {"title": "x"})) is None


def test_a_deal_of_the_same_name_is_there_already(settings: BottleCrmSettings) -> None:
    lookup = CONNECTOR.write("deal.create").by_match
    assert lookup is not None
    command = Command("k", {"title": "Deal A"})
    rows = [{"id": "1", "name": "Deal A plus"}, {"id": "2", "name": "deal a", "pipeline": "p", "stage": "PROPOSAL"}]
    found = lookup.found(settings, command, answer({"opportunities": rows}))
    assert found is not None
    assert (found.external_id, found.values["stage"]) == ("2", "p:PROPOSAL")


def test_a_stage_is_named_with_its_pipeline(settings: BottleCrmSettings) -> None:
    values = {
        "stage": "p:CLOSED_WON",
        "closed_on": "2026-11-24",
        "company": "a1",
        "responsible": "u1",
        "contact": "c1",
    }
    request = CONNECTOR.write("deal.update").request(settings, Command("k", values, "d1"))
    assert (request.method, request.path) == ("PATCH", "/opportunities/d1/")
    assert request.json == {
        "pipeline": "p", "stage": "CLOSED_WON", "closed_on": "2026-11-24", "account": "a1", "assigned_to": ["u1"],
        "contacts": ["c1"],
    }  # fmt: skip


def test_a_200_may_hold_a_refusal(settings: BottleCrmSettings) -> None:
    result = CONNECTOR.write("contact.create").result
    assert result(settings, Command("k", {}), answer({"error": False, "id": "x"})) == "x"
    with pytest.raises(WriteRejected, match="no such thing"):
        result(settings, Command("k", {}), answer({"error": True, "message": "no such thing"}))
    with pytest.raises(VendorChanged):
        result(settings, Command("k", {}), answer({"error": False}))


def test_what_is_gone_is_told_so(settings: BottleCrmSettings) -> None:
    remove = CONNECTOR.write("lead.delete")
    assert remove.read is not None
    command = Command("k", {}, "l1")
    assert (remove.request(settings, command).method, remove.request(settings, command).path) == (
        "DELETE",
        "/leads/l1/",
    )
    assert remove.read.found(settings, command, answer({"detail": "No Lead"}, 404)) is None
    there = remove.read.found(settings, command, answer({"lead_obj": {"id": "l1", "title": "x"}}))
    assert there is not None
    with pytest.raises(VendorChanged):
        remove.read.found(settings, command, answer({"lead": {}}))
