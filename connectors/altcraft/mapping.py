"""From Altcraft's profiles and history to unified records: pure functions of a record's bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from connectors.altcraft.settings import AltcraftSettings
from connectors.altcraft.wire import Event
from connectors.contract import Mapped, Skip
from connectors.errors import BadRecord
from connectors.people import address, birthday
from schema.enums import Direction, MessageChannel
from schema.records import ContactRecord, MessageRecord

STATUSES = ("subscribed", "unsubscribed", "complained", "hardbounced", "unconfirmed", "suspended", "invalid")
"""Consent by its number [10]; answers have words, and a number is understood too."""
_OWN = frozenset(
    {"id", "_id", "email", "phones", "_fname", "_lname", "subscriptions", "_regdate", "_status", "db_id"}
)
_KNOWN_CUSTOM = {"_city": "city", "_region": "region", "_country": "country", "_vendor": "lead_source"}
_SEXES = {0: "male", 1: "female"}  # [12] zero says something

SENT = {"send": "email", "send_sms": "sms", "send_push": "push", "reply": "email"}
REACTIONS = {
    "uopen": "Opened",
    "uclick": "Clicked",
    "unsub": "Unsubscribed",
    "complain": "Complained of spam",
    "hbounce": "The address doesn't exist",
}
"""Actions of the history that become messages: what was sent, the client's answer, and first reactions to it.
Those of other channels have the channel after them (``uclick_sms``)."""
_CHANNELS = {"email": MessageChannel.EMAIL, "sms": MessageChannel.SMS}

_EVENT = msgspec.json.Decoder(Event)


def map_profile(settings: AltcraftSettings, body: bytes) -> Mapped:
    """A profile. Consent is a field of its own for each channel and resource: ``consent_email_5``."""
    profile = msgspec.json.decode(body, type=dict[str, Any])
    subscriptions = [each for each in profile.get("subscriptions") or () if isinstance(each, dict)]
    alive = [each for each in subscriptions if not each.get("is_delete")]
    phones = [*_texts(profile.get("phones")), *_addresses(alive, "phone")]
    emails = [*_texts(profile.get("email")), *_addresses(alive, "email")]
    custom = dict(_custom(settings, profile)) | dict(_consents(alive))
    first, last = _text(profile.get("_fname")), _text(profile.get("_lname"))
    return [
        ContactRecord(
            external_id=str(profile.get("id") or profile.get("_id")),
            name=" ".join(part for part in (last, first) if part) or None,
            first_name=first,
            last_name=last,
            birthday=birthday(custom.get("birthday")),
            address=address(custom.get("city"), _text(profile.get("_postal_code"))) if custom.get("city") else None,
            phones=tuple(dict.fromkeys(phones)),
            emails=tuple(dict.fromkeys(emails)),
            created_at=_moment(profile["_regdate"]) if _text(profile.get("_regdate")) else None,
            custom=custom or None,
        )
    ]


def map_event(settings: AltcraftSettings, body: bytes) -> Mapped:
    """An event of the history. A campaign of Altcraft is a mailing, not an advertising campaign."""
    event = _EVENT.decode(body)
    base, _, suffix = event.action.partition("_")
    if event.action in SENT:
        text, inbound = None, event.action == "reply"
    elif base in REACTIONS and settings.reactions:
        text, inbound = REACTIONS[base], True
    else:
        return Skip("This kind of event isn't kept.")
    channel = event.channel or SENT.get(event.action) or suffix or "email"
    subscription = event.subscription or {}
    email = event.email or _text(subscription.get("email"))
    phone = _text(subscription.get("phone"))
    told = {
        "action": event.action,
        "mailing": event.campaign_name or _or_none(event.campaign_id),
        "channel": channel,
        "resource": _or_none(subscription.get("resource_id")),
    }
    return [
        MessageRecord(
            external_id=event_key(event),
            sent_at=_moment(event.datetime),
            channel=_CHANNELS.get(channel, MessageChannel.MESSENGER),
            direction=Direction.INBOUND if inbound else Direction.OUTBOUND,
            subject=event.message_name,
            text=text,
            emails=(email,) if email else (),
            phones=(phone,) if phone else (),
            contact=event.profile_id,
            custom={key: value for key, value in told.items() if value},
        )
    ]


def event_key(event: Event) -> str:
    """[9] Older events have no id of their own."""
    if event.event_id:
        return event.event_id
    parts = (event.profile_id, event.email, event.action, event.datetime, event.message_id)
    return hashlib.sha256("|".join(str(part or "") for part in parts).encode()).hexdigest()[:24]


def status_of(told: object) -> str | None:
    """A consent's status as a word."""
    if isinstance(told, int) and 0 <= told < len(STATUSES):
        return STATUSES[told]
    return told if isinstance(told, str) and told else None


def _consents(subscriptions: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Of several addresses at one resource the one that may not be written to speaks for all."""
    for each in sorted(subscriptions, key=lambda one: status_of(one.get("status")) != "subscribed"):
        status, channel, resource = status_of(each.get("status")), each.get("channel"), each.get("resource_id")
        if status is not None and channel and resource is not None:
            yield f"consent_{channel}_{resource}", status


def _custom(settings: AltcraftSettings, profile: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in profile.items():
        if key in _OWN or value in (None, "", []):
            continue
        if key == "_bdate":
            yield "birthday", _moment(value).astimezone(settings.zone).date().isoformat()  # [11]
        elif key == "_sex":
            yield "sex", _SEXES.get(value, value)
        elif key in _KNOWN_CUSTOM:
            yield _KNOWN_CUSTOM[key], value
        elif not key.startswith("_"):
            yield key, value


def _addresses(subscriptions: list[dict[str, Any]], kind: str) -> Iterator[str]:
    """[6] Lists nest an address (``email_data``, ``cc_data``), the history and imports have it flat."""
    for each in subscriptions:
        places = [
            each,
            *(value for key, value in each.items() if key.endswith("_data") and isinstance(value, dict)),
        ]
        for place in places:
            yield from _texts(place.get(kind))


def _texts(value: object) -> Iterator[str]:
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, str) and each.strip():
            yield each.strip()


def _text(value: object) -> str | None:
    return next(_texts(value), None)


def _or_none(value: object) -> str | None:
    return None if value in (None, "", 0) else str(value)


def _moment(text: object) -> datetime:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        raise BadRecord(f"{text!r} is no time.") from None
    if found.tzinfo is None:
        raise BadRecord(f"{text!r} has no time zone.")
    return found
