"""How 1C's sets are read. No set says what changed [1]: each record has an opaque version, and these are compared.

A run of a stream goes through up to three steps:

1. ``pages``, on the first run: everything, page by page (documents by months). Pages that are too heavy are halved.
2. ``heads``: the keys and versions of all records there are. What is there and wasn't read in this version is
   *pending*; what isn't there any more was deleted for good.
3. ``bodies``: the pending ones by their keys.

What was read is kept as a list of short fingerprints of key and version, eight letters each: a base of 100,000
records has a cursor of 800 kB. Since a page may miss a record that moved while it was read, the heads come last.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from hashlib import blake2b
from typing import Any

import msgspec

from connectors.contract import (
    Fetch,
    Page,
    Position,
    RawRecord,
    Start,
    Stream,
    VendorRequest,
    VendorResponse,
)
from connectors.errors import Transient
from connectors.onec import documents, mapping
from connectors.onec.changes import CHANGES
from connectors.onec.errors import error_as_answer, missing
from connectors.onec.mapping import by_role
from connectors.onec.odata import any_of, ask, listed, moment, rows
from connectors.onec.profile import Role
from connectors.onec.settings import OneCSettings
from schema.enums import RecordKind

FIRST_PAGE, LARGEST_PAGE = 250, 2000  # [7] by weight, not by a constant: it grows while the base can bear it
BATCH = 20  # [7] keys in one question: a web server allows addresses of so many bytes
MANY = 1000  # so many changed that reading everything anew is cheaper
PAGES_DAYS, HEADS_DAYS = 31, 366  # of documents in one window
PLAN_EVERY = timedelta(hours=20)  # with an exchange plan the versions are compared so often
TOO_HEAVY = frozenset({500})  # [7] what a page that weighs too much gets
_FINGERPRINT = 8  # letters
_VOLATILE = frozenset({"DataVersion", "odata.metadata"})


class _Head(msgspec.Struct):
    ref: str = msgspec.field(name="Ref_Key")
    version: str | None = msgspec.field(name="DataVersion", default=None)


def fingerprint(ref: str, version: str | None) -> str:
    """48 bits of a key and a version."""
    return b64encode(blake2b(f"{ref}|{version}".encode(), digest_size=6).digest()).decode()


def _fingerprints(seen: str) -> set[str]:
    return {seen[place : place + _FINGERPRINT] for place in range(0, len(seen), _FINGERPRINT)}


def stream(
    role_name: str,
    title: str,
    makes: tuple[RecordKind, ...],
    map_row: mapping.Map,
) -> Stream[OneCSettings]:
    """The stream of a role. A base whose profile doesn't have the role has nothing to read here."""

    def start(settings: OneCSettings, begin: Start) -> Position | None:
        role, cursor = settings.names.role(role_name), begin.cursor or {}
        if role is None:
            return None
        if settings.exchange_plan and cursor and _later(cursor["listed_at"], begin.now - PLAN_EVERY):
            return None  # the plan tells
        since = begin.since.astimezone(settings.zone).date().isoformat() if role.is_document else None
        if since is not None and cursor.get("since"):
            since = min(since, cursor["since"])  # what was read stays read, or it would count as deleted
        common = {
            "set": role.set,
            "since": since,
            "today": begin.now.astimezone(settings.zone).date().isoformat(),
            "listed_at": begin.now.isoformat(),
        }
        if cursor and cursor["set"] == role.set:
            return _heads(common, cursor["seen"])
        return _pages(common)

    def request(settings: OneCSettings, position: Position) -> VendorRequest:
        role = _role(settings, role_name)
        common: dict[str, Any] = {"allowed_only": settings.allowed_only}
        match position["step"]:
            case "pages":
                return ask(
                    role.set,
                    select=role.selected(),
                    where=_window(position),
                    orderby="Date" if role.is_document else "Ref_Key",
                    top=position["top"],
                    skip=position["skip"],
                    accept=TOO_HEAVY,
                    **common,
                )
            case "heads":
                return ask(role.set, select=("Ref_Key", "DataVersion"), where=_window(position), **common)
            case _:
                wanted = position["pending"][:BATCH]
                return ask(role.set, select=role.selected(), where=any_of(wanted), **common)

    def read(settings: OneCSettings, position: Position, response: VendorResponse) -> Page:
        match position["step"]:
            case "pages":
                return _read_page(position, response)
            case "heads":
                return _read_heads(position, response)
            case _:
                return _read_bodies(position, response)

    return Stream(
        name=role_name,
        title=title,
        makes=makes,
        start=start,
        request=request,
        read=read,
        map=by_role(role_name, map_row),
        whole=lambda position: position["step"] in ("pages", "heads"),
        volatile=_VOLATILE,
        one=_one(role_name),
    )


def _later(moment_: str, than: datetime) -> bool:
    return datetime.fromisoformat(moment_) > than


def _pages(common: dict[str, Any]) -> Position:
    window = _first_window(common, PAGES_DAYS)
    return {**common, "step": "pages", **window, "skip": 0, "top": FIRST_PAGE, "most": LARGEST_PAGE, "seen": ""}


def _heads(common: dict[str, Any], seen: str) -> Position:
    window = _first_window(common, HEADS_DAYS)
    return {**common, "step": "heads", **window, "seen": seen, "kept": "", "pending": []}


def _read_page(position: Position, response: VendorResponse) -> Page:
    if response.status in TOO_HEAVY:
        if position["top"] == 1:
            raise Transient("1C can't give even one record of this list just now.")
        half = max(position["top"] // 2, 1)
        return Page([], {**position, "top": half, "most": half})
    records = rows(response)
    seen = position["seen"] + _of_records(records)
    if len(records) >= position["top"]:
        larger = min(position["top"] * 2, position["most"])
        following = {**position, "seen": seen, "skip": position["skip"] + len(records), "top": larger}
        return Page(records, following, done=_done(position))
    window = _next_window(position, PAGES_DAYS)
    if window is not None:
        return Page(records, {**position, **window, "seen": seen, "skip": 0}, done=_done(position))
    return Page(records, _heads(_common(position), seen))


def _read_heads(position: Position, response: VendorResponse) -> Page:
    heads = listed(response, _Head)
    seen = _fingerprints(position["seen"])
    marks = [(head.ref, fingerprint(head.ref, head.version)) for head in heads]
    kept = position["kept"] + "".join(mark for _, mark in marks if mark in seen)
    pending = position["pending"] + [ref for ref, mark in marks if mark not in seen]
    present = [ref for ref, _ in marks]
    window = _next_window(position, HEADS_DAYS)
    if window is not None:
        return Page([], {**position, **window, "kept": kept, "pending": pending}, present=present)
    common = _common(position)
    if not pending:
        return Page([], None, _cursor(common, kept), done=1.0, present=present)
    if len(pending) > MANY:
        return Page([], _pages(common), present=present)
    bodies = {**common, "step": "bodies", "pending": pending, "seen": kept}
    return Page([], bodies, present=present, done=0.5)


def _read_bodies(position: Position, response: VendorResponse) -> Page:
    records = rows(response)
    seen = position["seen"] + _of_records(records)
    pending = position["pending"][BATCH:]
    if pending:
        return Page(records, {**position, "pending": pending, "seen": seen})
    return Page(records, None, _cursor(_common(position), seen), done=1.0)


def _cursor(common: dict[str, Any], seen: str) -> dict[str, Any]:
    return {"seen": seen, "set": common["set"], "since": common["since"], "listed_at": common["listed_at"]}


def _common(position: Position) -> dict[str, Any]:
    return {name: position[name] for name in ("set", "since", "today", "listed_at")}


def _of_records(records: Iterable[RawRecord]) -> str:
    heads = (msgspec.json.decode(record.body, type=_Head) for record in records)
    return "".join(fingerprint(head.ref, head.version) for head in heads)


# --- windows of documents: half-open, and the last one without an end, for documents may be dated ahead


def _first_window(common: dict[str, Any], days: int) -> dict[str, Any]:
    if common["since"] is None:
        return {"from": None, "to": None}
    return _window_from(date.fromisoformat(common["since"]), common, days)


def _next_window(position: Position, days: int) -> dict[str, Any] | None:
    if position["to"] is None:
        return None
    return _window_from(date.fromisoformat(position["to"]), position, days)


def _window_from(first: date, common: dict[str, Any], days: int) -> dict[str, Any]:
    end = first + timedelta(days=days)
    open_end = end > date.fromisoformat(common["today"])
    return {"from": first.isoformat(), "to": None if open_end else end.isoformat()}


def _window(position: Position) -> str:
    if position["from"] is None:
        return ""
    bounds = [f"Date ge {moment(datetime.fromisoformat(position['from']))}"]
    if position["to"] is not None:
        bounds.append(f"Date lt {moment(datetime.fromisoformat(position['to']))}")
    return " and ".join(bounds)


def _done(position: Position) -> float | None:
    if position["from"] is None:
        return None
    first, last = date.fromisoformat(position["since"]), date.fromisoformat(position["today"])
    behind = (date.fromisoformat(position["from"]) - first).days
    return min(max(behind / max((last - first).days, 1), 0.0), 0.99)


# --- one record


def _one(role_name: str) -> Fetch[OneCSettings]:
    def request(settings: OneCSettings, external_id: str) -> VendorRequest:
        role = _role(settings, role_name)
        return ask(role.set, select=role.selected(), where=any_of([external_id]), accept=frozenset({404}))

    def read(_settings: OneCSettings, _external_id: str, response: VendorResponse) -> RawRecord | None:
        if response.status == 404:
            if missing(response):
                return None
            raise error_as_answer(response)
        return next(iter(rows(response)), None)

    return Fetch(request, read)


def _role(settings: OneCSettings, name: str) -> Role:
    role = settings.names.role(name)
    if role is None:
        raise Transient("The settings leave this list out now; the next run begins anew.")
    return role


_PARTIES = (RecordKind.COMPANY, RecordKind.CONTACT)
ROLE_STREAMS: tuple[Stream[OneCSettings], ...] = (
    stream("users", "Users", (RecordKind.USER,), mapping.user),
    stream("partners", "Partners", _PARTIES, mapping.partner),
    stream("counterparties", "Counterparties", (RecordKind.COMPANY,), mapping.counterparty),
    stream("contacts", "Contact persons", (RecordKind.CONTACT,), mapping.contact),
    stream("prospects", "Prospective clients", (RecordKind.CONTACT,), mapping.prospect),
    stream("leads", "Requests (заявки)", (RecordKind.LEAD,), mapping.lead),
    stream("pipelines", "Kinds of deals", (RecordKind.PIPELINE,), mapping.pipeline),
    stream("stages", "Stages of interests", (RecordKind.STAGE,), mapping.stage),
    stream("deals", "Deals, interests", (RecordKind.DEAL,), mapping.deal),
    stream("orders", "Customer orders", (RecordKind.ORDER,), documents.order),
    stream("invoices", "Invoices", (RecordKind.INVOICE,), documents.invoice),
    stream("bank_payments", "Payments by bank", (RecordKind.PAYMENT,), documents.payment),
    stream("cash_payments", "Payments in cash", (RecordKind.PAYMENT,), documents.payment),
    stream("card_payments", "Payments by card", (RecordKind.PAYMENT,), documents.payment),
    stream("calls", "Telephone calls", (RecordKind.CALL,), documents.call),
    stream("events", "Events", (RecordKind.CALL, RecordKind.MESSAGE), documents.event),
)
STREAMS: tuple[Stream[OneCSettings], ...] = (CHANGES, *ROLE_STREAMS)
