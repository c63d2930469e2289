"""How Tryton's lists are read: what was made or changed since the last run, in the order of the records' numbers,
and now and then the numbers of all that there are, so that what is missing was deleted. The numbers in brackets are
facts in BEHAVIOR.md.

A page begins after the last number of the one before, so nothing that happens meanwhile can shift it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from connectors.contract import (
    Fetch,
    Mapped,
    Page,
    Position,
    RawRecord,
    Start,
    Stream,
    VendorRequest,
    VendorResponse,
)
from connectors.errors import VendorChanged
from connectors.tryton import mapping
from connectors.tryton.query import (
    EMPLOYEE,
    LOG,
    OPPORTUNITY,
    PARTY,
    by_id,
    headers,
    moment,
    rows,
    search,
)
from connectors.tryton.settings import TrytonSettings
from schema.enums import RecordKind

LIMIT = 200
NUMBERS = 2000  # records that are only named
OVERLAP = timedelta(minutes=10)  # [7] a long transaction becomes visible with the time of its beginning
EVERYTHING_EVERY = timedelta(hours=6)

Domain = list[Any]
_STAMPS = ("create_date", "write_date")
_PARTY_FIELDS = (
    *_STAMPS, "name", "code", "active",
    "contact_mechanisms.type", "contact_mechanisms.value", "contact_mechanisms.active",
    "identifiers.type", "identifiers.code",
)  # fmt: skip
_RELATION_FIELDS = ("relations.type.name", "relations.to")
_OPPORTUNITY_FIELDS = (
    *_STAMPS, "number", "reference", "description", "comment", "state", "amount", "currency.code", "party",
    "employee", "end_date", "lost_reason",
)  # fmt: skip
_CAMPAIGN_FIELDS = ("marketing_campaign.name", "marketing_source.name", "marketing_medium.name")
_EMPLOYEE_FIELDS = (*_STAMPS, "active", "party.name", "party.email", "party.phone")
_EVENT_FIELDS = ("create_date", "event", "target", "resource")


def party_fields(settings: TrytonSettings) -> Sequence[str]:
    return (*_PARTY_FIELDS, *(_RELATION_FIELDS if settings.works_at else ()))


def opportunity_fields(settings: TrytonSettings) -> Sequence[str]:
    return (*_OPPORTUNITY_FIELDS, *(_CAMPAIGN_FIELDS if settings.campaigns else ()))


def changed_since(at: datetime, *paths: str) -> Domain:
    """Records that were made or changed since then, or one of whose parts was: ``paths`` lead to those [7]."""
    told = [[f"{path}{stamp}", ">=", moment(at)] for path in ("", *paths) for stamp in _STAMPS]
    return ["OR", *told]


def _tracked(
    *,
    name: str,
    title: str,
    model: str,
    makes: tuple[RecordKind, ...],
    fields: Callable[[TrytonSettings], Sequence[str]],
    bounds: Callable[[TrytonSettings], Domain],
    map: Callable[[TrytonSettings, bytes], Mapped],  # noqa: A002 - the contract's own word
    parts: tuple[str, ...] = (),
    history: Callable[[datetime], Domain] | None = None,
) -> Stream[TrytonSettings]:
    """A list that is read by what changed. ``bounds`` are clauses that always hold; ``parts`` are the fields whose
    records change without it; ``history`` bounds what is read on the first run.

    Position: ``after`` the last number read, ``since`` the time from which changes are read (None: all),
    ``history`` the first moment that the user wants, ``until`` the run's own beginning, ``whole_at`` when
    everything was last seen, ``whole`` whether this run does, ``naming`` whether it is only naming records by now.
    """

    def start(_settings: TrytonSettings, begin: Start) -> Position:
        cursor = begin.cursor or {}
        wanted = None if history is None else begin.since.isoformat()
        if wanted is not None and cursor.get("history"):
            wanted = min(wanted, cursor["history"])  # what was read stays read
        anew = not cursor or wanted != cursor["history"]
        due = begin.now - EVERYTHING_EVERY
        whole = anew or datetime.fromisoformat(cursor["whole_at"]) <= due
        return {
            "after": 0,
            "since": None if anew else (datetime.fromisoformat(cursor["until"]) - OVERLAP).isoformat(),
            "history": wanted,
            "until": begin.now.isoformat(),
            "whole_at": begin.now.isoformat() if whole else cursor["whole_at"],
            "whole": whole,
            "naming": False,
        }

    def request(settings: TrytonSettings, position: Position) -> VendorRequest:
        domain: Domain = [["id", ">", position["after"]], *bounds(settings)]
        if position["naming"]:
            return search(settings, model, ("id",), domain, limit=NUMBERS)
        if position["since"] is not None:
            domain.append(changed_since(datetime.fromisoformat(position["since"]), *parts))
        elif history is not None:
            domain.append(history(datetime.fromisoformat(position["history"])))
        return search(settings, model, fields(settings), domain, limit=LIMIT)

    def read(_settings: TrytonSettings, position: Position, response: VendorResponse) -> Page:
        records = rows(response)
        naming = position["naming"]
        told = [] if naming else records
        present = [record.external_id for record in records] if naming else []
        if len(records) >= (NUMBERS if naming else LIMIT):
            return Page(told, {**position, "after": int(records[-1].external_id)}, present=present)
        if position["whole"] and not naming:  # records that a run leaves out are there nevertheless
            return Page(told, {**position, "after": 0, "naming": True})
        cursor = {key: position[key] for key in ("until", "whole_at", "history")}
        return Page(told, None, cursor=cursor, present=present, done=1.0)

    return Stream(
        name=name,
        title=title,
        makes=makes,
        start=start,
        request=request,
        read=read,
        map=map,
        whole=lambda position: bool(position["whole"]),
        takes_back=True,
        one=_one(model, fields),
    )


def _one(model: str, fields: Callable[[TrytonSettings], Sequence[str]]) -> Fetch[TrytonSettings]:
    def request(settings: TrytonSettings, external_id: str) -> VendorRequest:
        return by_id(settings, model, external_id, fields(settings))

    def read(_settings: TrytonSettings, external_id: str, response: VendorResponse) -> RawRecord | None:
        return None if response.status == 404 else RawRecord(external_id, response.content)

    return Fetch(request, read)


# Lists that are read whole ---------------------------------------------------------------------------------------


def _ask_employees(settings: TrytonSettings, position: Position) -> VendorRequest:
    domain = [["id", ">", position["after"]], ["company", "=", settings.company]]
    return search(settings, EMPLOYEE, _EMPLOYEE_FIELDS, domain, limit=LIMIT)


def _read_employees(_settings: TrytonSettings, _position: Position, response: VendorResponse) -> Page:
    records = rows(response)
    following = {"after": int(records[-1].external_id)} if len(records) >= LIMIT else None
    return Page(records, following, cursor=None if following else {})


class _Choices(msgspec.Struct):
    selection: list[tuple[str, str]]


class _Described(msgspec.Struct):
    state: _Choices


def _ask_states(settings: TrytonSettings, _position: Position) -> VendorRequest:
    return VendorRequest(
        f"/{OPPORTUNITY}/fields_get", "POST", json={"fields_names": ["state"]}, headers=headers(settings)
    )


def _read_states(_settings: TrytonSettings, _position: Position, response: VendorResponse) -> Page:
    try:
        choices = msgspec.json.decode(response.content, type=_Described).state.selection
    except msgspec.MsgspecError:
        raise VendorChanged("Tryton doesn't tell the states of opportunities in the known way.") from None
    records = [
        RawRecord(code, json.dumps({"state": code, "label": label, "sort": sort}).encode())
        for sort, (code, label) in enumerate(choices)
    ]
    return Page(records, None, cursor={})


# The log of changes ----------------------------------------------------------------------------------------------


def _start_history(_settings: TrytonSettings, begin: Start) -> Position:
    since = begin.since
    if begin.cursor is not None and begin.cursor["since"] <= begin.since.isoformat():
        since = datetime.fromisoformat(begin.cursor["until"]) - OVERLAP
    return {
        "after": 0,
        "from": since.isoformat(),
        "until": begin.now.isoformat(),
        "since": begin.since.isoformat(),
    }


def _ask_history(settings: TrytonSettings, position: Position) -> VendorRequest:
    domain: Domain = [
        ["id", ">", position["after"]],
        ["OR", ["event", "=", "transition"], [["event", "=", "button"], ["target", "in", list(mapping.BUTTONS)]]],
        ["resource", "like", f"{OPPORTUNITY},%"],
        ["create_date", ">=", moment(datetime.fromisoformat(position["from"]))],
    ]
    return search(settings, LOG, _EVENT_FIELDS, domain, limit=LIMIT)


def _read_history(_settings: TrytonSettings, position: Position, response: VendorResponse) -> Page:
    records = rows(response)
    if len(records) >= LIMIT:
        return Page(records, {**position, "after": int(records[-1].external_id)})
    return Page(records, None, cursor={"until": position["until"], "since": position["since"]}, done=1.0)


def _of_the_company(settings: TrytonSettings) -> Domain:
    return [["company", "=", settings.company]]


STREAMS: tuple[Stream[TrytonSettings], ...] = (
    Stream(
        name="employees",
        title="Employees",
        makes=(RecordKind.USER,),
        start=lambda _settings, _begin: {"after": 0},
        request=_ask_employees,
        read=_read_employees,
        map=mapping.employee,
        sweeps=True,
    ),
    Stream(
        name="states",
        title="States of opportunities",
        makes=(RecordKind.PIPELINE, RecordKind.STAGE),
        start=lambda _settings, _begin: {},
        request=_ask_states,
        read=_read_states,
        map=mapping.state,
        sweeps=True,
    ),
    _tracked(
        name="parties",
        title="Parties",
        model=PARTY,
        makes=(RecordKind.CONTACT, RecordKind.COMPANY),
        fields=party_fields,
        bounds=lambda _settings: [],
        map=mapping.party,
        parts=("contact_mechanisms.", "identifiers."),
    ),
    _tracked(
        name="opportunities",
        title="Sale opportunities",
        model=OPPORTUNITY,
        makes=(RecordKind.DEAL, RecordKind.LEAD),
        fields=opportunity_fields,
        bounds=_of_the_company,
        map=mapping.opportunity,
        history=lambda at: [*changed_since(at), ["state", "in", ["lead", "opportunity", "converted"]]],
    ),
    Stream(
        name="history",
        title="Changes of state",
        makes=(RecordKind.STAGE_CHANGE,),
        start=_start_history,
        request=_ask_history,
        read=_read_history,
        map=mapping.event,
    ),
)
