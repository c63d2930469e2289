"""Deals that Skvoz makes in an account (the vendor calls them leads). Numbers in brackets are facts in BEHAVIOR.md.

A deal that Skvoz made carries its key in a custom field of its own [23], which is made when a rule is switched on.
By it the deal is found again when the answer to its creation was lost: the vendor itself would make a second one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from connectors.amocrm import fields, wire
from connectors.amocrm.settings import AmoCrmSettings
from connectors.contract import (
    Command,
    Described,
    Lookup,
    Preparation,
    Standing,
    VendorRequest,
    VendorResponse,
    Write,
)
from connectors.errors import VendorChanged, WriteRejected
from schema.enums import RecordKind

KEY = "SKVOZ_KEY"
_KEY_NAME = "Skvoz"
LISTS = {"phones": fields.PHONE, "emails": fields.EMAIL}
KIND = "WORK"
_CLOSED = frozenset({142, 143})  # [9]
_NAMES = ("first_name", "last_name")
_OWN = ("title", "amount", "pipeline", "stage", "responsible", "contact", "company", "currency", *_NAMES, *LISTS)
_ORIGIN = {f"utm_{part}": f"UTM_{part.upper()}" for part in ("source", "medium", "campaign", "content", "term")}
_LARGEST_PAGE = 250


class _Id(msgspec.Struct):
    id: int


class _Leads(msgspec.Struct):
    leads: list[wire.Lead] = msgspec.field(default_factory=list)
    contacts: list[_Linked] = msgspec.field(default_factory=list)


class _Ids(msgspec.Struct):
    leads: list[_Id] = msgspec.field(default_factory=list)


class _Linked(msgspec.Struct):
    id: int
    name: str | None = None
    custom_fields_values: list[wire.CustomField] | None = None
    embedded: _Ids = msgspec.field(name="_embedded", default_factory=_Ids)


class _Page(msgspec.Struct):
    embedded: _Leads = msgspec.field(name="_embedded", default_factory=_Leads)


class _MadePage(msgspec.Struct):
    embedded: _Ids = msgspec.field(name="_embedded")


class _Field(msgspec.Struct):
    id: int
    name: str = ""
    type: str = ""
    code: str | None = None
    is_api_only: bool | None = None


class _Fields(msgspec.Struct):
    custom_fields: list[_Field] = msgspec.field(default_factory=list)


class _FieldsPage(msgspec.Struct):
    embedded: _Fields = msgspec.field(name="_embedded", default_factory=_Fields)


def custom(code: str, value: Any) -> dict[str, Any]:
    """A value of a custom field, which is named by its code, or by its number where it has none [20]."""
    named: dict[str, Any] = {"field_id": int(code)} if code.isdigit() else {"field_code": code}
    return named | {"values": [{"value": value}]}


def multitext(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Phones and e-mails: those that are sent replace the present ones [19]."""
    return [
        {"field_code": code, "values": [{"value": one, "enum_code": KIND} for one in values[name]]}
        for name, code in LISTS.items()
        if name in values
    ]


def _make(_settings: AmoCrmSettings, command: Command) -> VendorRequest:
    """[24] A deal of a known card is made by itself, else together with its contact."""
    values = command.values
    own = [custom(code, value) for code, value in values.items() if code not in _OWN]
    lead: dict[str, Any] = {
        "name": values.get("title") or "",
        "custom_fields_values": [*own, custom(KEY, command.key)],
        "request_id": command.key,
    }
    if values.get("amount") is not None:
        lead["price"] = int(float(values["amount"]))
    for name, code in (("pipeline", "pipeline_id"), ("responsible", "responsible_user_id")):
        if values.get(name):
            lead[code] = number(values[name], name)
    if values.get("stage"):
        lead |= _stage(str(values["stage"]))
    parties = {"contacts": values.get("contact"), "companies": values.get("company")}
    tied = {name: [{"id": number(id, name)}] for name, id in parties.items() if id}
    if tied:
        return VendorRequest("/api/v4/leads", "POST", json=[lead | {"_embedded": tied}])
    card: dict[str, Any] = {name: values[name] for name in _NAMES if values.get(name)}
    if lists := multitext(values):
        card["custom_fields_values"] = lists
    if not card:
        return VendorRequest("/api/v4/leads", "POST", json=[lead])
    if "responsible_user_id" in lead:
        card["responsible_user_id"] = lead["responsible_user_id"]
    return VendorRequest("/api/v4/leads/complex", "POST", json=[lead | {"_embedded": {"contacts": [card]}}])


def _change(_settings: AmoCrmSettings, command: Command) -> VendorRequest:
    """[19] Only what is sent changes."""
    values = command.values
    lead: dict[str, Any] = {}
    if "title" in values:
        lead["name"] = values["title"] or ""
    if "amount" in values:
        lead["price"] = int(float(values["amount"] or 0))
    if "responsible" in values:
        lead["responsible_user_id"] = number(values["responsible"], "responsible")
    if values.get("stage"):
        lead |= _stage(str(values["stage"]))
    own = [custom(code, value) for code, value in values.items() if code not in _OWN]
    if own:
        lead["custom_fields_values"] = own
    return VendorRequest(f"/api/v4/leads/{command.external_id}", "PATCH", json=lead)


def _changed(_settings: AmoCrmSettings, _command: Command, response: VendorResponse) -> str:
    try:
        return str(msgspec.json.decode(response.content, type=_Id).id)
    except msgspec.MsgspecError:
        raise VendorChanged("amoCRM answered a write in a shape that isn't known.") from None


def _stage(told: str) -> dict[str, int]:
    """A stage is known here by its pipeline's number and its own."""
    pipeline, _, status = told.rpartition(":")
    placed = {"status_id": number(status, "stage")}
    return placed | ({"pipeline_id": number(pipeline, "stage")} if pipeline else {})


def number(value: Any, name: str) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise WriteRejected(f"{value!r} is no number, as amoCRM wants one for {name}.", name) from None


def _made(_settings: AmoCrmSettings, _command: Command, response: VendorResponse) -> str:
    try:
        made = msgspec.json.decode(response.content, type=list[_Id] | _MadePage)
        return str((made if isinstance(made, list) else made.embedded.leads)[0].id)
    except (msgspec.MsgspecError, IndexError):
        raise VendorChanged("amoCRM made a deal and did not tell its id.") from None


def _page(response: VendorResponse) -> _Leads:
    if response.status == 204:  # [4]
        return _Leads()
    try:
        return msgspec.json.decode(response.content, type=_Page).embedded
    except msgspec.MsgspecError:
        raise VendorChanged("amoCRM answered in a shape that isn't known.") from None


def _by_key(_settings: AmoCrmSettings, command: Command) -> VendorRequest:
    return VendorRequest("/api/v4/leads", query={"query": command.key, "limit": 50})


def _own(_settings: AmoCrmSettings, command: Command, response: VendorResponse) -> Standing | None:
    """The search looks into all fields: the field itself must tell."""
    for row in _page(response).leads:
        if fields.first(fields.by_code(row.custom_fields_values), KEY) == command.key:
            return _standing(row, command)
    return None


def _standing(row: wire.Lead, command: Command) -> Standing:
    held = fields.by_code(row.custom_fields_values)
    stage = f"{row.pipeline_id}:{row.status_id}"
    values: dict[str, Any] = {
        "title": row.name,
        "amount": str(row.price) if row.price is not None else None,
        "pipeline": str(row.pipeline_id),
        "stage": stage if ":" in str(command.values.get("stage")) else str(row.status_id),
        "responsible": str(row.responsible_user_id),
        **{code: fields.first(held, code) for code in command.values if code not in _OWN},
    }
    changed_at = None if row.updated_at is None else datetime.fromtimestamp(row.updated_at, UTC)
    return Standing(str(row.id), row.name or f"#{row.id}", values, changed_at, RecordKind.DEAL)


def _card_by(spelling: Callable[[Command], str | None]) -> Lookup[AmoCrmSettings]:
    """[25] The card of a client: contacts are searched by words, and what was found is compared."""

    def request(_settings: AmoCrmSettings, command: Command) -> VendorRequest | None:
        wanted = spelling(command)
        return None if wanted is None else VendorRequest("/api/v4/contacts", query={"query": wanted, "limit": 50})

    def found(_settings: AmoCrmSettings, command: Command, response: VendorResponse) -> Standing | None:
        wanted = spelling(command)
        for row in _page(response).contacts:
            held = fields.by_code(row.custom_fields_values)
            told = {_digits(one) for one in fields.texts(held, fields.PHONE)}
            told |= {one.casefold() for one in fields.texts(held, fields.EMAIL)}
            if wanted in told:
                return Standing(str(row.id), f"contact {row.name or row.id}", kind=RecordKind.CONTACT)
        return None

    return Lookup(request, found)


def _phone(command: Command) -> str | None:
    digits = next((_digits(one) for one in command.values.get("phones") or ()), "")
    return digits if len(digits) == 10 else None


def _email(command: Command) -> str | None:
    return next((str(one).strip().casefold() for one in command.values.get("emails") or ()), None)


def _digits(phone: Any) -> str:
    """The last ten digits, which are the same in every spelling of a number."""
    return "".join(each for each in str(phone) if each.isdigit())[-10:]


def _card_with_deals(_settings: AmoCrmSettings, command: Command) -> VendorRequest | None:
    if not command.values.get("contact"):
        return None
    return VendorRequest(f"/api/v4/contacts/{command.values['contact']}", query={"with": "leads"})


def _its_deals(_settings: AmoCrmSettings, _command: Command, response: VendorResponse) -> VendorRequest | None:
    if response.status == 204:
        return None
    try:
        ids = [one.id for one in msgspec.json.decode(response.content, type=_Linked).embedded.leads]
    except msgspec.MsgspecError:
        raise VendorChanged("amoCRM answered the question for one contact without a contact.") from None
    if not ids:
        return None
    query: dict[str, str | int | list[str]] = {
        "filter[id][]": [str(id) for id in ids],
        "order[updated_at]": "desc",
        "with": "contacts",
        "limit": _LARGEST_PAGE,
    }
    return VendorRequest("/api/v4/leads", query=query)


def _open_deal(_settings: AmoCrmSettings, command: Command, response: VendorResponse) -> Standing | None:
    """[10] Where the account ignores the filter, the deals changed last come: each must name the contact's."""
    card = str(command.values["contact"])
    for row in sorted(_page(response).leads, key=lambda each: -each.id):
        tied = {str(one.id) for one in (row.embedded.contacts if row.embedded else None) or ()}
        if card in tied and row.status_id not in _CLOSED and not row.is_deleted:
            return _standing(row, command)
    return None


def _ask(_settings: AmoCrmSettings, command: Command) -> VendorRequest | None:
    return None if command.external_id is None else VendorRequest(f"/api/v4/leads/{command.external_id}")


def _read(_settings: AmoCrmSettings, command: Command, response: VendorResponse) -> Standing | None:
    if response.status == 204:
        return None
    try:
        row = msgspec.json.decode(response.content, type=wire.Lead)
    except msgspec.MsgspecError:
        raise VendorChanged("amoCRM answered the question for one deal without a deal.") from None
    return None if row.is_deleted else _standing(row, command)


def _ask_fields(_settings: AmoCrmSettings) -> VendorRequest:
    return VendorRequest("/api/v4/leads/custom_fields", query={"limit": _LARGEST_PAGE})


def _fields(response: VendorResponse) -> list[_Field]:
    if response.status == 204:
        return []
    try:
        return msgspec.json.decode(response.content, type=_FieldsPage).embedded.custom_fields
    except msgspec.MsgspecError:
        raise VendorChanged("amoCRM's list of custom fields isn't the known envelope.") from None


def _described(_settings: AmoCrmSettings, response: VendorResponse) -> Mapping[str, str]:
    return {one.code or str(one.id): one.name for one in _fields(response) if one.code != KEY}


def _missing_key(_settings: AmoCrmSettings, response: VendorResponse) -> VendorRequest | None:
    if any(one.code == KEY for one in _fields(response)):
        return None
    field = {"name": _KEY_NAME, "type": "text", "code": KEY, "is_api_only": True}
    return VendorRequest("/api/v4/leads/custom_fields", "POST", json=[field])


DEAL_WRITES: tuple[Write[AmoCrmSettings], ...] = (
    Write(
        name="deal.create",
        title="Make a deal",
        entity=RecordKind.DEAL,
        operation="create",
        idempotency="marker",
        fields=_OWN,
        request=_make,
        result=_made,
        by_marker=Lookup(_by_key, _own),
        by_party=(_card_by(_phone), _card_by(_email)),
        by_match=Lookup(_card_with_deals, _open_deal, _its_deals),
        prepare=Preparation(_ask_fields, _missing_key),
        read=Lookup(_ask, _read),
        described=Described(_ask_fields, _described),
        origin=_ORIGIN,
        lag_seconds=15.0,
    ),
    Write(
        name="deal.update",
        title="Change a deal, or close it",
        entity=RecordKind.DEAL,
        operation="update",
        idempotency="absolute",
        fields=("title", "amount", "stage", "responsible"),
        request=_change,
        result=_changed,
        read=Lookup(_ask, _read),
        described=Described(_ask_fields, _described),
    ),
)
