"""The list that a stream is compared by: the connector's own audit, or else the stream's pages read once more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any
from uuid import UUID

from connectors.contract import (
    Audit,
    ConnectorSettings,
    Listed,
    Listing,
    Position,
    RawRecord,
    Span,
    Start,
    Stream,
    VendorRequest,
    VendorResponse,
    listing_of,
)


@dataclass(frozen=True, slots=True)
class Compared:
    """How a stream is compared. ``ends``: what a complete list no longer names was deleted there, though its moment
    tells nothing; ``spans``: it is compared span by span."""

    audit: Audit[Any]
    spans: bool
    ends: bool


def compared_by(
    stream: Stream[Any], settings: ConnectorSettings, since: datetime, now: datetime, id: UUID
) -> Compared | None:
    """How ``stream`` is compared; None where nothing is read of it by these settings, or where there is neither a
    list of all of it nor a way to ask for one record."""
    position = stream.start(settings, Start(cursor=None, now=now, since=since, run_id=id))
    if position is None:
        return None
    if stream.audit is not None:
        return Compared(stream.audit, spans=True, ends=False)
    whole = stream.sweeps or (stream.whole is not None and stream.whole(position))
    if not whole and stream.one is None:
        return None
    return Compared(_pages_of(stream, now), spans=False, ends=whole)


def _pages_of(stream: Stream[Any], now: datetime) -> Audit[Any]:
    def zone(settings: ConnectorSettings) -> tzinfo:
        return UTC

    def start(settings: ConnectorSettings, span: Span, id: UUID) -> Position | None:
        since = span.since or datetime(1970, 1, 1, tzinfo=UTC)
        return stream.start(settings, Start(cursor=None, now=now, since=since, run_id=id))

    def request(settings: ConnectorSettings, position: Position) -> VendorRequest:
        return stream.request(settings, position)

    def read(settings: ConnectorSettings, position: Position, response: VendorResponse) -> Listing:
        return listing_of(stream.read(settings, position, response), lambda body: None)

    def stored(settings: ConnectorSettings, record: RawRecord) -> Listed:
        return Listed(record.external_id)

    return Audit(zone=zone, start=start, request=request, read=read, stored=stored)
