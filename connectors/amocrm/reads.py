"""How amoCRM's lists are read.

Cards and notes are read in the order of their last change: each page asks for what changed at or after the last
row's second, so that a card edited meanwhile moves to the end and pushes nothing out of sight, as it would with
page numbers. Page numbers are only used within one second, and where the order isn't kept.

In accounts without API filtering the filter may be ignored without a word and the whole base comes back. A row
from before the asked moment tells so; then the list is read from the newest change down to the run's lower bound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from itertools import pairwise
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from connectors.amocrm import mapping, wire
from connectors.amocrm.settings import AmoCrmSettings
from connectors.contract import (
    Audit,
    Cursor,
    Fetch,
    Listed,
    Mapped,
    Page,
    Position,
    RawRecord,
    Span,
    Start,
    Stream,
    VendorRequest,
    VendorResponse,
    listing_of,
)
from schema.enums import RecordKind

LIMIT = 250  # [5] the most that a page of most lists may hold
EVENTS_LIMIT = 100  # [17]
OVERLAP_SECONDS = 60  # [7]
UNSETTLED_SECONDS = 5  # [7] the newest rows may still be on their way into the list
EVENTS_SPAN_SECONDS = 30 * 24 * 3600  # history is asked for by such spans, so that page numbers stay low
_API = "/api/v4"
_END = datetime(2100, 1, 1, tzinfo=UTC)
_LINKS = frozenset({"_links"})  # [8] holds the page number, which is no change of the record

_KEYSET, _PAGES, _NEWEST = "keyset", "pages", "newest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One of the lists that a stream reads through, one after the other. ``again`` marks a list of what has been
    taken away since: the first run has no use for it."""

    path: str
    key: str
    query: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    again: bool = False


class _Answer(msgspec.Struct):
    links: dict[str, wire.Href] | list[Any] | None = msgspec.field(name="_links", default=None)
    embedded: dict[str, msgspec.Raw] | list[Any] = msgspec.field(name="_embedded", default_factory=dict)


class _Row(msgspec.Struct):
    id: int | str
    updated_at: int | None = None
    created_at: int | None = None
    type: str | int | None = None
    is_deleted: bool | None = None


_answer = msgspec.json.Decoder(_Answer)
_row = msgspec.json.Decoder(_Row)


@dataclass(frozen=True, slots=True)
class _Rows:
    raw: list[msgspec.Raw]
    rows: list[_Row]
    more: bool


def _rows(response: VendorResponse, key: str) -> _Rows:
    """The rows of an answer, and whether it names a next page. Nothing at all comes as 204 without a body [4]."""
    if response.status == 204 or not response.content:
        return _Rows([], [], more=False)
    answer = _answer.decode(response.content)
    held = answer.embedded.get(key) if isinstance(answer.embedded, dict) else None
    raw = [] if held is None else msgspec.json.decode(held, type=list[msgspec.Raw])
    more = isinstance(answer.links, dict) and "next" in answer.links
    return _Rows(raw, [_row.decode(each) for each in raw], more=more and bool(raw))


def _by_id(body: bytes) -> str:
    return str(_row.decode(body).id)


def _by_call(body: bytes) -> str:
    return mapping.call_id(msgspec.json.decode(body, type=wire.Note))


def _window(begin: Start, *, whole: bool = False) -> tuple[int | None, int, int | None]:
    """From which second to which a run reads, and the second from which the user wants history."""
    until = int(begin.now.timestamp()) - UNSETTLED_SECONDS
    history = None if whole else int(begin.since.timestamp())
    if begin.cursor is None or (history is not None and history < begin.cursor["history"]):
        return history, until, history
    return begin.cursor["until"] - OVERLAP_SECONDS, until, history


def _cursor(position: Position) -> Cursor:
    return {"until": position["until"], "history": position["history"]}


def changed(
    *,
    name: str,
    title: str,
    makes: RecordKind,
    map: Callable[[AmoCrmSettings, bytes], Mapped],  # noqa: A002 - the contract's own word
    parts: tuple[Part, ...],
    whole: bool = False,
    external_id: Callable[[bytes], str] = _by_id,
    single: bool = False,
) -> Stream[AmoCrmSettings]:
    """A stream of what was changed since the last run; with ``whole`` the first run reads everything there is,
    with ``single`` a record can be fetched by its id.

    Position: ``left`` the parts still to read, ``how`` the present one is read, ``from`` the second and ``page``
    where it stands; ``since``, ``until`` and ``history`` are the run's bounds in Unix seconds.
    """

    def start(settings: AmoCrmSettings, begin: Start) -> Position:
        since, until, history = _window(begin, whole=whole)
        first_run = since == history
        return {
            "left": [number for number, part in enumerate(parts) if not (first_run and part.again)],
            "how": _KEYSET,
            "from": since,
            "page": 1,
            "since": since,
            "until": until,
            "history": history,
        }

    def request(settings: AmoCrmSettings, position: Position) -> VendorRequest:
        part = parts[position["left"][0]]
        query: dict[str, str | int | Sequence[str]] = {**part.query, "limit": LIMIT, "page": position["page"]}
        if position["how"] == _NEWEST:
            query["order[updated_at]"] = "desc"
        else:
            query["order[updated_at]"] = "asc"
            if position["from"] is not None:
                # One second earlier: whether the bound itself is included isn't documented [7].
                query["filter[updated_at][from]"] = position["from"] - 1
            query["filter[updated_at][to]"] = position["until"]
        return VendorRequest(f"{_API}{part.path}", query=query)

    def read(settings: AmoCrmSettings, position: Position, response: VendorResponse) -> Page:
        found = _rows(response, parts[position["left"][0]].key)
        marks = [row.updated_at for row in found.rows if row.updated_at is not None]
        if position["how"] == _NEWEST:
            since = position["since"]
            kept = [
                raw
                for raw, row in zip(found.raw, found.rows, strict=True)
                if since is None or row.updated_at is None or row.updated_at >= since
            ]
            passed = since is not None and _descends(marks) and any(mark < since for mark in marks)
            following = {**position, "page": position["page"] + 1} if found.more and not passed else None
        elif position["from"] is not None and any(mark < position["from"] - 1 for mark in marks):
            kept, following = [], {**position, "how": _NEWEST, "from": position["since"], "page": 1}
        else:
            kept, following = found.raw, _after(position, marks) if found.more else None
        records = _once(external_id, kept)
        if following is not None:
            return Page(records, next=following, done=_done(len(parts), position, marks))
        left = position["left"][1:]
        if not left:
            return Page(records, next=None, cursor=_cursor(position), done=1.0)
        following = {**position, "left": left, "how": _KEYSET, "from": position["since"], "page": 1}
        return Page(records, next=following, done=1 - len(left) / len(parts))

    return Stream(
        name=name,
        title=title,
        makes=(makes,),
        start=start,
        request=request,
        read=read,
        map=map,
        volatile=_LINKS,
        one=_single(parts[0]) if single else None,
        audit=Audit(
            zone=_zone,
            start=lambda settings, span, id: _span(span, [n for n, part in enumerate(parts) if not part.again]),
            request=request,
            read=lambda settings, position, response: listing_of(read(settings, position, response), _changed_at),
            stored=_stored,
            kept_since=not whole,
        ),
    )


def _span(span: Span, left: list[int]) -> Position:
    """Where reading what changed in a span begins. Cards in the bin aren't read: absence tells of them."""
    since = None if span.since is None else int(span.since.timestamp())
    until = int((span.until or _END).timestamp()) - 1  # the bound itself is included [7]
    return {
        "left": left,
        "how": _KEYSET,
        "from": since,
        "page": 1,
        "since": since,
        "until": until,
        "history": since,
    }


def _zone(settings: AmoCrmSettings) -> tzinfo:
    return ZoneInfo(settings.timezone)


def _changed_at(body: bytes) -> datetime | None:
    row = _row.decode(body)
    mark = row.updated_at if row.updated_at is not None else row.created_at
    return None if mark is None else datetime.fromtimestamp(mark, UTC)


def _stored(settings: AmoCrmSettings, record: RawRecord) -> Listed:
    return Listed(record.external_id, _changed_at(record.body), gone=_row.decode(record.body).is_deleted is True)


def _single(part: Part) -> Fetch[AmoCrmSettings]:
    """One card by its id. One in the bin is answered as one that never was: 204 [4]."""

    def request(settings: AmoCrmSettings, external_id: str) -> VendorRequest:
        return VendorRequest(f"{_API}{part.path}/{external_id}", query=part.query, accept=frozenset({404}))

    def read(settings: AmoCrmSettings, external_id: str, response: VendorResponse) -> RawRecord | None:
        if response.status in (204, 404) or not response.content:
            return None
        return RawRecord(_by_id(response.content), response.content)

    return Fetch(request, read)


def _after(position: Position, marks: Sequence[int]) -> Position:
    """Where reading goes on upwards: from the last row's second if rows came in order, else by page number."""
    ordered = all(low <= high for low, high in pairwise(marks))
    if position["how"] == _KEYSET and ordered and marks:
        if position["from"] is None or marks[-1] > position["from"]:
            return {**position, "from": marks[-1], "page": 1}
        return {**position, "page": position["page"] + 1}
    return {**position, "how": _PAGES, "page": position["page"] + 1}


def _once(external_id: Callable[[bytes], str], rows: Sequence[msgspec.Raw]) -> list[RawRecord]:
    """The rows as records, the last one of an id only: a page may hold one call twice."""
    bodies = (bytes(raw) for raw in rows)
    return list({record.external_id: record for record in (RawRecord(external_id(b), b) for b in bodies)}.values())


def _done(parts: int, position: Position, marks: Sequence[int]) -> float | None:
    since, until = position["since"], position["until"]
    if since is None or not marks or until <= since:
        return None
    seconds = until - marks[-1] if position["how"] == _NEWEST else marks[-1] - since
    share: float = min(max(seconds / (until - since), 0.0), 1.0)
    return (parts - len(position["left"]) + share) / parts


def _descends(marks: Sequence[int]) -> bool:
    return all(high >= low for high, low in pairwise(marks))


# --- events: they never change and come newest first, so a fixed span can be paged by number


def _begin_events(settings: AmoCrmSettings, begin: Start) -> Position:
    since, until, history = _window(begin)
    assert since is not None  # noqa: S101 - only whole streams have no lower bound
    return {
        "from": since,
        "to": min(since + EVENTS_SPAN_SECONDS, until),
        "page": 1,
        "since": since,
        "until": until,
        "history": history,
    }


def _span_of_events(settings: AmoCrmSettings, span: Span, id: UUID) -> Position:
    position = _span(span, [])
    end = min(position["until"], int(datetime.now(UTC).timestamp()) + 86_400)
    return position | {"until": end, "to": min(position["from"] + EVENTS_SPAN_SECONDS, end)}


_STATUS_CHANGED = "lead_status_changed"


def _ask_events(settings: AmoCrmSettings, position: Position) -> VendorRequest:
    return VendorRequest(
        f"{_API}/events",
        query={
            "filter[type][]": [_STATUS_CHANGED],
            "filter[created_at][from]": position["from"],
            "filter[created_at][to]": position["to"],
            "limit": EVENTS_LIMIT,
            "page": position["page"],
        },
    )


def _read_events(settings: AmoCrmSettings, position: Position, response: VendorResponse) -> Page:
    found = _rows(response, "events")
    records = [
        RawRecord(str(row.id), bytes(raw))
        for raw, row in zip(found.raw, found.rows, strict=True)
        if row.type == _STATUS_CHANGED
    ]
    since, until, to = position["since"], position["until"], position["to"]
    if found.more:
        done = (position["from"] - since) / max(until - since, 1)
        return Page(records, next={**position, "page": position["page"] + 1}, done=done)
    if to >= until:
        return Page(records, next=None, cursor=_cursor(position), done=1.0)
    following = {**position, "from": to, "to": min(to + EVENTS_SPAN_SECONDS, until), "page": 1}
    return Page(records, next=following, cursor=None, done=(to - since) / max(until - since, 1))


# --- short lists, read whole in each run


def _begin_list(settings: AmoCrmSettings, begin: Start) -> Position:
    return {"page": 1}


def _ask_users(settings: AmoCrmSettings, position: Position) -> VendorRequest:
    return VendorRequest(f"{_API}/users", query={"limit": LIMIT, "page": position["page"]})


def _read_users(settings: AmoCrmSettings, position: Position, response: VendorResponse) -> Page:
    found = _rows(response, "users")
    records = [RawRecord(str(row.id), bytes(raw)) for raw, row in zip(found.raw, found.rows, strict=True)]
    if found.more:
        return Page(records, next={"page": position["page"] + 1})
    return Page(records, next=None, cursor={}, done=1.0)


def _ask_pipelines(settings: AmoCrmSettings, position: Position) -> VendorRequest:
    return VendorRequest(f"{_API}/leads/pipelines")


def _read_pipelines(settings: AmoCrmSettings, position: Position, response: VendorResponse) -> Page:
    found = _rows(response, "pipelines")
    records = [RawRecord(str(row.id), bytes(raw)) for raw, row in zip(found.raw, found.rows, strict=True)]
    return Page(records, next=None, cursor={}, done=1.0)


class _Statuses(msgspec.Struct):
    statuses: list[msgspec.Raw] = msgspec.field(default_factory=list)


class _PipelineStatuses(msgspec.Struct):
    embedded: _Statuses = msgspec.field(name="_embedded")


def _read_stages(settings: AmoCrmSettings, position: Position, response: VendorResponse) -> Page:
    """The stages stand inside the pipelines; each is a record of its own, so that a removed one is seen."""
    records = []
    for pipeline in _rows(response, "pipelines").raw:
        for raw in msgspec.json.decode(pipeline, type=_PipelineStatuses).embedded.statuses:
            status = msgspec.json.decode(raw, type=wire.Status)
            records.append(RawRecord(mapping.stage_id(status.pipeline_id, status.id), bytes(raw)))
    return Page(records, next=None, cursor={}, done=1.0)


def _calls_on(entity: str) -> Part:
    return Part(path=f"/{entity}/notes", key="notes", query={"filter[note_type][]": ["call_in", "call_out"]})


_LEADS_WITH = "contacts,loss_reason,source_id"

STREAMS: tuple[Stream[AmoCrmSettings], ...] = (
    Stream(
        name="users",
        title="Employees",
        makes=(RecordKind.USER,),
        start=_begin_list,
        request=_ask_users,
        read=_read_users,
        map=mapping.user,
        sweeps=True,
        volatile=_LINKS,
    ),
    Stream(
        name="pipelines",
        title="Pipelines",
        makes=(RecordKind.PIPELINE,),
        start=_begin_list,
        request=_ask_pipelines,
        read=_read_pipelines,
        map=mapping.pipeline,
        sweeps=True,
        volatile=_LINKS | {"_embedded"},
    ),
    Stream(
        name="stages",
        title="Stages of pipelines",
        makes=(RecordKind.STAGE,),
        start=_begin_list,
        request=_ask_pipelines,
        read=_read_stages,
        map=mapping.stage,
        sweeps=True,
        volatile=_LINKS,
    ),
    changed(
        name="companies",
        title="Companies",
        makes=RecordKind.COMPANY,
        map=mapping.company,
        whole=True,
        parts=(Part(path="/companies", key="companies"),),
        single=True,
    ),
    changed(
        name="contacts",
        title="Contacts",
        makes=RecordKind.CONTACT,
        map=mapping.contact,
        whole=True,
        # Not with their leads: those come and go without a new updated_at, and each lead names its contact itself.
        parts=(Part(path="/contacts", key="contacts"),),
        single=True,
    ),
    changed(
        name="deals",
        title="Leads (deals)",
        makes=RecordKind.DEAL,
        map=mapping.deal,
        parts=(
            Part(path="/leads", key="leads", query={"with": _LEADS_WITH}),
            Part(path="/leads", key="leads", query={"with": f"only_deleted,{_LEADS_WITH}"}, again=True),  # [18]
        ),
        single=True,
    ),
    changed(
        name="calls",
        title="Calls",
        makes=RecordKind.CALL,
        map=mapping.call,
        # Leads come last: where one call hangs on several cards, its link to the deal is the one that stays [15].
        parts=(_calls_on("companies"), _calls_on("contacts"), _calls_on("leads")),
        external_id=_by_call,
    ),
    Stream(
        name="stage_changes",
        title="Moves of leads between stages",
        makes=(RecordKind.STAGE_CHANGE,),
        start=_begin_events,
        request=_ask_events,
        read=_read_events,
        map=mapping.stage_change,
        volatile=_LINKS,
        audit=Audit(
            zone=_zone,
            start=_span_of_events,
            request=_ask_events,
            read=lambda settings, position, response: listing_of(
                _read_events(settings, position, response), _changed_at
            ),
            stored=_stored,
        ),
    ),
)
