"""Parties: how they are made, changed, put away and found. The numbers in brackets are facts in BEHAVIOR.md."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from connectors.contract import Command, Lookup, Standing, VendorRequest, VendorResponse, Write
from connectors.tryton import wire
from connectors.tryton.query import PARTY, by_id, rows, search
from connectors.tryton.reads import party_fields
from connectors.tryton.settings import TrytonSettings
from connectors.tryton.writing import (
    MECHANISMS,
    NAMES,
    decoded,
    known_id,
    mark,
    mechanisms_of,
    name_of,
    named_id,
    post,
    put,
)
from schema.enums import RecordKind

CARD = (*NAMES, *MECHANISMS)


def _make_party(settings: TrytonSettings, command: Command) -> VendorRequest:
    body: dict[str, Any] = {"name": name_of(command.values), "identifiers": [["create", [{"code": mark(command)}]]]}
    mechanisms = mechanisms_of(command.values)
    return post(settings, f"/{PARTY}", body | ({"contact_mechanisms": mechanisms} if mechanisms else {}))


def _change_party(settings: TrytonSettings, command: Command) -> VendorRequest:
    """Phones and e-mails are added, each one a record of its own."""
    body: dict[str, Any] = {}
    if name := name_of(command.values):
        body["name"] = name
    if mechanisms := mechanisms_of(command.values):
        body["contact_mechanisms"] = mechanisms
    return put(settings, f"/{PARTY}/{command.external_id}", body)


def _put_party_away(settings: TrytonSettings, command: Command) -> VendorRequest:
    """[8] Deleting is refused where a party is used; put away, it is out of everybody's sight."""
    return put(settings, f"/{PARTY}/{command.external_id}", {"active": False})


def _bring_party_back(settings: TrytonSettings, command: Command) -> VendorRequest:
    active = not command.values["deleted"]
    return put(settings, f"/{PARTY}/{command.external_id}", {"active": active})


def _card(row: wire.Party) -> Standing | None:
    if not row.active:
        return None
    values: dict[str, Any] = {"first_name": row.name, "middle_name": None, "last_name": None}
    for name, types in (("phones", ("phone", "mobile")), ("emails", ("email",))):
        values[name] = [one.value for one in row.contact_mechanisms if one.active and one.type in types]
    return Standing(str(row.id), row.name or f"#{row.id}", values, row.changed)


def _party_by_mark(settings: TrytonSettings, command: Command) -> VendorRequest:
    domain = [["identifiers.code", "=", mark(command)]]
    return search(settings, PARTY, party_fields(settings), domain, limit=1)


def _first_card(_settings: TrytonSettings, _command: Command, response: VendorResponse) -> Standing | None:
    cards = (_card(msgspec.json.decode(record.body, type=wire.Party)) for record in rows(response))
    return next(filter(None, cards), None)


def _party_by_contact(settings: TrytonSettings, command: Command) -> VendorRequest | None:
    """[14] Values stand as people typed them: a pattern with the digits in their order finds each spelling."""
    sought: list[Any] = []
    for phone in command.values.get("phones") or ():
        digits = _digits(phone)
        if len(digits) >= 7:
            sought.append(["contact_mechanisms.value", "ilike", f"%{'%'.join(digits)}%"])
    for email in command.values.get("emails") or ():
        escaped = str(email).strip().replace("\\", r"\\").replace("_", r"\_").replace("%", r"\%")
        sought.append(["contact_mechanisms.value", "ilike", escaped])
    return search(settings, PARTY, party_fields(settings), ["OR", *sought], limit=20) if sought else None


def _same_card(_settings: TrytonSettings, command: Command, response: VendorResponse) -> Standing | None:
    phones = {_digits(one) for one in command.values.get("phones") or ()}
    emails = {str(one).strip().casefold() for one in command.values.get("emails") or ()}
    for record in rows(response):
        card = _card(msgspec.json.decode(record.body, type=wire.Party))
        if card is None:
            continue
        theirs = {_digits(one) for one in card.values["phones"]}
        letters = {str(one).strip().casefold() for one in card.values["emails"]}
        if phones & theirs or emails & letters:
            return replace(card, kind=RecordKind.CONTACT)
    return None


def _digits(phone: Any) -> str:
    """The last ten digits, which are the same in every spelling of a number."""
    return "".join(each for each in str(phone) if each.isdigit())[-10:]


def _party_by_id(settings: TrytonSettings, command: Command) -> VendorRequest | None:
    if command.external_id is None:
        return None
    return by_id(settings, PARTY, command.external_id, party_fields(settings))


def _one_card(_settings: TrytonSettings, _command: Command, response: VendorResponse) -> Standing | None:
    return None if response.status == 404 else _card(decoded(response, wire.Party))


def _put_away_or_not(_settings: TrytonSettings, _command: Command, response: VendorResponse) -> Standing | None:
    if response.status == 404:
        return None
    row = decoded(response, wire.Party)
    return Standing(str(row.id), row.name or f"#{row.id}", {"deleted": not row.active}, row.changed)


_BY_ID: Lookup[TrytonSettings] = Lookup(_party_by_id, _one_card)
BY_CONTACT: Lookup[TrytonSettings] = Lookup(_party_by_contact, _same_card)
PARTY_WRITES: tuple[Write[TrytonSettings], ...] = (
    Write(
        name="contact.create",
        title="Make a party",
        entity=RecordKind.CONTACT,
        operation="create",
        idempotency="marker",
        fields=CARD,
        request=_make_party,
        result=named_id,
        by_marker=Lookup(_party_by_mark, _first_card),
        by_match=BY_CONTACT,
        read=_BY_ID,
        undo="contact.delete",
        lag_seconds=1.0,
    ),
    Write(
        name="contact.update",
        title="Change a party",
        entity=RecordKind.CONTACT,
        operation="update",
        idempotency="absolute",
        fields=CARD,
        request=_change_party,
        result=named_id,
        read=_BY_ID,
        resent=NAMES,
        lag_seconds=1.0,
    ),
    Write(
        name="contact.delete",
        title="Put a party away",
        entity=RecordKind.CONTACT,
        operation="delete",
        idempotency="absolute",
        fields=(),
        request=_put_party_away,
        result=known_id,
        read=_BY_ID,
        undo="contact.restore",
        lag_seconds=1.0,
    ),
    Write(
        name="contact.restore",
        title="Bring a party back that was put away",
        entity=RecordKind.CONTACT,
        operation="update",
        idempotency="absolute",
        fields=("deleted",),
        request=_bring_party_back,
        result=known_id,
        read=Lookup(_party_by_id, _put_away_or_not),
        lag_seconds=1.0,
    ),
)
