"""How the costs of recent days are compared: the report once more, line by line. Older days are final."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from uuid import UUID

from connectors.contract import (
    Audit,
    Listed,
    Listing,
    Position,
    RawRecord,
    Span,
    Start,
    VendorResponse,
    listing_of,
)
from connectors.windows import Window
from connectors.yandex_direct.reads import DAYS_OF, REPORT_DAYS, ask_ad_spend, read_ad_spend
from connectors.yandex_direct.settings import DirectSettings

COMPARED_DAYS = 30
SETTLES = timedelta(days=1)
"""A day's costs still grow while it lasts, and for some hours after."""


def _zone(_settings: DirectSettings) -> tzinfo:
    return DAYS_OF


def _start(_settings: DirectSettings, span: Span, id: UUID) -> Position | None:
    last = datetime.now(UTC) if span.until is None else span.until - timedelta(seconds=1)
    begin = Start(None, now=last, since=span.since or last, run_id=id)
    window = Window.opening(begin, days=REPORT_DAYS, reread_days=0, zone=DAYS_OF)
    return None if window is None else {**window.position(), "run": str(id), "currency": None}


def _read(settings: DirectSettings, position: Position, response: VendorResponse) -> Listing:
    page = read_ad_spend(settings, position, response)
    moments = {record.body: _day_of(record.external_id) for record in page.records}
    return listing_of(page, moments.get)


def _stored(_settings: DirectSettings, record: RawRecord) -> Listed:
    return Listed(record.external_id, _day_of(record.external_id))


def _day_of(external_id: str) -> datetime | None:
    """A line is known by its day and campaign."""
    try:
        return datetime.combine(date.fromisoformat(external_id.partition("|")[0]), time(), DAYS_OF)
    except ValueError:
        return None


AUDIT_OF_SPEND = Audit(
    zone=_zone,
    start=_start,
    request=ask_ad_spend,
    read=_read,
    stored=_stored,
    longest_days=COMPARED_DAYS,
    settles=SETTLES,
    cut="months",  # each report waits in a queue
)
