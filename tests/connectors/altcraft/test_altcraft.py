"""Altcraft: the payloads of its documentation, and each of its traps."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from pydantic import ValidationError

from connectors.altcraft import CONNECTOR
from connectors.altcraft.errors import error_of
from connectors.altcraft.mapping import map_event, map_profile
from connectors.altcraft.settings import AltcraftSettings, base_url
from connectors.contract import Command, Delivery, Position, Skip, Start, VendorRequest, VendorResponse
from connectors.errors import (
    AuthFailed,
    BadRecord,
    BadSettings,
    NotPermitted,
    Transient,
    VendorChanged,
    WriteRejected,
)
from schema.enums import Direction, MessageChannel

SAMPLES = Path(__file__).parent / "samples"
KEYS: dict[str, Any] = {"base_url": "https://ru.altkraft.com", "token": "t", "db_id": 5}
SETTINGS = AltcraftSettings(**KEYS)
WRITING = AltcraftSettings(
    **KEYS, resource_id=3, segment_id=12, client_field="SKVOZ_CLIENT_SINCE", endpoint="website"
)
NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)
OK = {"error": 0, "error_text": "Successful operation"}


def sample(name: str) -> Any:
    return json.loads((SAMPLES / name).read_text())


def answer(body: Any) -> VendorResponse:
    return VendorResponse(200, httpx.Headers(), json.dumps(body).encode())


def mapped(function: Callable[..., Any], wire: Any, settings: AltcraftSettings = SETTINGS) -> Any:
    found = function(settings, json.dumps(wire).encode())
    return found if isinstance(found, Skip) else found[0]


# -- mapping


def test_a_profile_of_the_sample_has_nested_addresses_and_its_consent() -> None:
    record = mapped(map_profile, sample("profiles_list.response_cut.json")["data"][0])
    assert (record.external_id, record.name) == ("65117f62736a0e15d273faee", "Murphy Anna")
    assert record.emails == ("example@example.edu",)
    assert record.custom == {"city": "Moscow", "consent_email_5": "unsubscribed"}


def test_zero_says_something_and_days_are_of_the_accounts_zone() -> None:
    wire = {
        "id": "a",
        "phones": ["+79161234567", "+79161234567"],
        "email": "a@example.com",
        "_sex": 0,
        "_status": 0,
        "_bdate": "1990-02-22T21:00:00Z",
        "_regdate": "2024-01-09T12:12:18Z",
        "loyalty": 7,
        "subscriptions": [
            {"channel": "email", "resource_id": 3, "email": "flat@example.com", "status": 0},
            {"channel": "sms", "resource_id": 3, "sms_data": {"phone": "+79160000000"}, "status": "hardbounced"},
            {"channel": "email", "resource_id": 9, "email": "gone@example.com", "status": 0, "is_delete": True},
        ],
    }
    record = mapped(map_profile, wire)
    assert record.phones == ("+79161234567", "+79160000000")
    assert record.emails == ("a@example.com", "flat@example.com")
    assert record.custom == {
        "sex": "male",
        "birthday": "1990-02-23",
        "loyalty": 7,
        "consent_email_3": "subscribed",
        "consent_sms_3": "hardbounced",
    }
    assert record.birthday == date(1990, 2, 23)  # Moscow's midnight, written in UTC
    assert record.created_at == datetime(2024, 1, 9, 12, 12, 18, tzinfo=UTC)


def test_who_refused_at_one_address_isnt_told_as_one_who_agreed() -> None:
    both = [
        {"channel": "email", "resource_id": 3, "email": "a@example.com", "status": "subscribed"},
        {"channel": "email", "resource_id": 3, "email": "b@example.com", "status": "unsubscribed"},
    ]
    for told in (both, both[::-1]):
        assert mapped(map_profile, {"id": "a", "subscriptions": told}).custom == {"consent_email_3": "unsubscribed"}


def test_events_are_messages_and_reactions_and_mailings_are_no_campaigns() -> None:
    event = sample("history_get_all.response.json")["data"][0]
    sent = mapped(map_event, event)
    assert (sent.external_id, sent.contact, sent.subject) == (
        "66f6aaa9da00a9db1c0b2683",
        "66f66973096b3b454bbbccec",
        "testing",
    )
    assert (sent.channel, sent.direction) == (MessageChannel.EMAIL, Direction.OUTBOUND)
    assert sent.custom["mailing"] == "New astral campaign"
    clicked = mapped(map_event, event | {"action": "uclick_sms", "channel": "sms"})
    assert (clicked.channel, clicked.direction, clicked.text) == (
        MessageChannel.SMS,
        Direction.INBOUND,
        "Clicked",
    )
    assert isinstance(mapped(map_event, event | {"action": "open"}), Skip)
    quiet = AltcraftSettings(**KEYS, reactions=False)
    assert isinstance(mapped(map_event, event | {"action": "uclick"}, quiet), Skip)
    with pytest.raises(BadRecord):
        mapped(map_event, event | {"datetime": "27.09.2024"})


def test_older_events_are_known_by_what_they_say() -> None:
    event = {"action": "send", "datetime": "2024-09-27T15:52:57Z", "profile_id": "a", "message_id": 5}
    one, same = (mapped(map_event, event).external_id for _ in range(2))
    assert one == same != mapped(map_event, event | {"profile_id": "b"}).external_id


# -- reading

PROFILES, MESSAGES = CONNECTOR.stream("profiles"), CONNECTOR.stream("messages")


def walked(pages: list[dict[str, Any]]) -> list[str]:
    position = PROFILES.start(SETTINGS, Start(None, NOW, NOW, UUID(int=1)))
    seen = []
    for page in pages:
        assert position is not None
        told = PROFILES.read(SETTINGS, position, answer(page | OK))
        seen += [record.external_id for record in told.records]
        position = told.next
    assert position is None
    return seen


def test_the_list_ends_with_an_empty_page_and_goes_on_where_no_pointer_is_told() -> None:
    rows = [{"id": "a"}, {"id": "b"}]
    last = {"data": [{"id": "c"}], "next_from_id": "c"}
    assert walked([{"data": rows, "next_from_id": "b"}, last, {"data": []}]) == ["a", "b", "c"]
    assert walked([{"data": rows}, {"data": [{"id": "b"}, {"id": "c"}]}, {"data": [{"id": "c"}]}]) == [
        "a",
        "b",
        "c",
    ]
    assert walked([{"data": None}]) == []


def test_all_profiles_are_read_once_a_day_only() -> None:
    def start(hours: float) -> Position | None:
        cursor = {"walked_at": (NOW - timedelta(hours=hours)).isoformat()}
        return PROFILES.start(SETTINGS, Start(cursor, NOW, NOW, UUID(int=1)))

    assert start(1) is None
    assert start(24) is not None


def test_the_database_has_another_name_in_the_history_and_no_page_is_guessed() -> None:
    position = MESSAGES.start(SETTINGS, Start(None, NOW, NOW - timedelta(days=1), UUID(int=1)))
    assert position is not None
    body = MESSAGES.request(SETTINGS, position).json
    assert (body["list_id"], body["from_id"], "db_id" in body) == (5, "", False)
    event = sample("history_get_all.response.json")["data"][0]
    assert MESSAGES.read(SETTINGS, position, answer({"data": [event]} | OK)).next is None
    with pytest.raises(VendorChanged, match="next page"):
        MESSAGES.read(SETTINGS, position, answer({"data": [event] * 1000} | OK))


# -- errors


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (httpx.Response(200, json=OK), None),
        (httpx.Response(200, json={"error": 400, "error_text": "x"}), None),  # for who asked
        *[
            (httpx.Response(line["http"], json=line["body"]), kind)
            for line, kind in zip(
                map(json.loads, (SAMPLES / "synthetic_errors.jsonl").read_text().strip().splitlines()),
                (None, AuthFailed, NotPermitted),
                strict=True,
            )
        ],
        (httpx.Response(200, json={"error": 403, "error_text": "x"}), NotPermitted),
        (httpx.Response(200, json={"error": 500, "error_text": "x"}), Transient),
        (httpx.Response(404, text="nothing"), BadSettings),
        (httpx.Response(200, text="<html>"), BadSettings),
        (httpx.Response(502, text="<html>"), Transient),
        (httpx.Response(302), BadSettings),
    ],
)
def test_status_200_is_only_the_transports_success(response: httpx.Response, kind: type[Exception] | None) -> None:
    error = error_of(response)
    assert error is None if kind is None else type(error) is kind


def test_a_refused_question_fails_and_a_refused_change_is_rejected() -> None:
    refused = answer({"error": 400, "error_text": "Incorrect request"})
    with pytest.raises(VendorChanged, match="Incorrect request"):
        PROFILES.read(SETTINGS, {"from_id": "", "walked_at": ""}, refused)
    write = CONNECTOR.write("contact.create")
    with pytest.raises(WriteRejected, match="Incorrect request"):
        write.result(SETTINGS, Command("k", {}), refused)


# -- writing


def body_of(write: str, command: Command, settings: AltcraftSettings = WRITING) -> dict[str, Any]:
    request: VendorRequest = CONNECTOR.write(write).request(settings, command)
    body: dict[str, Any] = request.json
    return body


PERSON = {"first_name": "Анна", "phones": ["+79161234567"], "emails": ["a@example.com"]}


def test_a_profile_is_imported_quietly_and_without_any_consent() -> None:
    body = body_of("contact.create", Command("k", PERSON))
    assert (body["matching"], body["email"], body["phone"]) == ("email_phone", "a@example.com", "+79161234567")
    assert body["data"] == {"_fname": "Анна", "phones": ["+79161234567"], "email": "a@example.com"}
    assert body["skip_triggers"] is True
    assert "subscriptions" not in body["data"]
    made = CONNECTOR.write("contact.create").result(
        SETTINGS, Command("k", {}), answer(sample("profiles_import.response.json"))
    )
    assert made == "5f4fa1a5ce9448665fef548e"
    with pytest.raises(WriteRejected):
        body_of("contact.create", Command("k", {"first_name": "x"}))
    changed = body_of("contact.update", Command("k", {"last_name": "П"}, "5f4f"))
    assert (changed["matching"], changed["profile_id"], changed["data"]) == ("profile_id", "5f4f", {"_lname": "П"})


def test_becoming_a_client_fills_a_field_and_a_segment_and_may_start_scenarios() -> None:
    command = Command("k", PERSON | {"at": "2026-03-01T12:00:00+03:00"})
    body = body_of("client.put", command)
    assert body["data"]["SKVOZ_CLIENT_SINCE"] == "2026-03-01T12:00:00+03:00"
    assert (body["add_to_segments"], body["skip_triggers"]) == ([12], False)
    with pytest.raises(WriteRejected, match="settings"):
        body_of("client.put", command, SETTINGS)
    with pytest.raises(WriteRejected, match="time zone"):
        body_of("client.put", Command("k", PERSON | {"at": "2026-03-01T12:00:00"}))


def test_a_sale_has_our_key_and_its_row_is_looked_at() -> None:
    command = Command("key-1", PERSON | {"amount": "1000.50", "currency": "RUB", "at": "2026-03-01T12:00:00Z"})
    (order,) = body_of("sale.put", command)["data"]
    assert (order["external_id"], order["total_price"], order["endpoint"]) == ("key-1", "1000.50", "website")
    write = CONNECTOR.write("sale.put")
    assert write.result(WRITING, command, answer({"result": [OK]} | OK)) == "key-1"
    with pytest.raises(WriteRejected, match="no such product"):
        write.result(WRITING, command, answer({"result": [{"error": 400, "error_text": "no such product"}]} | OK))


def test_only_a_consent_that_was_given_is_told() -> None:
    body = body_of("consent.put", Command("k", {"consent": "subscribed", "emails": ["a@example.com"]}, "5f4f"))
    assert (body["status"], body["resource_id"], body["channel"]) == ("subscribed", 3, "email")
    for values in ({"consent": "unsubscribed", "emails": ["a@example.com"]}, {"consent": "subscribed"}):
        with pytest.raises(WriteRejected):
            body_of("consent.put", Command("k", values, "5f4f"))


# -- webhooks and settings


def test_hooks_name_profiles_and_tests_are_dropped() -> None:
    assert CONNECTOR.webhooks is not None
    ours = AltcraftSettings(**KEYS | {"db_id": 50})
    content = (SAMPLES / "synthetic_action_hook_batch.json").read_bytes()

    def read(settings: AltcraftSettings, body: bytes) -> list[tuple[str, str]]:
        assert CONNECTOR.webhooks is not None
        return [
            (one.stream, one.external_id)
            for one in CONNECTOR.webhooks.read(settings, Delivery(body, httpx.Headers()))
        ]

    assert read(ours, content) == [("profiles", "66f66973096b3b454bbbccec"), ("messages", "")]
    assert read(SETTINGS, content) == []  # another database's
    tests = json.dumps([event | {"is_test": True} for event in json.loads(content)]).encode()
    assert read(ours, tests) == []
    with pytest.raises(BadRecord):
        read(ours, b'{"event_type": "send"}')


def test_the_address_may_be_pasted_from_the_browser() -> None:
    pasted = AltcraftSettings(**KEYS | {"base_url": "RU.altkraft.com/api/v1.1/"})
    assert base_url(pasted) == "https://ru.altkraft.com/api/v1.1"
    for wrong in ({"base_url": "ftp://x"}, {"timezone": "Moscow"}, {"db_id": 0}):
        with pytest.raises(ValidationError):
            AltcraftSettings(**KEYS | wrong)


async def test_the_check_tells_which_setting_is_wrong(session_to: Any) -> None:
    def vendor(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("databases/get") and json.loads(request.content)["id"] != 5:
            return httpx.Response(200, json={"error": 404, "error_text": "not found"})
        return httpx.Response(200, json={"name": "Клиенты", "data": []} | OK)

    health = await CONNECTOR.check(session_to(CONNECTOR, SETTINGS, vendor))
    assert (health.ok, health.sentence) == (True, "Altcraft answers for the database «Клиенты».")
    with pytest.raises(BadSettings, match="no database with the number 6") as told:
        await CONNECTOR.check(session_to(CONNECTOR, AltcraftSettings(**KEYS | {"db_id": 6}), vendor))
    assert told.value.field == "db_id"
    refused = await CONNECTOR.check(
        session_to(CONNECTOR, SETTINGS, lambda _: httpx.Response(200, json={"error": 401, "error_text": "x"}))
    )
    assert (refused.ok, "make a new one" in refused.sentence) == (False, True)
