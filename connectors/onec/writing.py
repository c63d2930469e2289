"""How a base's records are made and changed. The numbers in brackets are facts in BEHAVIOR.md.

A record that Skvoz made carries its key at the end of its comment [18]: by it the record is found again when the
answer to its creation was lost. Sections are replaced whole [19], so phones are only written on new records.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from connectors.contract import Command, VendorRequest, VendorResponse
from connectors.errors import NotPermitted, VendorChanged
from connectors.onec.fields import EMAIL, PHONES
from connectors.onec.odata import JSON, NO_KEY, decoded, guid
from connectors.onec.profile import Role
from connectors.onec.settings import OneCSettings
from core import clock
from schema.enums import RecordKind

MARK = "skvoz:"
_EMPTY_DATE = "0001-01-01T00:00:00"
STATUS = {"open": "ВРаботе", "won": "Выиграна", "lost": "Проиграна"}
LISTS = frozenset({"phones", "emails"})
TIMES = frozenset({"created", "closed", "at", "finished_at"})
_DIRECTIONS = {"inbound": True, "outbound": False}
PARTY = RecordKind.COMPANY.value
REFERENCES = frozenset({"partner", "contact", "responsible", "stage", "pipeline", "lost_reason", "kind"})


@dataclass(frozen=True, slots=True)
class Kind:
    """How one role is written: which of our words may be set, and what every new record has."""

    role: str
    words: tuple[str, ...]
    title: str
    always: Mapping[str, Any]

    def of(self, settings: OneCSettings) -> Role:
        role = settings.names.role(self.role)
        if role is None:
            raise NotPermitted(f"The configuration {settings.profile} has nothing to write {self.role} into.")
        return role


PARTNER = Kind("partners", ("name", "full_name", "responsible", "comment"), "name", {"client": True})
CONTACT = Kind("contacts", ("name", "first_name", "middle_name", "last_name", "partner", "comment"), "name", {})
DEAL = Kind(
    "deals",
    (
        *("title", "partner", "contact", "responsible", "status", "amount", "closed", "stage", "pipeline"),
        *("lost_reason", "comment"),
    ),
    "title",
    {},
)
CALL = Kind("calls", ("phone", "name", "direction", "subject", "text", "responsible", "comment"), "subject", {})
EVENT = Kind("events", ("kind", "partner", "contact", "subject", "text", "at", "responsible"), "subject", {})


def _values(settings: OneCSettings, kind: Kind, command: Command) -> dict[str, Any]:
    """Our words as the base's properties; its own names go through."""
    role = kind.of(settings)
    told: dict[str, Any] = {}
    for word, value in command.values.items():
        if word in LISTS or (word == "first_name" and word not in kind.words):
            continue
        if word == PARTY:
            told[property_of(role, "partner")] = _written(settings, "partner", value)
            continue
        if word == "direction":
            told[property_of(role, "inbound")] = _DIRECTIONS.get(str(value), True)
        elif word == "status":
            told |= _status(role, str(value))
        elif word in kind.words:
            told[property_of(role, word)] = _written(settings, word, value)
        else:
            told[word] = value
    return told


def _status(role: Role, status: str) -> dict[str, Any]:
    if "status" in role.properties:
        return {role.properties["status"]: STATUS.get(status, status)}
    return {property_of(role, "finished"): status != "open"}  # [13]


def property_of(role: Role, word: str) -> str:
    name = role.properties.get(word)
    if name is None:
        raise NotPermitted(f"The base has no property for {role.name}.{word}: name it in the overrides.")
    return name


def _written(settings: OneCSettings, word: str, value: Any) -> Any:
    if value is None or value == "":
        return NO_KEY if word in REFERENCES else _EMPTY_DATE if word in TIMES else ""
    if word in TIMES:
        return local(settings, datetime.fromisoformat(str(value)))
    if word == "amount":
        return float(value)
    return value


def local(settings: OneCSettings, at: datetime) -> str:
    """A time as 1C keeps it: the server's, without a zone."""
    return at.astimezone(settings.zone).strftime("%Y-%m-%dT%H:%M:%S")


def create(kind: Kind) -> Callable[[OneCSettings, Command], VendorRequest]:
    def request(settings: OneCSettings, command: Command) -> VendorRequest:
        role = kind.of(settings)
        body = {property_of(role, word): value for word, value in kind.always.items()}
        body |= {**settings.defaults_of(kind.role), **_values(settings, kind, command)}
        if role.is_document:
            body.setdefault("Date", local(settings, clock.now()))
        elif "created" in role.properties:
            body.setdefault(role.properties["created"], local(settings, clock.now()))
        if kind.role == PARTNER.role:
            name = body.get(property_of(role, "name")) or "—"
            for word, value in (("full_name", name), ("kind", "ЧастноеЛицо")):
                if word in role.properties:
                    body.setdefault(role.properties[word], value)
        lines = [] if kind is DEAL else _contact_lines(settings, command)  # a deal's client has a card
        if lines:
            body[property_of(role, "contacts")] = lines
        marked = comment_of(role)
        body[marked] = f"{body.get(marked) or ''}\n{mark(command)}".strip()
        return VendorRequest(f"/{role.set}", "POST", query={"$format": JSON}, json=body)

    return request


def update(kind: Kind) -> Callable[[OneCSettings, Command], VendorRequest]:
    def request(settings: OneCSettings, command: Command) -> VendorRequest:
        role = kind.of(settings)
        if not LISTS.isdisjoint(command.values):
            raise NotPermitted(
                "Phones and e-mails of a record that is there can't be changed: 1C takes the section whole, and "
                "what else stands in it would be lost. Leave them out of the rule."
            )
        path = f"/{role.set}({guid(str(command.external_id))})"
        values = _values(settings, kind, command)
        return VendorRequest(path, "PATCH", query={"$format": JSON}, json=values)

    return request


def comment_of(role: Role) -> str:
    """Where our key stands: a text of any length that people may read."""
    return role.properties.get("comment") or property_of(role, "text")


def _contact_lines(settings: OneCSettings, command: Command) -> list[dict[str, Any]]:
    """[19] Written through OData nothing is filled in by itself: each line says everything."""
    lines = []
    for number in command.values.get("phones") or ():
        if not settings.phone_kind:
            raise NotPermitted("To write phones, the setting phone_kind is needed: the check tells its value.")
        digits = "".join(each for each in str(number) if each.isdigit())
        lines.append(
            _line("Телефон", settings.phone_kind, str(number))
            | {"НомерТелефона": digits[:20], "НомерТелефонаБезКодов": digits[-7:]}
        )
    for address in command.values.get("emails") or ():
        if not settings.email_kind:
            raise NotPermitted("To write e-mails, the setting email_kind is needed: the check tells its value.")
        host = str(address).rpartition("@")[2]
        lines.append(
            _line(EMAIL, settings.email_kind, str(address)) | {"АдресЭП": str(address), "ДоменноеИмяСервера": host}
        )
    return [line | {"LineNumber": str(number)} for number, line in enumerate(lines, 1)]


def _line(kind: str, key: str, shown: str) -> dict[str, Any]:
    value: dict[str, str] = {"value": shown, "comment": "", "type": kind}
    if kind in PHONES:
        digits = "".join(each for each in shown if each.isdigit())
        value |= {"countryCode": digits[:-10], "areaCode": digits[-10:-7], "number": digits[-7:], "extNumber": ""}
    return {
        "Тип": kind,
        "Вид_Key": key,
        "ВидДляСписка_Key": key,
        "Представление": shown,
        "Значение": json.dumps(value, ensure_ascii=False),
    }


class _Named(msgspec.Struct):
    ref: str = msgspec.field(name="Ref_Key")


def named(_settings: OneCSettings, _command: Command, response: VendorResponse) -> str:
    try:
        return msgspec.convert(decoded(response.content), _Named).ref
    except msgspec.MsgspecError:
        raise VendorChanged("1C took a change and did not tell the record's key.") from None


def mark(command: Command) -> str:
    return f"{MARK}{command.key}"
