"""Opportunities: how they are made, changed, moved, cancelled and found. The numbers in brackets are facts in
BEHAVIOR.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import msgspec

from connectors.contract import Command, Lookup, Standing, VendorRequest, VendorResponse, Write
from connectors.errors import WriteRejected
from connectors.tryton import wire
from connectors.tryton.notes import TAGS, Note
from connectors.tryton.parties import BY_CONTACT, CARD
from connectors.tryton.query import OPPORTUNITY, by_id, rows, search
from connectors.tryton.reads import opportunity_fields
from connectors.tryton.settings import TrytonSettings
from connectors.tryton.writing import decoded, known_id, mark, name_of, named_id, post, put
from schema.enums import RecordKind

_DEAL = ("title", "comment", "amount", "responsible", "contact", "company")
_NEW_DEAL = (*_DEAL, *CARD, *TAGS)
_REQUEST = ("title", "comment", "responsible", *CARD, *TAGS)
_ACTIONS = {  # [9] states are reached by methods
    "lead": "lead",
    "opportunity": "opportunity",
    "converted": "convert",
    "lost": "lost",
    "cancelled": "cancel",
}


def _make_deal(settings: TrytonSettings, command: Command) -> VendorRequest:
    """[12] Who it is from stands on the party's card, where it came from in the comment."""
    values = {name: value for name, value in command.values.items() if name not in (*CARD, *TAGS)}
    tags = {tag: str(command.values[tag]) for tag in TAGS if command.values.get(tag)}
    if tags:
        values["comment"] = Note(text=str(values.get("comment") or ""), tags=tags).comment()
    body = {"company": settings.company, **_deal_fields(values), "reference": mark(command)}
    return post(settings, f"/{OPPORTUNITY}", body)


def _make_request(settings: TrytonSettings, command: Command) -> VendorRequest:
    """[12] A request: who it is from and where it came from stand in the comment."""
    values = command.values
    note = Note(
        text=str(values.get("comment") or ""),
        name=name_of(values) or None,
        phones=tuple(map(str, values.get("phones") or ())),
        emails=tuple(map(str, values.get("emails") or ())),
        tags={tag: str(values[tag]) for tag in TAGS if values.get(tag)},
    )
    body = {
        "company": settings.company,
        **_deal_fields({name: values[name] for name in ("title", "responsible") if name in values}),
        "comment": note.comment(),
        "reference": mark(command),
    }
    return post(settings, f"/{OPPORTUNITY}", body)


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
    return put(settings, f"/{OPPORTUNITY}/{command.external_id}", _deal_fields(command.values))


def _move_deal(settings: TrytonSettings, command: Command) -> VendorRequest:
    stage = str(command.values["stage"])
    action = _ACTIONS.get(stage)
    if action is None:
        known = ", ".join(_ACTIONS)
        raise WriteRejected(f"An opportunity can't be put into the state {stage!r}: only {known}.", "stage")
    return _act(settings, command, action)


def _cancel_deal(settings: TrytonSettings, command: Command) -> VendorRequest:
    return _act(settings, command, "cancel")


def _act(settings: TrytonSettings, command: Command, action: str) -> VendorRequest:
    """[3] Without a body, be it an empty one, an action is refused."""
    return post(settings, f"/{OPPORTUNITY}/{command.external_id}/{action}", {})


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
    domain = [["reference", "=", mark(command)], ["company", "=", settings.company]]
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
    return None if response.status == 404 else _deal(decoded(response, wire.Opportunity))


def _alive_deal(settings: TrytonSettings, command: Command, response: VendorResponse) -> Standing | None:
    """What is cancelled is as good as removed."""
    standing = _one_deal(settings, command, response)
    return None if standing is not None and standing.values["stage"] == "cancelled" else standing


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
        result=named_id,
        by_marker=_DEAL_BY_MARK,
        by_party=(BY_CONTACT,) if tied else (),
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
        result=known_id,
        read=_DEAL_BY_ID,
        lag_seconds=1.0,
    )


OPPORTUNITY_WRITES: tuple[Write[TrytonSettings], ...] = (
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
        result=known_id,
        read=Lookup(_deal_by_id, _alive_deal),
        lag_seconds=1.0,
    ),
)
