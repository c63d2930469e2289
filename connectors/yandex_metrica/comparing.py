"""How visits are compared: Metrica's own number of each day, without sampling, beside ours.

Exports can't be listed without making them, so it is numbers that are compared; a day with another number is
exported again. Days are the counter's own, therefore they are taken as names and not as moments.
Source: https://yandex.com/dev/metrika/en/stat/
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from uuid import UUID

import msgspec

from connectors.contract import (
    Audit,
    Listed,
    Listing,
    Position,
    RawRecord,
    Span,
    VendorRequest,
    VendorResponse,
)
from connectors.errors import VendorChanged
from connectors.yandex_metrica.settings import MetricaSettings
from connectors.yandex_metrica.table import Line

COMPARED_DAYS = 30
SETTLES = timedelta(days=2)
"""Visits are completed for some hours after they end, and days are the counter's."""

_LINE = msgspec.json.Decoder(Line)


class _Totals(msgspec.Struct):
    totals: list[float]
    sampled: bool = False


def _zone(_settings: MetricaSettings) -> tzinfo:
    return UTC


def _start(_settings: MetricaSettings, span: Span, _id: UUID) -> Position | None:
    if span.since is None or span.until is None:
        return None
    return {"first": span.since.date().isoformat(), "last": (span.until - timedelta(days=1)).date().isoformat()}


def _ask(settings: MetricaSettings, position: Position) -> VendorRequest:
    return VendorRequest(
        "/stat/v1/data",
        query={
            "ids": settings.counter_id,
            "metrics": "ym:s:visits",
            "dimensions": "ym:s:date",
            "date1": position["first"],
            "date2": position["last"],
            "accuracy": "full",
        },
    )


def _read(_settings: MetricaSettings, _position: Position, response: VendorResponse) -> Listing:
    try:
        told = msgspec.json.decode(response.content, type=_Totals)
    except msgspec.MsgspecError as error:
        raise VendorChanged(f"Metrica's report of visits has an unknown shape: {error}.") from error
    if told.sampled:
        raise VendorChanged("Metrica samples its report of visits, although full accuracy was asked for.")
    return Listing((), None, total=int(told.totals[0]) if told.totals else 0)


def _stored(_settings: MetricaSettings, record: RawRecord) -> Listed:
    cells = _LINE.decode(record.body).cells or {}
    day = cells.get("date")
    return Listed(
        record.external_id,
        None if day is None else datetime.combine(date.fromisoformat(day[:10]), time(), UTC),
    )


AUDIT_OF_VISITS = Audit(
    zone=_zone,
    start=_start,
    request=_ask,
    read=_read,
    stored=_stored,
    names=False,
    longest_days=COMPARED_DAYS,
    settles=SETTLES,
    cut="days",
)
