"""How Aspro.Cloud's lists are read: page by page, what changed since the day before the last run, and once a day
everything. The numbers in brackets are facts in BEHAVIOR.md.

No list says how it is sorted, so a page only ends the reading when it is short or holds nothing new [4]. Page
numbers drift when a row is deleted meanwhile; the daily pass over everything finds what slipped through, and what
is there no more.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
import xxhash

from connectors.aspro_cloud import mapping
from connectors.aspro_cloud.errors import ANSWERED, refused
from connectors.aspro_cloud.settings import AsproCloudSettings
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
from schema.enums import RecordKind

LIMIT = 100  # [4] the most that a page may hold
CHANGED = "filter[updated_date]"  # [14] unverified: the one line to change if a portal wants it otherwise
OVERLAP = timedelta(days=1)  # [14] a filter of days may drop the time
EVERYTHING_EVERY = timedelta(hours=20)
_LIVELY = frozenset({"last_activity_time", "last_activity_model", "last_activity_id"})


class _List(msgspec.Struct):
    items: list[msgspec.Raw] | dict[str, msgspec.Raw] = msgspec.field(default_factory=list)
    total_result: int | str | None = None


class _Listed(msgspec.Struct):
    response: _List


class _One(msgspec.Struct):
    response: msgspec.Raw


class _Id(msgspec.Struct):
    id: int | str


def rows(response: VendorResponse) -> tuple[list[RawRecord], int | None]:
    """The rows of a list, and of how many it is a page, if it says [4]. Raises VendorChanged."""
    try:
        found = msgspec.json.decode(response.content, type=_Listed).response
        items = found.items if isinstance(found.items, list) else list(found.items.values())
        records = [RawRecord(str(msgspec.json.decode(each, type=_Id).id), bytes(each)) for each in items]
        return records, None if found.total_result is None else int(found.total_result)
    except (msgspec.MsgspecError, ValueError) as error:
        raise VendorChanged(f"Aspro.Cloud's list isn't the known envelope: {error}.") from None


def one_of(path: str) -> Fetch[AsproCloudSettings]:
    """A record of a list by its id."""

    def request(_settings: AsproCloudSettings, external_id: str) -> VendorRequest:
        return VendorRequest(f"/{path}/get/{external_id}", accept=ANSWERED)

    def read(_settings: AsproCloudSettings, external_id: str, response: VendorResponse) -> RawRecord | None:
        if refused(response):
            return None
        try:
            return RawRecord(external_id, bytes(msgspec.json.decode(response.content, type=_One).response))
        except msgspec.MsgspecError:
            raise VendorChanged("Aspro.Cloud answered the question for one record without a record.") from None

    return Fetch(request, read)


def changed(
    *,
    name: str,
    title: str,
    path: str,
    makes: tuple[RecordKind, ...],
    map: Callable[[AsproCloudSettings, bytes], Mapped],  # noqa: A002 - the contract's own word
    history: bool = True,
) -> Stream[AsproCloudSettings]:
    """A list that is read by what changed. Without ``history`` it is read however old its rows are.

    Position: ``page``, ``since`` the first day of changes to read (None: all), ``history`` the first day that the
    user wants, ``until`` the run's own day, ``whole_at`` when everything was last read, ``whole`` whether this run
    does, ``before`` a fingerprint of the page before, ``read`` how many rows are behind.
    """

    def start(settings: AsproCloudSettings, begin: Start) -> Position:
        cursor = begin.cursor or {}
        wanted = begin.since.astimezone(settings.zone).date().isoformat() if history else None
        if wanted is not None and cursor.get("history"):
            wanted = min(wanted, cursor["history"])  # what was read stays read, or it would count as deleted
        due = begin.now - EVERYTHING_EVERY
        whole = not cursor or wanted != cursor["history"] or datetime.fromisoformat(cursor["whole_at"]) <= due
        last = None if whole else date.fromisoformat(cursor["until"]) - OVERLAP
        return {
            "page": 1,
            "since": wanted if last is None else last.isoformat(),
            "history": wanted,
            "until": begin.now.astimezone(settings.zone).date().isoformat(),
            "whole_at": begin.now.isoformat() if whole else cursor["whole_at"],
            "whole": whole,
            "before": None,
            "read": 0,
        }

    def request(_settings: AsproCloudSettings, position: Position) -> VendorRequest:
        query: dict[str, Any] = {"limit": LIMIT, "page": position["page"]}
        if position["since"] is not None:
            query[CHANGED] = json.dumps({"start_date": position["since"]})
        return VendorRequest(f"/{path}/list", query=query)

    def read(_settings: AsproCloudSettings, position: Position, response: VendorResponse) -> Page:
        records, total = rows(response)
        seen = _fingerprint(records)
        behind = position["read"] + len(records)
        if len(records) >= LIMIT and seen != position["before"]:
            following = {**position, "page": position["page"] + 1, "before": seen, "read": behind}
            return Page(records, following, done=min(behind / total, 1.0) if total else None)
        cursor = {key: position[key] for key in ("until", "whole_at", "history")}
        return Page(records, next=None, cursor=cursor, done=1.0)

    return Stream(
        name=name,
        title=title,
        makes=makes,
        start=start,
        request=request,
        read=read,
        map=map,
        whole=lambda position: bool(position["whole"]),
        volatile=_LIVELY,
        one=one_of(path),
    )


def listed(
    *,
    name: str,
    title: str,
    path: str,
    makes: RecordKind,
    map: Callable[[AsproCloudSettings, bytes], Mapped],  # noqa: A002 - the contract's own word
    volatile: frozenset[str] = frozenset(),
) -> Stream[AsproCloudSettings]:
    """A short list, read whole in each run."""

    def request(_settings: AsproCloudSettings, position: Position) -> VendorRequest:
        return VendorRequest(f"/{path}/list", query={"limit": LIMIT, "page": position["page"]})

    def read(_settings: AsproCloudSettings, position: Position, response: VendorResponse) -> Page:
        records, _ = rows(response)
        seen = _fingerprint(records)
        if len(records) >= LIMIT and seen != position["before"]:
            return Page(records, {"page": position["page"] + 1, "before": seen})
        return Page(records, next=None, cursor={}, done=1.0)

    return Stream(
        name=name,
        title=title,
        makes=(makes,),
        start=lambda _settings, _begin: {"page": 1, "before": None},
        request=request,
        read=read,
        map=map,
        sweeps=True,
        volatile=volatile,
        one=one_of(path),
    )


def _fingerprint(records: list[RawRecord]) -> str:
    """Tells whether two pages hold the same records, in whatever order."""
    return xxhash.xxh3_64_hexdigest("\n".join(sorted(record.external_id for record in records)).encode())


STREAMS: tuple[Stream[AsproCloudSettings], ...] = (
    listed(
        name="users",
        title="Employees",
        path="core/user",
        makes=RecordKind.USER,
        map=mapping.user,
        volatile=frozenset({"last_login", "last_activity", "last_activity_date", "updated_date"}),
    ),
    listed(
        name="pipelines",
        title="Pipelines",
        path="crm/pipeline",
        makes=RecordKind.PIPELINE,
        map=mapping.pipeline,
    ),
    listed(
        name="stages",
        title="Stages of pipelines",
        path="crm/pipeline_stage",
        makes=RecordKind.STAGE,
        map=mapping.stage,
    ),
    changed(
        name="accounts",
        title="Contacts and companies",
        path="crm/account",
        makes=(RecordKind.CONTACT, RecordKind.COMPANY),
        map=mapping.account,
        history=False,
    ),
    changed(
        name="leads",
        title="Deals",
        path="crm/lead",
        makes=(RecordKind.DEAL, RecordKind.LEAD),
        map=mapping.lead,
    ),
    changed(name="tasks", title="Tasks", path="task/tasks", makes=(RecordKind.TASK,), map=mapping.task),
    changed(
        name="invoices",
        title="Invoices",
        path="fin/invoice",
        makes=(RecordKind.INVOICE,),
        map=mapping.invoice,
    ),
    changed(  # [10] unverified: the path, and that an act is told like an invoice
        name="acts",
        title="Acts",
        path="fin/act",
        makes=(RecordKind.INVOICE,),
        map=mapping.act,
    ),
    changed(
        name="payments",
        title="Payments",
        path="fin/customer_payment",
        makes=(RecordKind.PAYMENT,),
        map=mapping.payment,
    ),
)
