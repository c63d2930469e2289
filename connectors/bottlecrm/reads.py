"""How BottleCRM's lists are read: whole, each time, and compared by content, for no list can say what changed [4].
The numbers in brackets are facts in BEHAVIOR.md.

Most lists are sorted by ids that are drawn by lot, and have no other way than offsets. What is made meanwhile
shifts rows forward, which only repeats some; what is deleted shifts them back, and rows would be left out. So each
page begins a little before the end of the last one and must show some of its rows again; if it doesn't, reading
goes back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from connectors.bottlecrm import mapping
from connectors.bottlecrm.settings import BottleCrmSettings
from connectors.contract import (
    Mapped,
    Page,
    Position,
    RawRecord,
    Start,
    Stream,
    Touched,
    VendorRequest,
    VendorResponse,
)
from connectors.errors import VendorChanged
from schema.enums import RecordKind

LIMIT = 100
OVERLAP = 10
LATEST = 50  # [5] the most that the feed of activities gives
CALLS_EVERY = timedelta(hours=4)
_HOMES = {  # [8] what an interaction is logged on, and where those are listed
    "contact": "contacts",
    "lead": "leads",
    "account": "accounts",
    "opportunity": "opportunities",
}

# [4] When an employee was last seen stands in each record that is theirs, and is no change of it.
_LAST_SEEN = re.compile(rb'"last_login":\s*"[^"]*"')


class _Id(msgspec.Struct):
    id: str


_ID = msgspec.json.Decoder(_Id)
_ROWS = msgspec.json.Decoder(list[msgspec.Raw])
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])

PATHS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "users/": (("active_users", "active_users"), ("inactive_users", "inactive_users")),
    "opportunities/pipelines/": (("pipelines",),),
    "accounts/": (("active_accounts", "open_accounts"), ("closed_accounts", "close_accounts")),
    "contacts/": (("results",),),
    "leads/": (("open_leads", "open_leads"), ("close_leads", "close_leads")),
    "opportunities/": (("opportunities",),),
    "invoices/": (("results",),),
}
"""[3] Where a list's rows are in its answer. Some have two halves, which share one offset."""


def halves(path: str, response: VendorResponse) -> list[list[RawRecord]]:
    """The rows of each half of a list's page. Raises VendorChanged."""
    try:
        return [_within(response.content, keys) for keys in PATHS[path]]
    except (msgspec.MsgspecError, KeyError):
        raise VendorChanged(f"BottleCRM's list {path} isn't the known one.") from None


def _within(content: bytes, keys: tuple[str, ...]) -> list[RawRecord]:
    for key in keys:
        content = bytes(_OBJECT.decode(content)[key])
    rows = (_LAST_SEEN.sub(b'"last_login":null', bytes(raw)) for raw in _ROWS.decode(content))
    return [RawRecord(_ID.decode(row).id, row) for row in rows]


def page_of(path: str, offset: int, **further: str) -> VendorRequest:
    return VendorRequest(f"/{path}", query={"limit": LIMIT, "offset": offset, **further})


class _Walk(msgspec.Struct):
    """Where the reading of a list stands: the offset that is asked for, the last ids of each half by now, and how
    often reading had to go back."""

    offset: int = 0
    tails: list[list[str]] = []
    back: int = 0

    def after(self, page: list[list[RawRecord]]) -> _Walk | None:
        """Where reading goes on; None at the end."""
        ids = [[record.external_id for record in half] for half in page]
        for tail, half in zip(self.tails, ids, strict=False):
            if tail and not set(tail) & set(half):
                return _Walk(max(0, self.offset - LIMIT), [], self.back + 1)
        if all(len(half) < LIMIT for half in ids):
            return None
        tails = [half[-OVERLAP:] if len(half) >= LIMIT else [] for half in ids]
        return _Walk(self.offset + LIMIT - OVERLAP, tails, self.back)


def _listed(
    *,
    name: str,
    title: str,
    path: str,
    makes: tuple[RecordKind, ...],
    map: Callable[[BottleCrmSettings, bytes], Mapped],  # noqa: A002 - the contract's own word
    volatile: frozenset[str] = frozenset(),
) -> Stream[BottleCrmSettings]:
    def request(_settings: BottleCrmSettings, position: Position) -> VendorRequest:
        return page_of(path, position["offset"])

    def read(_settings: BottleCrmSettings, position: Position, response: VendorResponse) -> Page:
        page = halves(path, response)
        following = msgspec.convert(position, _Walk).after(page)
        records = [record for half in page for record in half]
        if following is not None:
            return Page(records, msgspec.to_builtins(following))
        return Page(records, None, cursor={}, done=1.0)

    return Stream(
        name=name,
        title=title,
        makes=makes,
        start=lambda _settings, _begin: msgspec.to_builtins(_Walk()),
        request=request,
        read=read,
        map=map,
        sweeps=True,
        volatile=volatile,
        takes_back=True,
    )


# Leads: those that were converted leave the list, so absence doesn't tell that one was deleted [5] -------------


class _Activity(msgspec.Struct):
    action: str
    entity_id: str


class _Activities(msgspec.Struct):
    activities: list[_Activity]


def _ask_leads(_settings: BottleCrmSettings, position: Position) -> VendorRequest:
    if position.get("deletions"):
        return VendorRequest("/activities/", query={"entity_type": "Lead", "limit": LATEST})
    return page_of("leads/", position["offset"])


def _read_leads(_settings: BottleCrmSettings, position: Position, response: VendorResponse) -> Page:
    if position.get("deletions"):
        try:
            found = msgspec.json.decode(response.content, type=_Activities).activities
        except msgspec.MsgspecError:
            raise VendorChanged("BottleCRM's feed of activities isn't the known one.") from None
        gone = [Touched("leads", each.entity_id, deleted=True) for each in found if each.action == "DELETE"]
        return Page([], None, cursor={}, done=1.0, touched=gone)
    page = halves("leads/", response)
    following = msgspec.convert(position, _Walk).after(page)
    records = [record for half in page for record in half]
    return Page(records, {"deletions": True} if following is None else msgspec.to_builtins(following))


# Interactions: listed for one record alone [8] ------------------------------------------------------------------


class _Calls(msgspec.Struct):
    """Where the reading of interactions stands: the kind of record, the walk through its list, the ids of its page
    whose interactions are still to be asked for, and the offset among those of the first."""

    home: str
    walk: _Walk
    ids: list[str] = []
    skip: int = 0
    begun: str = ""
    seen: str = ""

    def next(self) -> _Calls | None:
        """The next record, the next page, or the next kind."""
        if len(self.ids) > 1:
            return _Calls(self.home, self.walk, self.ids[1:], 0, self.begun, self.ids[0])
        homes = list(_HOMES)
        if self.walk.offset >= 0:
            return _Calls(self.home, self.walk, [], 0, self.begun)
        following = homes.index(self.home) + 1
        return _Calls(homes[following], _Walk(), [], 0, self.begun) if following < len(homes) else None


_END = -1


class _Interactions(msgspec.Struct):
    interactions: list[msgspec.Raw]
    count: int


def _start_calls(settings: BottleCrmSettings, begin: Start) -> Position | None:
    if not settings.calls:
        return None
    if begin.cursor and datetime.fromisoformat(begin.cursor["read_at"]) > begin.now - CALLS_EVERY:
        return None
    told: Position = msgspec.to_builtins(_Calls("contact", _Walk(), begun=begin.now.isoformat()))
    return told


def _ask_calls(_settings: BottleCrmSettings, position: Position) -> VendorRequest:
    at = msgspec.convert(position, _Calls)
    if not at.ids:
        return page_of(f"{_HOMES[at.home]}/", at.walk.offset)
    query: dict[str, Any] = {at.home: at.ids[0], "limit": LIMIT, "offset": at.skip}
    return VendorRequest("/interactions/", query=query, accept=frozenset({404}))


def _read_calls(_settings: BottleCrmSettings, position: Position, response: VendorResponse) -> Page:
    at = msgspec.convert(position, _Calls)
    if not at.ids:
        page = halves(f"{_HOMES[at.home]}/", response)
        walk = at.walk.after(page) or _Walk(_END)
        ids = [record.external_id for half in page for record in half]
        following = (
            _Calls(at.home, walk, ids, 0, at.begun) if ids else _Calls(at.home, walk, [], 0, at.begun).next()
        )
        return _on(at, [], following)
    if response.status == 404:  # deleted meanwhile
        return _on(at, [], at.next())
    try:
        found = msgspec.json.decode(response.content, type=_Interactions)
        records = [RawRecord(_ID.decode(raw).id, bytes(raw)) for raw in found.interactions]
    except msgspec.MsgspecError:
        raise VendorChanged("BottleCRM's list of interactions isn't the known one.") from None
    if len(records) >= LIMIT:
        return _on(at, records, _Calls(at.home, at.walk, at.ids, at.skip + LIMIT, at.begun))
    return _on(at, records, at.next())


def _on(at: _Calls, records: list[RawRecord], following: _Calls | None) -> Page:
    if following is None:
        return Page(records, None, cursor={"read_at": at.begun}, done=1.0)
    return Page(records, msgspec.to_builtins(following))


STREAMS: tuple[Stream[BottleCrmSettings], ...] = (
    _listed(
        name="users",
        title="Members",
        path="users/",
        makes=(RecordKind.USER,),
        map=mapping.user,
        volatile=frozenset({"active_token_count"}),
    ),
    _listed(
        name="pipelines",
        title="Pipelines and their stages",
        path="opportunities/pipelines/",
        makes=(RecordKind.PIPELINE, RecordKind.STAGE),
        map=mapping.pipeline,
    ),
    _listed(
        name="accounts",
        title="Accounts",
        path="accounts/",
        makes=(RecordKind.COMPANY,),
        map=mapping.account,
        volatile=frozenset({"rollups"}),
    ),
    _listed(name="contacts", title="Contacts", path="contacts/", makes=(RecordKind.CONTACT,), map=mapping.contact),
    Stream(
        name="leads",
        title="Leads",
        makes=(RecordKind.LEAD,),
        start=lambda _settings, _begin: msgspec.to_builtins(_Walk()),
        request=_ask_leads,
        read=_read_leads,
        map=mapping.lead,
        volatile=frozenset({"kanban_order", "waiting_since", "is_unanswered"}),
    ),
    _listed(
        name="opportunities",
        title="Deals",
        path="opportunities/",
        makes=(RecordKind.DEAL,),
        map=mapping.deal,
        volatile=frozenset({"created_on_arrow", "days_in_stage", "aging_status", "next_activity"}),
    ),
    _listed(
        name="invoices",
        title="Invoices",
        path="invoices/",
        makes=(RecordKind.INVOICE,),
        map=mapping.invoice,
        volatile=frozenset({"is_overdue"}),
    ),
    Stream(
        name="interactions",
        title="Calls, letters and meetings",
        makes=(RecordKind.CALL, RecordKind.MESSAGE),
        start=_start_calls,
        request=_ask_calls,
        read=_read_calls,
        map=mapping.interaction,
        volatile=frozenset({"can_edit"}),
    ),
)
