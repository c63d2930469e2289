"""Chats: Calltouch tells of them by webhook only, so what a webhook says is all there is (BEHAVIOR.md [40], [42]).

A chat is a lead, as a request is. It becomes one from the parameters that were chosen for the webhook, by the names
that receivers use.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from connectors.calltouch.mapping import custom_of, distinct
from connectors.calltouch.settings import CalltouchSettings
from connectors.calltouch.values import identifier, instant, local_time
from connectors.calltouch.visits import origin_of, traffic_of, visitor_ids_of
from connectors.calltouch.wire import Session
from connectors.contract import Mapped, Page, Position, Start, VendorRequest, VendorResponse
from connectors.errors import BadRecord, VendorChanged
from schema.records import LeadRecord
from schema.traffic import Traffic, present

CHAT_IDS = ("chatId", "chat_id", "id")
_NAMES = ("fio", "name", "clientName")
_PHONES = ("phone", "phoneNumber", "callerphone", "waPhone")
_EMAILS = ("email", "mail")
_TIMES = ("timestamp", "date", "chatTime")
_TEXTS = ("message", "text", "comment")
_TAKEN = frozenset((*CHAT_IDS, *_NAMES, *_PHONES, *_EMAILS, *_TIMES, *_TEXTS, "subject"))

_CHAT = msgspec.json.Decoder(dict[str, str])


def start_chats(_settings: CalltouchSettings, _start: Start) -> Position | None:
    """Nothing is read: there is no journal of chats."""
    return None


def ask_chats(_settings: CalltouchSettings, _position: Position) -> VendorRequest:
    raise VendorChanged("Calltouch has no journal of chats: they come by webhook.")


def read_chats(_settings: CalltouchSettings, _position: Position, _response: VendorResponse) -> Page:
    raise VendorChanged("Calltouch has no journal of chats: they come by webhook.")


def map_chat(settings: CalltouchSettings, body: bytes) -> Mapped:
    """A chat as a lead, out of a webhook's parameters."""
    told = _CHAT.decode(body)
    chat_id = identifier(_first(told, CHAT_IDS))
    if chat_id is None:
        raise BadRecord("A chat without an id.")
    when = _first(told, _TIMES)
    if when is not None and when.isdecimal():
        moment = instant(when)
    else:
        local = local_time(when)
        moment = None if local is None else local.replace(tzinfo=settings.zone)
    if moment is None:
        raise BadRecord("A chat without a time: add timestamp to the parameters of the webhook.")
    traffic = traffic_of(session_of(told))
    lead = LeadRecord(
        external_id=f"chat-{chat_id}",
        created_at=moment,
        title=present(told.get("subject")) or "Chat",
        name=_first(told, _NAMES),
        phones=distinct([_first(told, _PHONES)]),
        emails=distinct([_first(told, _EMAILS)]),
        visitor_ids=visitor_ids_of(
            told.get("ctClientId"), told.get("yaClientId"), told.get("gcid") or told.get("clientId")
        ),
        visit=identifier(told.get("sessionId")),
        comment=_first(told, _TEXTS),
        traffic=None if traffic == Traffic() else origin_of(traffic, Traffic()),
        custom=custom_of(**{name: present(value) for name, value in told.items() if name not in _TAKEN}),
    )
    return [lead]


def session_of(told: Mapping[str, str]) -> Session:
    """Where the visitor came from, out of a webhook's parameters: tags are in snake case here [41]."""
    return Session(
        source=told.get("source"),
        medium=told.get("medium"),
        utm_source=told.get("utm_source"),
        utm_medium=told.get("utm_medium"),
        utm_campaign=told.get("utm_campaign"),
        utm_content=told.get("utm_content"),
        utm_term=told.get("utm_term"),
        url=told.get("url"),
        ref=told.get("ref"),
    )


def _first(told: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((value for name in names if (value := present(told.get(name))) is not None), None)
