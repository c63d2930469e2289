"""What is written into BottleCRM. The numbers in brackets are facts in BEHAVIOR.md.

What Skvoz made carries its key in ``source_ref`` [9]. A creation may be answered with an error and have been stored
all the same [10]: the record is looked for by that key before it is sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from connectors.bottlecrm.mapping import TAGS
from connectors.bottlecrm.reads import LIMIT, halves
from connectors.bottlecrm.settings import BottleCrmSettings
from connectors.contract import Command, Lookup, Standing, VendorRequest, VendorResponse, Write
from connectors.errors import VendorChanged, WriteRejected
from schema.enums import RecordKind

_MARK = "skvoz:"
_NOBODY = "-"
_NOT_FOUND = frozenset({404})
LEADS, CONTACTS, DEALS = "leads/", "contacts/", "opportunities/"
_ONE = {LEADS: "lead_obj", CONTACTS: "contact_obj", DEALS: "opportunity_obj"}
_PERSON = {"first_name": "first_name", "last_name": "last_name", "phones": "phone", "emails": "email"}
_LEAD = {**_PERSON, "title": "title", "stage": "status", "source": "source", "comment": "description"}
_DEAL = {
    "title": "name",
    "amount": "amount",
    "currency": "currency",
    "stage": "stage",
    "pipeline": "pipeline",
    "closed_on": "closed_on",
    "company": "account",
    "source": "lead_source",
    "comment": "description",
}
_NAMES: Mapping[str, Mapping[str, str]] = {LEADS: _LEAD, CONTACTS: _PERSON, DEALS: _DEAL}
_LISTS = frozenset({"phones", "emails"})

Row = dict[str, Any]


def _mark(command: Command) -> str:
    return f"{_MARK}{command.key}"


def _body(path: str, command: Command) -> Row:
    """A command's values by BottleCRM's names. It keeps one phone and one e-mail of a person [9]."""
    told: Row = {}
    tags: dict[str, str] = {}
    for name, value in command.values.items():
        if name in TAGS:
            tags[name] = str(value)
        elif name in _LISTS:
            told[_PERSON[name]] = next((str(each) for each in value or ()), None)
        elif name in ("responsible", "contact"):
            told["assigned_to" if name == "responsible" else "contacts"] = [] if value is None else [str(value)]
        elif name == "stage" and path == DEALS:
            told |= _stage(str(value))
        else:
            told[_NAMES[path].get(name, name)] = value
    detail = "&".join(f"{tag}={tags[tag]}" for tag in TAGS if tags.get(tag))
    return told | ({"source_detail": detail[:100]} if detail else {})


def _stage(value: str) -> Row:
    """[6] A stage is named by its pipeline and its code."""
    pipeline, mark, code = value.partition(":")
    return {"pipeline": pipeline, "stage": code} if mark else {"stage": value}


def _surname(body: Row) -> str:
    """[9] A last name is required: who has none is called by the phone or e-mail, which a search finds."""
    return str(body.get("last_name") or body.get("phone") or body.get("email") or _NOBODY)


def _create(path: str) -> Callable[[BottleCrmSettings, Command], VendorRequest]:
    def request(_settings: BottleCrmSettings, command: Command) -> VendorRequest:
        body = {**_body(path, command), "source_ref": _mark(command)}
        if path != DEALS:
            surname = _surname(body)
            body |= {"first_name": body.get("first_name") or surname, "last_name": surname}
        return VendorRequest(f"/{path}", "POST", json=body)

    return request


def _update(path: str) -> Callable[[BottleCrmSettings, Command], VendorRequest]:
    def request(_settings: BottleCrmSettings, command: Command) -> VendorRequest:
        return VendorRequest(f"/{path}{command.external_id}/", "PATCH", json=_body(path, command))

    return request


def _delete(path: str) -> Callable[[BottleCrmSettings, Command], VendorRequest]:
    def request(_settings: BottleCrmSettings, command: Command) -> VendorRequest:
        return VendorRequest(f"/{path}{command.external_id}/", "DELETE", accept=_NOT_FOUND)

    return request


class _Made(msgspec.Struct):
    id: str | None = None
    error: Any = False
    message: str | None = None


def _made_id(_settings: BottleCrmSettings, _command: Command, response: VendorResponse) -> str:
    try:
        made = msgspec.json.decode(response.content, type=_Made)
    except msgspec.MsgspecError:
        raise VendorChanged("BottleCRM took a change and answered in a shape that isn't known.") from None
    if made.error:
        raise WriteRejected(f"BottleCRM refuses the values: {made.message or made.error}")
    if made.id is None:
        raise VendorChanged("BottleCRM took a change and did not tell the record's id.")
    return made.id


def _known_id(_settings: BottleCrmSettings, command: Command, _response: VendorResponse) -> str:
    return str(command.external_id)


# Looking ---------------------------------------------------------------------------------------------------------


def _by_mark(path: str) -> Lookup[BottleCrmSettings]:
    """[9] No list can be asked for ``source_ref``: a search by what the record is called holds it, and its row
    tells."""

    def request(_settings: BottleCrmSettings, command: Command) -> VendorRequest:
        body = _body(path, command)
        sought = str(body.get("name") or "") if path == DEALS else _surname(body)
        return VendorRequest(f"/{path}", query={"search": sought, "limit": LIMIT})

    def found(_settings: BottleCrmSettings, command: Command, response: VendorResponse) -> Standing | None:
        for half in halves(path, response):
            for record in half:
                row = msgspec.json.decode(record.body)
                if row.get("source_ref") == _mark(command):
                    return _standing(path, row, command)
        return None

    return Lookup(request, found)


class _Duplicate(msgspec.Struct):
    id: str
    name: str | None = None
    phone: str | None = None
    email: str | None = None


class _Duplicates(msgspec.Struct):
    duplicates: list[_Duplicate]


def _by_match(path: str) -> Lookup[BottleCrmSettings]:
    """[11] It finds its own duplicates, by the number in whatever spelling and by the e-mail."""

    def request(_settings: BottleCrmSettings, command: Command) -> VendorRequest | None:
        body = _body(path, command)
        sought = {name: body[name] for name in ("phone", "email") if body.get(name)}
        return VendorRequest(f"/{path}duplicates/", "POST", json=sought) if sought else None

    def found(_settings: BottleCrmSettings, _command: Command, response: VendorResponse) -> Standing | None:
        try:
            others = msgspec.json.decode(response.content, type=_Duplicates).duplicates
        except msgspec.MsgspecError:
            raise VendorChanged("BottleCRM tells duplicates in a shape that isn't known.") from None
        return next((Standing(one.id, one.name or one.id) for one in others), None)

    return Lookup(request, found)


def _same_deal() -> Lookup[BottleCrmSettings]:
    """[9] Two deals can't have the same name."""

    def request(_settings: BottleCrmSettings, command: Command) -> VendorRequest | None:
        title = command.values.get("title")
        return VendorRequest(f"/{DEALS}", query={"search": str(title), "limit": LIMIT}) if title else None

    def found(_settings: BottleCrmSettings, command: Command, response: VendorResponse) -> Standing | None:
        wanted = str(command.values["title"]).casefold()
        for half in halves(DEALS, response):
            for record in half:
                row = msgspec.json.decode(record.body)
                if str(row.get("name")).casefold() == wanted:
                    return _standing(DEALS, row, command)
        return None

    return Lookup(request, found)


def _by_id(path: str) -> Lookup[BottleCrmSettings]:
    def request(_settings: BottleCrmSettings, command: Command) -> VendorRequest | None:
        if command.external_id is None:
            return None
        return VendorRequest(f"/{path}{command.external_id}/", accept=_NOT_FOUND)

    def found(_settings: BottleCrmSettings, command: Command, response: VendorResponse) -> Standing | None:
        if response.status == 404:
            return None
        try:
            return _standing(path, msgspec.json.decode(response.content)[_ONE[path]], command)
        except (msgspec.MsgspecError, KeyError, TypeError):
            raise VendorChanged("BottleCRM answered the question for one record without a record.") from None

    return Lookup(request, found)


def _standing(path: str, row: Row, command: Command) -> Standing:
    values: Row = {name: row.get(field) for name, field in _NAMES[path].items() if name not in _LISTS}
    if path == DEALS:
        account = row.get("account")
        values["company"] = account.get("id") if isinstance(account, dict) else account
        values["stage"] = f"{row.get('pipeline')}:{row.get('stage')}"
    else:
        values |= {name: [row[_PERSON[name]]] if row.get(_PERSON[name]) else [] for name in _LISTS}
    assigned = row.get("assigned_to") or []
    values["responsible"] = next((each["id"] for each in assigned), None)
    detail = dict(
        part.partition("=")[::2] for part in str(row.get("source_detail") or "").split("&") if "=" in part
    )
    values |= {tag: detail.get(tag) for tag in TAGS}
    values |= {name: row.get(name) for name in command.values if name not in values}
    title = (
        values.get("title") or " ".join(filter(None, (row.get("first_name"), row.get("last_name")))) or row["id"]
    )
    told = row.get("updated_at")
    return Standing(str(row["id"]), str(title), values, datetime.fromisoformat(told) if told else None)


_FIELDS = {
    LEADS: (*_LEAD, "responsible", *TAGS),
    CONTACTS: (*_PERSON, "responsible"),
    DEALS: (*_DEAL, "contact", "responsible", *TAGS),
}
_KINDS = {LEADS: RecordKind.LEAD, CONTACTS: RecordKind.CONTACT, DEALS: RecordKind.DEAL}
_WORDS = {LEADS: "lead", CONTACTS: "contact", DEALS: "deal"}


def _writes_of(path: str, by_match: Lookup[BottleCrmSettings]) -> tuple[Write[BottleCrmSettings], ...]:
    """Making, changing and removing one kind of record."""
    word = _WORDS[path]
    return (
        Write(
            name=f"{word}.create",
            title=f"Make a {word}",
            entity=_KINDS[path],
            operation="create",
            idempotency="marker",
            fields=_FIELDS[path],
            request=_create(path),
            result=_made_id,
            by_marker=_by_mark(path),
            by_match=by_match,
            read=_by_id(path),
            origin={} if path == CONTACTS else {tag: tag for tag in TAGS},
            undo=f"{word}.delete",
            replaces_lists=True,
            lag_seconds=1.0,
        ),
        Write(
            name=f"{word}.update",
            title=f"Change a {word}",
            entity=_KINDS[path],
            operation="update",
            idempotency="absolute",
            fields=_FIELDS[path],
            request=_update(path),
            result=_known_id,
            read=_by_id(path),
            replaces_lists=True,
            lag_seconds=1.0,
        ),
        Write(
            name=f"{word}.delete",
            title=f"Remove a {word}",
            entity=_KINDS[path],
            operation="delete",
            idempotency="absolute",
            fields=(),
            request=_delete(path),
            result=_known_id,
            read=_by_id(path),
            lag_seconds=1.0,
        ),
    )


WRITES: tuple[Write[BottleCrmSettings], ...] = (
    *_writes_of(LEADS, _by_match(LEADS)),
    *_writes_of(CONTACTS, _by_match(CONTACTS)),
    *_writes_of(DEALS, _same_deal()),
)
