"""How what stands in a base is found: by our key, its own, or a client's phone or e-mail. The numbers in brackets
are facts in BEHAVIOR.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from connectors.contract import Command, Lookup, Standing, VendorRequest, VendorResponse
from connectors.onec.errors import error_as_answer, missing
from connectors.onec.fields import EMAIL, PHONES, Row
from connectors.onec.odata import any_of, ask, decoded, guid, rows, text
from connectors.onec.profile import Role
from connectors.onec.settings import OneCSettings
from connectors.onec.writing import (
    DEAL,
    LISTS,
    MARK,
    PARTNER,
    PARTY,
    REFERENCES,
    STATUS,
    TIMES,
    Kind,
    comment_of,
    mark,
    property_of,
)
from schema.enums import RecordKind


def lookup(kind: Kind, sought: Callable[[OneCSettings, Role, Command], str | None]) -> Lookup[OneCSettings]:
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
        if word in TIMES:
            at = row.moment(word)
            told[word] = None if at is None else at.isoformat()
        elif word == "status":
            told[word] = _status_word(row)
        elif word == "amount":
            told[word] = row.money(word)
        elif word == "direction":
            told[word] = "inbound" if row.flag("inbound") else "outbound"
        elif word == "comment":
            told[word] = (row.text(word) or "").partition(MARK)[0].strip() or None
        else:
            told[word] = row.ref(word) if word in REFERENCES else row.text(word)
    told |= {"phones": list(row.contact(*PHONES)), "emails": list(row.contact(EMAIL))}
    told |= {name: values.get(name) for name in _own_names(kind, command)}
    return Standing(row.key, row.text(kind.title) or f"#{row.key}", told)


def _status_word(row: Row) -> str | None:
    told = row.text("status")
    if told is not None:
        return next((word for word, name in STATUS.items() if name == told), told)
    return None if row.flag("finished") is None else ("open" if not row.flag("finished") else "won")


def _own_names(kind: Kind, command: Command) -> list[str]:
    """Names of the base itself that a command holds."""
    known = {*kind.words, *LISTS, "direction", "status", "first_name", PARTY}
    return [name for name in command.values if name not in known]


def by_mark(_settings: OneCSettings, role: Role, command: Command) -> str:
    """[18] Long texts can be searched and not compared."""
    return f"like({comment_of(role)},{text(f'%{mark(command)}%')})"


def by_key(_settings: OneCSettings, _role: Role, command: Command) -> str | None:
    return None if command.external_id is None else any_of([command.external_id])


def by_phone(_settings: OneCSettings, role: Role, command: Command) -> str | None:
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


def party(kind: Kind) -> Lookup[OneCSettings]:
    """The partner of whoever has the command's phone or e-mail: a partner, or a contact person of one."""
    looked = lookup(kind, by_phone)

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
    return Command(command.key, {name: value for name, value in command.values.items() if name in LISTS})


def open_deal() -> Lookup[OneCSettings]:
    """A deal of the partner that is neither won nor lost. What deals' states are called differs, so all of the
    partner's are asked for."""

    def request(settings: OneCSettings, command: Command) -> VendorRequest | None:
        party = command.values.get(PARTY)
        if not party:
            return None
        role = DEAL.of(settings)
        return ask(role.set, select=role.selected(), where=f"{property_of(role, 'partner')} eq {guid(str(party))}")

    def found(settings: OneCSettings, command: Command, response: VendorResponse) -> Standing | None:
        role = DEAL.of(settings)
        for record in rows(response):
            row = Row.of(role, record.body, settings.zone)
            if not row.deleted and _status_word(row) == "open":
                standing = _standing(settings, DEAL, row, decoded(record.body), Command(command.key, {}))
                return replace(standing, kind=RecordKind.DEAL)
        return None

    return Lookup(request, found)
