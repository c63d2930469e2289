"""How the journals are compared with what is here: day by day or month by month, whole records and their number.

A page holds a thousand whole records, so reading the journal again costs less than asking for the number of each
day, and shows what has changed as well.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from uuid import UUID

import msgspec

from connectors.calltouch.settings import CalltouchSettings
from connectors.calltouch.values import instant, local_time
from connectors.calltouch.wire import Scalar
from connectors.contract import (
    Audit,
    Listed,
    Listing,
    Page,
    Position,
    RawRecord,
    Span,
    Start,
    VendorRequest,
    VendorResponse,
    listing_of,
)
from connectors.windows import Window

Ask = Callable[[CalltouchSettings, Position], VendorRequest]
Read = Callable[[CalltouchSettings, Position, VendorResponse], Page]


class _Times(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    date: Scalar = None
    date_str: str | None = None
    timestamp: Scalar = None
    order_date: Scalar = None
    created_date: Scalar = None


class _Counted(msgspec.Struct, rename="camel"):
    records_total: int | None = None


_TIMES = msgspec.json.Decoder(_Times)
_COUNTED = msgspec.json.Decoder(_Counted)


def journal(ask: Ask, read: Read, *, days: int, counts: bool) -> Audit[CalltouchSettings]:
    """The audit of a journal that is read in windows of ``days``; ``counts``: a page tells their number."""

    def start(settings: CalltouchSettings, span: Span, id: UUID) -> Position | None:
        last = datetime.now(UTC) + timedelta(days=1) if span.until is None else span.until - timedelta(seconds=1)
        begin = Start(None, now=last, since=span.since or last, run_id=id)
        window = Window.opening(begin, days=days, reread_days=0, zone=settings.zone)
        return None if window is None else {**window.position(), "page": 1}

    def listed(settings: CalltouchSettings, position: Position, response: VendorResponse) -> Listing:
        total = None
        if counts and position["page"] == 1:
            total = _COUNTED.decode(response.content).records_total
        return listing_of(read(settings, position, response), lambda body: _moment(settings, body), total)

    def stored(settings: CalltouchSettings, record: RawRecord) -> Listed:
        return Listed(record.external_id, _moment(settings, record.body))

    return Audit(zone=_zone, start=start, request=ask, read=listed, stored=stored)


def _zone(settings: CalltouchSettings) -> tzinfo:
    return settings.zone


def _moment(settings: CalltouchSettings, body: bytes) -> datetime | None:
    """When a record stands in its journal: as the cabinet writes it, since its days are the cabinet's."""
    times = _TIMES.decode(body)
    for told in (times.date_str, times.order_date, times.date, times.created_date):
        if isinstance(told, str) and not told.strip().isdecimal() and (local := local_time(told)) is not None:
            return local.replace(tzinfo=settings.zone)
    return instant(times.timestamp) or instant(times.date) or instant(times.order_date)
