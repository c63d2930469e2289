"""How Bitrix24's lists are read: in the order of ids, many pages of fifty in one ``batch``.

Each command of a batch asks for the rows after the last id of the command before it
(``filter[>ID]=$result[c0][49][ID]``), so that a page never depends on how many rows stand before it and an
edit in between moves nothing. A short page is the end. What a reference to a missing row becomes isn't
documented, therefore pages are taken only as long as ids rise, and nothing after a short page is looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from connectors.bitrix24 import mapping, wire
from connectors.bitrix24.comparing import audit_of
from connectors.bitrix24.lists import (
    BATCH,
    CALLS_OVERLAP,
    FROM_TOP,
    MAX_LISTS,
    PAGE_ROWS,
    ROW,
    SLOW_SECONDS,
    Listing,
    Pairs,
    rising,
    select,
    written_time,
)
from connectors.bitrix24.settings import Bitrix24Settings
from connectors.contract import (
    Cursor,
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
from schema.enums import RecordKind

_LAST = "last"


def listed(
    *,
    name: str,
    title: str,
    makes: RecordKind,
    map: Callable[[Bitrix24Settings, bytes], Mapped],  # noqa: A002 - the contract's own word
    listing: Listing,
    volatile: frozenset[str] = frozenset(),
    named_by: str | None = None,
) -> Stream[Bitrix24Settings]:
    """A stream over a list method, read in the order of ids. ``named_by``: the field by whose value events name a
    row.

    Position: ``after`` the last id read, ``since`` the run's lower bound, ``history`` the moment from which the
    user wants to read, ``until`` the run's own moment, ``lists`` how many pages to ask for at once, ``first``
    and ``last`` the ids between which progress is told. The cursor keeps ``history`` and ``until``.
    """

    def start(settings: Bitrix24Settings, begin: Start) -> Position:
        history = None if listing.whole else written_time(begin.since)
        return {
            "after": 0,
            "since": _lower_bound(listing, begin.cursor, history),
            "history": history,
            "until": written_time(begin.now),
            "lists": 1,
            "first": None,
            "last": None,
        }

    def request(settings: Bitrix24Settings, position: Position) -> VendorRequest:
        commands: dict[str, str] = {}
        after = str(position["after"])
        for number in range(position["lists"]):
            commands[f"c{number}"] = listing.command(after, position["since"])
            after = listing.reference(f"c{number}")
        if position["first"] is not None and position["last"] is None:
            commands[_LAST] = listing.newest(position["since"])
        return VendorRequest("/batch", "POST", json={"halt": 1, "cmd": commands})

    def read(settings: Bitrix24Settings, position: Position, response: VendorResponse) -> Page:
        batch = BATCH.decode(response.content)
        results = batch.result.result if isinstance(batch.result.result, dict) else {}
        records: list[RawRecord] = []
        after: int = position["after"]
        first: int | None = position["first"]
        ended = broken = False
        for number in range(position["lists"]):
            result = results.get(f"c{number}")
            if result is None:  # halted by an error: it comes back as the first command's, with its own type
                broken = True
                break
            rows = listing.rows(result)
            ids = [int(ROW.decode(row).id) for row in rows]
            if not rising(after, ids):
                broken = True
                break
            records += [RawRecord(str(each), bytes(row)) for each, row in zip(ids, rows, strict=True)]
            if ids:
                after, first = ids[-1], ids[0] if first is None else first
            if len(rows) < PAGE_ROWS:
                ended = True
                break
        if broken and after == position["after"]:
            raise VendorChanged(
                f"Bitrix24 answered {listing.method} with rows that aren't those after id {after}, in rising order."
            )
        if ended:
            cursor = {"until": position["until"], "history": position["history"]}
            return Page(records, next=None, cursor=cursor, done=1.0)
        last = position["last"] or _highest(listing, results.get(_LAST))
        slow = batch.time is not None and batch.time.duration > SLOW_SECONDS
        following: Position = {
            **position,
            "after": after,
            "lists": 1 if broken else _lists(position["lists"], slow, after, last),
            "first": first,
            "last": last,
        }
        return Page(records, next=following, done=_done(first, after, last))

    return Stream(
        name=name,
        title=title,
        makes=(makes,),
        start=start,
        request=request,
        read=read,
        map=map,
        volatile=volatile,
        one=None if named_by is None else _single(listing, named_by),
        audit=audit_of(listing),
    )


def _single(listing: Listing, field: str) -> Fetch[Bitrix24Settings]:
    """One row by the list method, so that it comes with the same fields, in the same bytes, as in pages."""

    def request(settings: Bitrix24Settings, external_id: str) -> VendorRequest:
        return VendorRequest("/batch", "POST", json={"halt": 1, "cmd": {"c0": listing.single(field, external_id)}})

    def read(settings: Bitrix24Settings, external_id: str, response: VendorResponse) -> RawRecord | None:
        results = BATCH.decode(response.content).result.result
        if not isinstance(results, dict) or "c0" not in results:
            raise VendorChanged(f"Bitrix24 answered {listing.method} for one row with something else.")
        rows = listing.rows(results["c0"])
        return RawRecord(str(ROW.decode(rows[-1]).id), bytes(rows[-1])) if rows else None  # [24] the newest one

    return Fetch(request, read)


def _lower_bound(listing: Listing, cursor: Cursor | None, history: str | None) -> str | None:
    """From where a run reads: the last run's moment less the overlap, or all the history that is wanted, also
    when the user now wants more of it than before."""
    if listing.changed is None:
        return None
    if cursor is None or (history is not None and history < cursor["history"]):
        return history
    return written_time(datetime.fromisoformat(cursor["until"]) - listing.overlap)


def _highest(listing: Listing, result: msgspec.Raw | None) -> int | None:
    rows = [] if result is None else listing.rows(result)
    return max((int(ROW.decode(row).id) for row in rows), default=None)


def _lists(before: int, slow: bool, after: int, last: int | None) -> int:
    """How many pages to ask for next: four times as many each time, yet never more than ids are left for,
    since each page behind the end would cost the portal a list for nothing."""
    wanted = max(1, before // 2) if slow else min(before * 4, MAX_LISTS)
    if last is not None:
        wanted = min(wanted, max(1, (last - after) // PAGE_ROWS + 1))
    return wanted


def _done(first: int | None, after: int, last: int | None) -> float | None:
    if first is None or last is None or last <= first:
        return None
    return min((after - first) / (last - first), 1.0)


# --- short lists, read whole in each run


class _Categories(msgspec.Struct):
    categories: list[msgspec.Raw]


class _CategoryAnswer(msgspec.Struct):
    result: _Categories


class _ListAnswer(msgspec.Struct):
    result: list[msgspec.Raw]
    next: int | None = None


DEAL_TYPE = 2  # the vendor's number for deals among its kinds of records


def _begin(settings: Bitrix24Settings, begin: Start) -> Position:
    return {"start": 0}


def _ask_pipelines(settings: Bitrix24Settings, position: Position) -> VendorRequest:
    return VendorRequest("/crm.category.list", "POST", json={"entityTypeId": DEAL_TYPE})


def _read_pipelines(settings: Bitrix24Settings, position: Position, response: VendorResponse) -> Page:
    rows = msgspec.json.decode(response.content, type=_CategoryAnswer).result.categories
    records = [RawRecord(str(msgspec.json.decode(row, type=wire.Category).id), bytes(row)) for row in rows]
    return Page(records, next=None, cursor={}, done=1.0)


def _ask_stages(settings: Bitrix24Settings, position: Position) -> VendorRequest:
    return VendorRequest("/crm.status.list", "POST", json={"order": {"SORT": "ASC"}, **position})


def _read_stages(settings: Bitrix24Settings, position: Position, response: VendorResponse) -> Page:
    """The portal's lists come all together; the stages of deals are picked out of them."""
    answer = msgspec.json.decode(response.content, type=_ListAnswer)
    rows = [(msgspec.json.decode(raw, type=wire.Status), raw) for raw in answer.result]
    stages = [RawRecord(str(row.status_id), bytes(raw)) for row, raw in rows if mapping.is_deal_stage(row)]
    return _numbered(position, answer, stages)


def _ask_users(settings: Bitrix24Settings, position: Position) -> VendorRequest:
    return VendorRequest("/user.get", "POST", json={"sort": "ID", "order": "ASC", **position})


def _read_users(settings: Bitrix24Settings, position: Position, response: VendorResponse) -> Page:
    answer = msgspec.json.decode(response.content, type=_ListAnswer)
    return _numbered(position, answer, [RawRecord(str(ROW.decode(raw).id), bytes(raw)) for raw in answer.result])


def _numbered(position: Position, answer: _ListAnswer, records: list[RawRecord]) -> Page:
    """A page of a list that is too short to be worth more than page numbers; ``next`` alone proves nothing [8]."""
    if answer.next is not None and answer.next > position["start"] and len(answer.result) >= PAGE_ROWS:
        return Page(records, next={"start": answer.next})
    return Page(records, next=None, cursor={}, done=1.0)


_PARTY = select("*", "UF_*", "PHONE", "EMAIL", "WEB", "IM")  # [12] multifields only come when they are named
_LIVELY = frozenset({"LAST_ACTIVITY_TIME", "LAST_ACTIVITY_BY", "LAST_COMMUNICATION_TIME"})
_SORTED_UP: Pairs = (("SORT", "ID"), ("ORDER", "ASC"))
_SORTED_DOWN: Pairs = (("SORT", "ID"), ("ORDER", "DESC"))

STREAMS: tuple[Stream[Bitrix24Settings], ...] = (
    Stream(
        name="users",
        title="Employees",
        makes=(RecordKind.USER,),
        start=_begin,
        request=_ask_users,
        read=_read_users,
        map=mapping.user,
        sweeps=True,
        volatile=frozenset({"LAST_LOGIN", "LAST_ACTIVITY_DATE", "IS_ONLINE", "TIMESTAMP_X"}),
    ),
    Stream(
        name="pipelines",
        title="Pipelines of deals",
        makes=(RecordKind.PIPELINE,),
        start=_begin,
        request=_ask_pipelines,
        read=_read_pipelines,
        map=mapping.pipeline,
        sweeps=True,
    ),
    Stream(
        name="stages",
        title="Stages of deals",
        makes=(RecordKind.STAGE,),
        start=_begin,
        request=_ask_stages,
        read=_read_stages,
        map=mapping.stage,
        sweeps=True,
    ),
    listed(
        name="companies",
        title="Companies",
        makes=RecordKind.COMPANY,
        map=mapping.company,
        listing=Listing(
            method="crm.company.list", changed="DATE_MODIFY", told_by=("ASSIGNED_BY_ID",), whole=True, fixed=_PARTY
        ),
        volatile=_LIVELY,
        named_by="ID",
    ),
    listed(
        name="contacts",
        title="Contacts",
        makes=RecordKind.CONTACT,
        map=mapping.contact,
        listing=Listing(
            method="crm.contact.list", changed="DATE_MODIFY", told_by=("COMPANY_ID",), whole=True, fixed=_PARTY
        ),
        volatile=_LIVELY,
        named_by="ID",
    ),
    listed(
        name="leads",
        title="Leads",
        makes=RecordKind.LEAD,
        map=mapping.lead,
        listing=Listing(
            method="crm.lead.list", changed="DATE_MODIFY", told_by=("CONTACT_ID", "COMPANY_ID"), fixed=_PARTY
        ),
        volatile=_LIVELY,
        named_by="ID",
    ),
    listed(
        name="deals",
        title="Deals",
        makes=RecordKind.DEAL,
        map=mapping.deal,
        listing=Listing(
            method="crm.deal.list",
            changed="DATE_MODIFY",
            told_by=("CONTACT_ID", "COMPANY_ID", "LEAD_ID"),
            fixed=select("*", "UF_*"),
        ),
        volatile=_LIVELY,
        named_by="ID",
    ),
    listed(
        name="stage_history",
        title="Moves of deals between stages",
        makes=RecordKind.STAGE_CHANGE,
        map=mapping.stage_change,
        listing=Listing(
            method="crm.stagehistory.list",
            changed="CREATED_TIME",
            fixed=(("entityTypeId", str(DEAL_TYPE)),),
            start=FROM_TOP,
            inside="items",
        ),
    ),
    listed(
        name="calls",
        title="Calls",
        makes=RecordKind.CALL,
        map=mapping.call,
        listing=Listing(
            method="voximplant.statistic.get",
            changed="CALL_START_DATE",
            overlap=CALLS_OVERLAP,
            filter_name="FILTER",
            ascending=_SORTED_UP,
            descending=_SORTED_DOWN,
            start=FROM_TOP,
        ),
        named_by="CALL_ID",
    ),
)
