"""What is sent, and how what was sent before is found again."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.contract import Command, VendorResponse
from connectors.errors import VendorChanged, WriteRejected
from connectors.tryton import CONNECTOR
from connectors.tryton.settings import TrytonSettings

SAMPLES = Path(__file__).parent / "samples"
PERSON = {"first_name": "Анна", "last_name": "Орлова", "phones": ["+79160001122"], "emails": ["anna@b.test"]}


def answer(content: Any, status: int = 200) -> VendorResponse:
    return VendorResponse(status, httpx.Headers(), json.dumps(content).encode())


def recorded(name: str) -> VendorResponse:
    return VendorResponse(200, httpx.Headers(), (SAMPLES / name).read_bytes())


def test_a_party_carries_our_key_and_is_looked_for_by_it(settings: TrytonSettings) -> None:
    write = CONNECTOR.write("contact.create")
    request = write.request(settings, Command("k1", PERSON))
    assert (request.method, request.path) == ("POST", "/party.party")
    assert request.json["name"] == "Анна Орлова"
    assert request.json["identifiers"] == [["create", [{"code": "skvoz:k1"}]]]
    assert [each["type"] for each in request.json["contact_mechanisms"][0][1]] == ["phone", "email"]
    assert write.by_marker is not None
    look = write.by_marker.request(settings, Command("k1", PERSON))
    assert look is not None
    assert json.loads(urlsafe_b64decode(str(look.query["d"]))) == [["identifiers.code", "=", "skvoz:k1"]]
    standing = write.by_marker.found(settings, Command("k1", PERSON), recorded("parties.json"))
    assert standing is not None
    assert write.by_marker.found(settings, Command("k1", PERSON), answer([])) is None


def test_a_person_is_found_in_whatever_spelling(settings: TrytonSettings) -> None:
    lookup = CONNECTOR.write("contact.create").by_match
    assert lookup is not None
    command = Command("k1", {"phones": ["+79160001122"], "emails": ["a_b@c.test"]})
    request = lookup.request(settings, command)
    assert request is not None
    assert json.loads(urlsafe_b64decode(str(request.query["d"]))) == [
        "OR",
        ["contact_mechanisms.value", "ilike", "%9%1%6%0%0%0%1%1%2%2%"],
        ["contact_mechanisms.value", "ilike", "a\\_b@c.test"],
    ]
    found = lookup.found(settings, command, recorded("parties.json"))
    assert found is not None
    assert (found.external_id, found.title) == ("5", "ООО Ромашка")  # it has 8 (916) 000-11-22
    assert lookup.found(settings, Command("k1", {"phones": ["+79160001123"]}), recorded("parties.json")) is None
    assert lookup.request(settings, Command("k1", {"first_name": "Анна"})) is None


def test_a_request_keeps_phone_and_campaign_in_its_comment(settings: TrytonSettings) -> None:
    write = CONNECTOR.write("lead.create")
    values = PERSON | {"title": "Звонок", "utm_source": "yandex", "responsible": "2"}
    body = write.request(settings, Command("k2", values)).json
    assert (body["description"], body["employee"], body["company"]) == ("Звонок", 2, 1)
    assert body["reference"] == "skvoz:k2"
    assert body["comment"].splitlines() == [
        "Name: Анна Орлова", "Phone: +79160001122", "E-mail: anna@b.test", "utm_source: yandex",
    ]  # fmt: skip
    assert write.origin["utm_campaign"] == "utm_campaign"
    assert write.result(settings, Command("k2", {}), answer({"id": 7})) == "7"
    with pytest.raises(VendorChanged):
        write.result(settings, Command("k2", {}), answer({}))


def test_a_state_is_reached_by_its_method(settings: TrytonSettings) -> None:
    move = CONNECTOR.write("deal.move")
    request = move.request(settings, Command("k", {"stage": "converted"}, "5"))
    assert (request.method, request.path, request.json) == ("POST", "/sale.opportunity/5/convert", {})
    with pytest.raises(WriteRejected, match="only lead, opportunity"):
        move.request(settings, Command("k", {"stage": "won"}, "5"))


def test_what_is_cancelled_is_as_good_as_removed(settings: TrytonSettings) -> None:
    cancel = CONNECTOR.write("deal.cancel")
    assert cancel.read is not None
    rows = {row["id"]: row for row in json.loads((SAMPLES / "opportunities.json").read_bytes())}
    command = Command("k", {}, "4")
    assert cancel.request(settings, command).path == "/sale.opportunity/4/cancel"
    assert cancel.read.found(settings, command, answer(rows[4])) is None
    assert cancel.read.found(settings, command, answer(rows[5])) is not None
    assert cancel.read.found(settings, command, answer(None, 404)) is None


def test_amounts_and_references_are_tryton_s(settings: TrytonSettings) -> None:
    values = {"amount": "100.50", "contact": "5", "title": None}
    request = CONNECTOR.write("deal.update").request(settings, Command("k", values, "5"))
    assert request.method == "PUT"
    assert request.json == {
        "amount": {"__class__": "Decimal", "decimal": "100.50"}, "party": 5, "description": None,
    }  # fmt: skip
    with pytest.raises(WriteRejected, match="no number of a record"):
        CONNECTOR.write("deal.update").request(settings, Command("k", {"contact": "Иван"}, "5"))
