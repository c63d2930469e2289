"""What is written into a base. The numbers in brackets are facts in BEHAVIOR.md.

A record that Skvoz made carries its key at the end of its comment [18]: by it the record is found again when the
answer to its creation was lost. Sections are replaced whole [19], so phones are only written on new records.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from connectors.contract import (
    Command,
    Described,
    Lookup,
    Standing,
    VendorRequest,
    VendorResponse,
    Write,
)
from connectors.errors import NotPermitted, VendorChanged
from connectors.onec import metadata
from connectors.onec.errors import error_as_answer, missing
from connectors.onec.fields import EMAIL, PHONES, Row
from connectors.onec.marking import marking
from connectors.onec.odata import JSON, NO_KEY, any_of, ask, decoded, guid, rows, text
from connectors.onec.profile import Role
from connectors.onec.settings import OneCSettings
from core import clock
from schema.enums import RecordKind

_MARK = "skvoz:"
_EMPTY_DATE = "0001-01-01T00:00:00"
_STATUS = {"open": "ВРаботе", "won": "Выиграна", "lost": "Проиграна"}
_LISTS = frozenset({"phones", "emails"})
_TIMES = frozenset({"created", "closed", "at", "finished_at"})
_DIRECTIONS = {"inbound": True, "outbound": False}
_PARTY = RecordKind.COMPANY.value
_REFERENCES = frozenset({"partner", "contact", "responsible", "stage", "pipeline", "lost_reason", "kind"})


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
        if word in _LISTS or (word == "first_name" and word not in kind.words):
            continue
        if word == _PARTY:
            told[_property(role, "partner")] = _written(settings, "partner", value)
            continue
        if word == "direction":
            told[_property(role, "inbound")] = _DIRECTIONS.get(str(value), True)
        elif word == "status":
            told |= _status(role, str(value))
        elif word in kind.words:
            told[_property(role, word)] = _written(settings, word, value)
        else:
            told[word] = value
    return told


def _status(role: Role, status: str) -> dict[str, Any]:
    if "status" in role.properties:
        return {role.properties["status"]: _STATUS.get(status, status)}
    return {_property(role, "finished"): status != "open"}  # [13]


def _property(role: Role, word: str) -> str:
    name = role.properties.get(word)
    if name is None:
        raise NotPermitted(f"The base has no property for {role.name}.{word}: name it in the overrides.")
    return name


def _written(settings: OneCSettings, word: str, value: Any) -> Any:
    if value is None or value == "":
        return NO_KEY if word in _REFERENCES else _EMPTY_DATE if word in _TIMES else ""
    if word in _TIMES:
        return local(settings, datetime.fromisoformat(str(value)))
    if word == "amount":
        return float(value)
    return value


def local(settings: OneCSettings, at: datetime) -> str:
    """A time as 1C keeps it: the server's, without a zone."""
    return at.astimezone(settings.zone).strftime("%Y-%m-%dT%H:%M:%S")


def _create(kind: Kind) -> Callable[[OneCSettings, Command], VendorRequest]:
    def request(settings: OneCSettings, command: Command) -> VendorRequest:
        role = kind.of(settings)
        body = {_property(role, word): value for word, value in kind.always.items()}
        body |= {**settings.defaults_of(kind.role), **_values(settings, kind, command)}
        if role.is_document:
            body.setdefault("Date", local(settings, clock.now()))
        elif "created" in role.properties:
            body.setdefault(role.properties["created"], local(settings, clock.now()))
        if kind.role == PARTNER.role:
            name = body.get(_property(role, "name")) or "—"
            for word, value in (("full_name", name), ("kind", "ЧастноеЛицо")):
                if word in role.properties:
                    body.setdefault(role.properties[word], value)
        lines = [] if kind is DEAL else _contact_lines(settings, command)  # a deal's client has a card
        if lines:
            body[_property(role, "contacts")] = lines
        marked = _comment(role)
        body[marked] = f"{body.get(marked) or ''}\n{_mark(command)}".strip()
        return VendorRequest(f"/{role.set}", "POST", query={"$format": JSON}, json=body)

    return request


def _update(kind: Kind) -> Callable[[OneCSettings, Command], VendorRequest]:
    def request(settings: OneCSettings, command: Command) -> VendorRequest:
        role = kind.of(settings)
        if not _LISTS.isdisjoint(command.values):
            raise NotPermitted(
                "Phones and e-mails of a record that is there can't be changed: 1C takes the section whole, and "
                "what else stands in it would be lost. Leave them out of the rule."
            )
        path = f"/{role.set}({guid(str(command.external_id))})"
        values = _values(settings, kind, command)
        return VendorRequest(path, "PATCH", query={"$format": JSON}, json=values)

    return request


def _comment(role: Role) -> str:
    """Where our key stands: a text of any length that people may read."""
    return role.properties.get("comment") or _property(role, "text")


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


def _named(_settings: OneCSettings, _command: Command, response: VendorResponse) -> str:
    try:
        return msgspec.convert(decoded(response.content), _Named).ref
    except msgspec.MsgspecError:
        raise VendorChanged("1C took a change and did not tell the record's key.") from None


def _mark(command: Command) -> str:
    return f"{_MARK}{command.key}"


def _lookup(kind: Kind, sought: Callable[[OneCSettings, Role, Command], str | None]) -> Lookup[OneCSettings]:
    def request(settings: OneCSettings, command: Command) -> VendorRequest | None:
        role = kind.of(settings)
        where = sought(settings, role, command)
        if where is None:
            return None
        select = tuple(dict.fromkeys((*role.selected(), *_own_names(kind, command))))
        return ask(role.set, select=select, where=where, accept=frozenset({404}))

    def found(settings: OneCSettings, command: Command, response: VendorResponse) -> Standing | None:
        if response.status == 404:
            if missing(response):
                return None
            raise error_as_answer(response)
        role = kind.of(settings)
        for record in rows(response):
            row = Row.of(role, record.body, settings.zone)
            if not row.deleted:
                return _standing(settings, kind, row, decoded(record.body), command)
        return None

    return Lookup(request, found)


def _standing(
    settings: OneCSettings, kind: Kind, row: Row, values: Mapping[str, Any], command: Command
) -> Standing:
    told: dict[str, Any] = {}
    for word in kind.words:
        if word in _TIMES:
            at = row.moment(word)
            told[word] = None if at is None else at.isoformat()
        elif word == "status":
            told[word] = _status_word(row)
        elif word == "amount":
            told[word] = row.money(word)
        elif word == "direction":
            told[word] = "inbound" if row.flag("inbound") else "outbound"
        elif word == "comment":
            told[word] = (row.text(word) or "").partition(_MARK)[0].strip() or None
        else:
            told[word] = row.ref(word) if word in _REFERENCES else row.text(word)
    told |= {"phones": list(row.contact(*PHONES)), "emails": list(row.contact(EMAIL))}
    told |= {name: values.get(name) for name in _own_names(kind, command)}
    return Standing(row.key, row.text(kind.title) or f"#{row.key}", told)


def _status_word(row: Row) -> str | None:
    told = row.text("status")
    if told is not None:
        return next((word for word, name in _STATUS.items() if name == told), told)
    return None if row.flag("finished") is None else ("open" if not row.flag("finished") else "won")


def _own_names(kind: Kind, command: Command) -> list[str]:
    """Names of the base itself that a command holds."""
    known = {*kind.words, *_LISTS, "direction", "status", "first_name", _PARTY}
    return [name for name in command.values if name not in known]


def _by_mark(_settings: OneCSettings, role: Role, command: Command) -> str:
    """[18] Long texts can be searched and not compared."""
    return f"like({_comment(role)},{text(f'%{_mark(command)}%')})"


def _by_key(_settings: OneCSettings, _role: Role, command: Command) -> str | None:
    return None if command.external_id is None else any_of([command.external_id])


def _by_phone(_settings: OneCSettings, role: Role, command: Command) -> str | None:
    """[20] By the last ten digits of a phone, else by an e-mail."""
    section = role.properties.get("contacts")
    phones, emails = command.values.get("phones") or (), command.values.get("emails") or ()
    if section is None:
        return None
    tests = []
    for phone in phones:
        digits = "".join(each for each in str(phone) if each.isdigit())[-10:]
        if len(digits) == 10:
            tests.append(f"{section}/any(d: endswith(d/НомерТелефона,{text(digits)}))")
    for email in emails:
        spellings = dict.fromkeys((str(email).strip(), str(email).strip().lower()))
        tests += [f"{section}/any(d: d/АдресЭП eq {text(spelt)})" for spelt in spellings]
    return " or ".join(tests) or None


def _party(kind: Kind) -> Lookup[OneCSettings]:
    """The partner of whoever has the command's phone or e-mail: a partner, or a contact person of one."""
    looked = _lookup(kind, _by_phone)

    def request(settings: OneCSettings, command: Command) -> VendorRequest | None:
        return None if settings.names.role(kind.role) is None else looked.request(settings, _reach(command))

    def found(settings: OneCSettings, command: Command, response: VendorResponse) -> Standing | None:
        one = looked.found(settings, _reach(command), response)
        if one is None:
            return None
        key = one.external_id if kind is PARTNER else one.values.get("partner")
        return None if key is None else Standing(key, one.title, kind=RecordKind.COMPANY)

    return Lookup(request, found)


def _reach(command: Command) -> Command:
    """Of a deal's values those by which its client is found: the others are no properties of a card."""
    return Command(command.key, {name: value for name, value in command.values.items() if name in _LISTS})


def _open_deal() -> Lookup[OneCSettings]:
    """A deal of the partner that is neither won nor lost. What deals' states are called differs, so all of the
    partner's are asked for."""

    def request(settings: OneCSettings, command: Command) -> VendorRequest | None:
        party = command.values.get(_PARTY)
        if not party:
            return None
        role = DEAL.of(settings)
        return ask(role.set, select=role.selected(), where=f"{_property(role, 'partner')} eq {guid(str(party))}")

    def found(settings: OneCSettings, command: Command, response: VendorResponse) -> Standing | None:
        role = DEAL.of(settings)
        for record in rows(response):
            row = Row.of(role, record.body, settings.zone)
            if not row.deleted and _status_word(row) == "open":
                standing = _standing(settings, DEAL, row, decoded(record.body), Command(command.key, {}))
                return replace(standing, kind=RecordKind.DEAL)
        return None

    return Lookup(request, found)


def _described(kind: Kind) -> Described[OneCSettings]:
    def request(_settings: OneCSettings) -> VendorRequest:
        return VendorRequest("/$metadata")

    def fields(settings: OneCSettings, response: VendorResponse) -> Mapping[str, str]:
        role = kind.of(settings)
        found = metadata.read(response.content, {role.set}).properties.get(role.set, set())
        return {name: name for name in sorted(found) if name not in ("Ref_Key", "DataVersion")}

    return Described(request, fields)


def _write(
    name: str, title: str, entity: RecordKind, kind: Kind, *, creates: bool, lists: bool = False
) -> Write[OneCSettings]:
    words = tuple(word for word in kind.words if word != "kind" or kind.role == EVENT.role)
    return Write(
        name=name,
        title=title,
        entity=entity,
        operation="create" if creates else "update",
        idempotency="marker" if creates else "absolute",
        fields=(*words, "phones", "emails") if lists else words,
        request=_create(kind) if creates else _update(kind),
        result=_named,
        by_marker=_lookup(kind, _by_mark) if creates else None,
        by_match=_lookup(kind, _by_phone) if creates and lists else None,
        read=_lookup(kind, _by_key),
        described=_described(kind),
        replaces_lists=lists,
    )


WRITES: tuple[Write[OneCSettings], ...] = (
    _write("partner.create", "Make a partner", RecordKind.COMPANY, PARTNER, creates=True, lists=True),
    _write("partner.update", "Change a partner", RecordKind.COMPANY, PARTNER, creates=False),
    _write("contact.create", "Make a contact person", RecordKind.CONTACT, CONTACT, creates=True, lists=True),
    _write("contact.update", "Change a contact person", RecordKind.CONTACT, CONTACT, creates=False),
    replace(
        _write("deal.create", "Make a deal (interest)", RecordKind.DEAL, DEAL, creates=True),
        fields=(*DEAL.words, "first_name", "phones", "emails"),
        by_party=(_party(PARTNER), _party(CONTACT)),
        card="partner.create",
        by_match=_open_deal(),
        undo="deal.delete",
    ),
    *marking("contact", "a partner or contact person", RecordKind.CONTACT, ("partners", "contacts")),
    *marking("deal", "a deal (interest)", RecordKind.DEAL, ("deals",)),
    _write("deal.update", "Change a deal (interest)", RecordKind.DEAL, DEAL, creates=False),
    _write("call.create", "Make a telephone call", RecordKind.CALL, CALL, creates=True),
    _write("event.create", "Make an event", RecordKind.MESSAGE, EVENT, creates=True),
)
