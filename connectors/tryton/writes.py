"""What is written into Tryton. The numbers in brackets are facts in BEHAVIOR.md.

What Skvoz made carries its key: a party as an identifier without a type, an opportunity as its reference [13]. By
it the record is found again when the answer to its creation was lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import msgspec

from connectors.contract import Command, Lookup, Standing, VendorRequest, VendorResponse, Write
from connectors.errors import VendorChanged, WriteRejected
from connectors.tryton import wire
from connectors.tryton.mapping import OURS
from connectors.tryton.notes import TAGS, Note
from connectors.tryton.query import (
    OPPORTUNITY,
    PARTY,
    by_id,
    headers,
    rows,
    search,
)
from connectors.tryton.reads import opportunity_fields, party_fields
from connectors.tryton.settings import TrytonSettings
from schema.enums import RecordKind

_NAMES = ("first_name", "middle_name", "last_name")
_MECHANISMS = {"phones": "phone", "emails": "email"}
_CARD = (*_NAMES, *_MECHANISMS)
_DEAL = ("title", "comment", "amount", "responsible", "contact", "company")
_NEW_DEAL = (*_DEAL, *_NAMES, *_MECHANISMS, *TAGS)
_REQUEST = ("title", "comment", "responsible", *_NAMES, *_MECHANISMS, *TAGS)
ACTIONS = {  # [9] states are reached by methods
    "lead": "lead",
    "opportunity": "opportunity",
    "converted": "convert",
    "lost": "lost",
    "cancelled": "cancel",
}


def _mark(command: Command) -> str:
    return f"{OURS}{command.key}"


def _name(values: Mapping[str, Any]) -> str:
    """[10] A name is one field there."""
    return " ".join(str(values[part]).strip() for part in _NAMES if values.get(part))


def _mechanisms(values: Mapping[str, Any]) -> list[Any]:
    told = [
        {"type": type_, "value": str(value)}
        for name, type_ in _MECHANISMS.items()
        for value in values.get(name) or ()
    ]
    return [["create", told]] if told else []


def _post(settings: TrytonSettings, path: str, body: Mapping[str, Any]) -> VendorRequest:
    return VendorRequest(path, "POST", json=body, headers=headers(settings))


# Parties ---------------------------------------------------------------------------------------------------------


def _make_party(settings: TrytonSettings, command: Command) -> VendorRequest:
    body: dict[str, Any] = {"name": _name(command.values), "identifiers": [["create", [{"code": _mark(command)}]]]}
    mechanisms = _mechanisms(command.values)
    return _post(settings, f"/{PARTY}", body | ({"contact_mechanisms": mechanisms} if mechanisms else {}))


def _change_party(settings: TrytonSettings, command: Command) -> VendorRequest:
    """Phones and e-mails are added, each one a record of its own."""
    body: dict[str, Any] = {}
    if name := _name(command.values):
        body["name"] = name
    if mechanisms := _mechanisms(command.values):
        body["contact_mechanisms"] = mechanisms
    return VendorRequest(f"/{PARTY}/{command.external_id}", "PUT", json=body, headers=headers(settings))


def _put_party_away(settings: TrytonSettings, command: Command) -> VendorRequest:
    """[8] Deleting is refused where a party is used; put away, it is out of everybody's sight."""
    return VendorRequest(
        f"/{PARTY}/{command.external_id}", "PUT", json={"active": False}, headers=headers(settings)
    )


def _bring_party_back(settings: TrytonSettings, command: Command) -> VendorRequest:
    active = not command.values["deleted"]
    return VendorRequest(
        f"/{PARTY}/{command.external_id}", "PUT", json={"active": active}, headers=headers(settings)
    )


def _card(row: wire.Party) -> Standing | None:
    if not row.active:
        return None
    values: dict[str, Any] = {"first_name": row.name, "middle_name": None, "last_name": None}
    for name, types in (("phones", ("phone", "mobile")), ("emails", ("email",))):
        values[name] = [one.value for one in row.contact_mechanisms if one.active and one.type in types]
    return Standing(str(row.id), row.name or f"#{row.id}", values, row.changed)


def _party_by_mark(settings: TrytonSettings, command: Command) -> VendorRequest:
    domain = [["identifiers.code", "=", _mark(command)]]
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
    return None if response.status == 404 else _card(_decoded(response, wire.Party))


def _put_away_or_not(_settings: TrytonSettings, _command: Command, response: VendorResponse) -> Standing | None:
    if response.status == 404:
        return None
    row = _decoded(response, wire.Party)
    return Standing(str(row.id), row.name or f"#{row.id}", {"deleted": not row.active}, row.changed)


# Opportunities ---------------------------------------------------------------------------------------------------


def _make_deal(settings: TrytonSettings, command: Command) -> VendorRequest:
    """[12] Who it is from stands on the party's card, where it came from in the comment."""
    values = {name: value for name, value in command.values.items() if name not in (*_CARD, *TAGS)}
    tags = {tag: str(command.values[tag]) for tag in TAGS if command.values.get(tag)}
    if tags:
        values["comment"] = Note(text=str(values.get("comment") or ""), tags=tags).comment()
    body = {"company": settings.company, **_deal_fields(values), "reference": _mark(command)}
    return _post(settings, f"/{OPPORTUNITY}", body)


def _make_request(settings: TrytonSettings, command: Command) -> VendorRequest:
    """[12] A request: who it is from and where it came from stand in the comment."""
    values = command.values
    note = Note(
        text=str(values.get("comment") or ""),
        name=_name(values) or None,
        phones=tuple(map(str, values.get("phones") or ())),
        emails=tuple(map(str, values.get("emails") or ())),
        tags={tag: str(values[tag]) for tag in TAGS if values.get(tag)},
    )
    body = {
        "company": settings.company,
        **_deal_fields({name: values[name] for name in ("title", "responsible") if name in values}),
        "comment": note.comment(),
        "reference": _mark(command),
    }
    return _post(settings, f"/{OPPORTUNITY}", body)


def _deal_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for name, value in values.items():
        match name:
            case "title":
                told["description"] = None if value is None else str(value)
            case "comment":
                told["comment"] = None if value is None else str(value)
            case "amount":
                told["amount"] = None if value is None else _decimal(value)
            case "responsible":
                told["employee"] = _number(name, value)
            case "contact" | "company":
                told["party"] = _number(name, value)
            case _:
                told[name] = value
    return told


def _decimal(value: Any) -> dict[str, str]:
    return {"__class__": "Decimal", "decimal": str(Decimal(str(value)))}


def _number(name: str, value: Any) -> int | None:
    if value in (None, ""):
        return None
    try:
        return int(str(value))
    except ValueError:
        raise WriteRejected(f"{value!r} is no number of a record in Tryton.", name) from None


def _change_deal(settings: TrytonSettings, command: Command) -> VendorRequest:
    return VendorRequest(
        f"/{OPPORTUNITY}/{command.external_id}",
        "PUT",
        json=_deal_fields(command.values),
        headers=headers(settings),
    )


def _move_deal(settings: TrytonSettings, command: Command) -> VendorRequest:
    stage = str(command.values["stage"])
    action = ACTIONS.get(stage)
    if action is None:
        known = ", ".join(ACTIONS)
        raise WriteRejected(f"An opportunity can't be put into the state {stage!r}: only {known}.", "stage")
    return _act(settings, command, action)


def _cancel_deal(settings: TrytonSettings, command: Command) -> VendorRequest:
    return _act(settings, command, "cancel")


def _act(settings: TrytonSettings, command: Command, action: str) -> VendorRequest:
    """[3] Without a body, be it an empty one, an action is refused."""
    return _post(settings, f"/{OPPORTUNITY}/{command.external_id}/{action}", {})


def _deal(row: wire.Opportunity) -> Standing:
    note = Note.of(row.comment)
    values: dict[str, Any] = {
        "title": row.description,
        "comment": row.comment,
        "amount": None if row.amount is None else str(row.amount.value),
        "responsible": None if row.employee is None else str(row.employee),
        "contact": None if row.party is None else str(row.party),
        "company": None if row.party is None else str(row.party),
        "stage": row.state,
        "first_name": note.name,
        "phones": list(note.phones),
        "emails": list(note.emails),
        **note.tags,
    }
    return Standing(str(row.id), row.description or f"#{row.number or row.id}", values, row.changed)


def _deal_by_mark(settings: TrytonSettings, command: Command) -> VendorRequest:
    domain = [["reference", "=", _mark(command)], ["company", "=", settings.company]]
    return search(settings, OPPORTUNITY, opportunity_fields(settings), domain, limit=1)


def _first_deal(_settings: TrytonSettings, _command: Command, response: VendorResponse) -> Standing | None:
    deals = (_deal(msgspec.json.decode(record.body, type=wire.Opportunity)) for record in rows(response))
    return next(deals, None)


def _deals_of_party(settings: TrytonSettings, command: Command) -> VendorRequest | None:
    party = command.values.get("contact") or command.values.get("company")
    if not party:
        return None
    domain = [
        ["party", "=", int(party)],
        ["state", "in", ["lead", "opportunity"]],
        ["company", "=", settings.company],
    ]
    return search(settings, OPPORTUNITY, opportunity_fields(settings), domain, limit=1)


def _open_deal(settings: TrytonSettings, command: Command, response: VendorResponse) -> Standing | None:
    deal = _first_deal(settings, command, response)
    return None if deal is None else replace(deal, kind=RecordKind.DEAL)


def _deal_by_id(settings: TrytonSettings, command: Command) -> VendorRequest | None:
    if command.external_id is None:
        return None
    return by_id(settings, OPPORTUNITY, command.external_id, opportunity_fields(settings))


def _one_deal(_settings: TrytonSettings, _command: Command, response: VendorResponse) -> Standing | None:
    return None if response.status == 404 else _deal(_decoded(response, wire.Opportunity))


def _alive_deal(settings: TrytonSettings, command: Command, response: VendorResponse) -> Standing | None:
    """What is cancelled is as good as removed."""
    standing = _one_deal(settings, command, response)
    return None if standing is not None and standing.values["stage"] == "cancelled" else standing


# Answers ---------------------------------------------------------------------------------------------------------


def _decoded(response: VendorResponse, type_: type[Any]) -> Any:
    try:
        return msgspec.json.decode(response.content, type=type_)
    except msgspec.MsgspecError:
        raise VendorChanged("Tryton answered the question for one record in a shape that isn't known.") from None


def _named_id(_settings: TrytonSettings, _command: Command, response: VendorResponse) -> str:
    return str(_decoded(response, wire.Id).id)


def _known_id(_settings: TrytonSettings, command: Command, _response: VendorResponse) -> str:
    """Some actions answer with what the client should open next."""
    return str(command.external_id)


_BY_ID: Lookup[TrytonSettings] = Lookup(_party_by_id, _one_card)
_BY_CONTACT: Lookup[TrytonSettings] = Lookup(_party_by_contact, _same_card)
_DEAL_BY_ID: Lookup[TrytonSettings] = Lookup(_deal_by_id, _one_deal)
_DEAL_BY_MARK: Lookup[TrytonSettings] = Lookup(_deal_by_mark, _first_deal)
_Request = Callable[[TrytonSettings, Command], VendorRequest]


def _deal_create(
    name: str, title: str, fields: tuple[str, ...], request: _Request, *, tied: bool = False
) -> Write[TrytonSettings]:
    return Write(
        name=name,
        title=title,
        entity=RecordKind.DEAL,
        operation="create",
        idempotency="marker",
        fields=fields,
        request=request,
        result=_named_id,
        by_marker=_DEAL_BY_MARK,
        by_party=(_BY_CONTACT,) if tied else (),
        card="contact.create" if tied else None,
        by_match=Lookup(_deals_of_party, _open_deal) if tied else None,
        read=_DEAL_BY_ID,
        undo="deal.cancel",
        origin={tag: tag for tag in TAGS},
        lag_seconds=1.0,
    )


def _deal_update(name: str, title: str, fields: tuple[str, ...], request: _Request) -> Write[TrytonSettings]:
    return Write(
        name=name,
        title=title,
        entity=RecordKind.DEAL,
        operation="update",
        idempotency="absolute",
        fields=fields,
        request=request,
        result=_known_id,
        read=_DEAL_BY_ID,
        lag_seconds=1.0,
    )


WRITES: tuple[Write[TrytonSettings], ...] = (
    Write(
        name="contact.create",
        title="Make a party",
        entity=RecordKind.CONTACT,
        operation="create",
        idempotency="marker",
        fields=_CARD,
        request=_make_party,
        result=_named_id,
        by_marker=Lookup(_party_by_mark, _first_card),
        by_match=_BY_CONTACT,
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
        fields=_CARD,
        request=_change_party,
        result=_named_id,
        read=_BY_ID,
        resent=_NAMES,
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
        result=_known_id,
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
        result=_known_id,
        read=Lookup(_party_by_id, _put_away_or_not),
        lag_seconds=1.0,
    ),
    _deal_create("lead.create", "Make an opportunity out of a request", _REQUEST, _make_request),
    _deal_create("deal.create", "Make an opportunity", _NEW_DEAL, _make_deal, tied=True),
    _deal_update("deal.update", "Change an opportunity", _DEAL, _change_deal),
    _deal_update("deal.move", "Put an opportunity into another state", ("stage",), _move_deal),
    Write(
        name="deal.cancel",
        title="Cancel an opportunity",
        entity=RecordKind.DEAL,
        operation="delete",
        idempotency="absolute",
        fields=(),
        request=_cancel_deal,
        result=_known_id,
        read=Lookup(_deal_by_id, _alive_deal),
        lag_seconds=1.0,
    ),
)
