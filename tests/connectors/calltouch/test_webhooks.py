"""Calltouch's webhooks: forms, addresses and JSON of names that the user chose, unsigned, and sometimes a trial."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import httpx
import msgspec
import pytest

from connectors.calltouch import CONNECTOR
from connectors.calltouch.settings import CalltouchSettings
from connectors.contract import Delivery, Start, Touched
from connectors.errors import BadRecord
from schema.records import LeadRecord

SETTINGS = CalltouchSettings(token="secret-token", site_id="12345")
CALL = (Path(__file__).parent / "samples" / "webhook_call.txt").read_bytes()
HOOKS = CONNECTOR.webhooks
assert HOOKS is not None


def delivery(content: bytes = b"", **query: str) -> Delivery:
    return Delivery(content, httpx.Headers({"content-type": "application/x-www-form-urlencoded"}), query)


def form(**values: str) -> bytes:
    return urlencode(values).encode()


def touched(told: Delivery, settings: CalltouchSettings = SETTINGS) -> Sequence[Touched]:
    assert HOOKS is not None
    return HOOKS.read(settings, told)


def test_a_call_is_named_and_not_believed() -> None:
    """Nobody signs a hook, so its body is a hint: the journal tells the call."""
    assert touched(delivery(CALL)) == touched(delivery(CALL, about="calls")) == (Touched("calls", "900000001"),)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (delivery(form(id="5"), about="calls"), Touched("calls", "5")),
        (delivery(about="calls", id="5"), Touched("calls", "5")),  # a GET
        (delivery(form(id="5"), about="Requests"), Touched("requests", "5")),
        (delivery(form(requestId="5", phone="7", order_id="9")), Touched("requests", "5")),
        (delivery(form(callId="5", order_id="9")), Touched("calls", "5")),
        (delivery(b'{"callId": 900000001, "unique": true, "url": null}'), Touched("calls", "900000001")),
        (delivery(b'{"callId": 18446744073709551617}'), Touched("calls", "18446744073709551617")),
        (delivery(form(callerphone="79990001122", id="5", unknown="kept")), Touched("calls", "5")),
    ],
)
def test_what_a_delivery_is_about(told: Delivery, expected: Touched) -> None:
    assert touched(told) == (expected,)


def test_deals_are_fetched_only_where_they_are_read() -> None:
    told = delivery(form(orderId="5", orderNumber="A-1"))
    assert touched(told) == ()
    for use, stream in (("evidence", "orders"), ("deals", "deals")):
        assert touched(told, SETTINGS.model_copy(update={"orders": use})) == (Touched(stream, "5"),)


@pytest.mark.parametrize(
    "told",
    [
        delivery(form(id="{id}", callerphone="{callerphone}")),
        delivery(form(callerphone="{callerphone}"), about="calls"),
        delivery(form(requestId="{requestId}"), about="requests"),
    ],
)
def test_a_trial_from_the_cabinet_is_passed_over(told: Delivery) -> None:
    assert touched(told) == ()


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (delivery(form(callerphone="79990001122")), "add the parameter id"),
        (delivery(form(id="5")), "what it is about"),
        (delivery(form(id="5"), about="sales"), "one of calls, chats, deals, requests"),
        (delivery(b"<xml/>"), "neither a form nor JSON"),
        (delivery(b"\xff\xfe=1"), "neither a form nor JSON"),
        (delivery(b'{"callId": {"id": 1}}'), "unknown shape"),
        (delivery(b"[1]"), "unknown shape"),
        (delivery(), "what it is about"),
    ],
)
def test_what_cannot_be_understood_says_what_to_mend(told: Delivery, words: str) -> None:
    with pytest.raises(BadRecord, match=words):
        touched(told)


def test_nothing_vouches_for_a_delivery_but_its_address() -> None:
    """The vendor neither signs nor numbers: equal deliveries may be the start and the end of one call."""
    assert HOOKS is not None
    assert HOOKS.genuine is None
    assert HOOKS.delivery_id is None


CHAT = {
    "chatId": "100000001",
    "timestamp": "1775200530",
    "name": "Пётр",
    "phone": "79990001122",
    "email": "<не указано>",
    "text": "Сколько стоит?",
    "sessionId": "700000001",
    "yaClientId": "1775109228651162001",
    "source": "yandex",
    "medium": "cpc",
    "utm_source": "yandex",
    "utm_campaign": "brand|101234567",
    "url": "https://example.com/?yclid=12345678901234567890",
    "site": "example.com",
}


def chat(**changes: Any) -> LeadRecord:
    (told,) = touched(
        delivery(form(**{name: str(value) for name, value in (CHAT | changes).items()}), about="chats")
    )
    assert (told.stream, told.external_id, told.deleted) == ("chats", "100000001", False)
    assert told.body is not None
    records = CONNECTOR.stream("chats").map(SETTINGS, told.body)
    assert isinstance(records, list)
    (record,) = records
    assert isinstance(record, LeadRecord)
    return record


def test_a_chat_is_a_lead_out_of_its_webhook() -> None:
    lead = chat()
    assert lead.external_id == "chat-100000001"
    assert lead.created_at == datetime(2026, 4, 3, 7, 15, 30, tzinfo=UTC)
    assert (lead.name, lead.phones, lead.emails) == ("Пётр", ("79990001122",), ())
    assert (lead.comment, lead.visit) == ("Сколько стоит?", "700000001")
    assert lead.visitor_ids == ("ym:1775109228651162001",)
    assert lead.traffic is not None
    assert (lead.traffic.utm_campaign, lead.traffic.click_id) == ("brand|101234567", "12345678901234567890")
    assert (lead.custom or {})["site"] == "example.com"


def test_a_chat_needs_a_time() -> None:
    assert chat(timestamp="03/04/2026 10:15:30").created_at == chat().created_at
    with pytest.raises(BadRecord, match="add timestamp"):
        chat(timestamp="")


def test_there_is_no_journal_of_chats() -> None:
    now = datetime(2026, 4, 30, tzinfo=UTC)
    assert (
        CONNECTOR.stream("chats").start(SETTINGS, Start(cursor=None, now=now, since=now, run_id=UUID(int=1)))
        is None
    )


def test_a_chat_of_another_shape_is_set_aside() -> None:
    with pytest.raises(msgspec.ValidationError):
        CONNECTOR.stream("chats").map(SETTINGS, json.dumps([1]).encode())


def test_the_setup_says_where_and_what() -> None:
    assert HOOKS is not None
    for word in ("Webhooks", "?about=calls", "?about=requests", "92.118.66.0/23", "POST", "parameter id"):
        assert word in HOOKS.setup
