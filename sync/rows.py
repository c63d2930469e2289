"""From unified records to rows of their tables: what all kinds have in common. ``sync.targets`` has each kind.

References become ids without a look-up (``schema.ids``), phones are normalised by the workspace's region, origins
are understood once (``schema.traffic``) and stored understood.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from schema import records as r
from schema.enums import RecordKind
from schema.ids import record_id
from schema.traffic import CampaignKey, Origin, Traffic, origin, present
from sync.identity.keys import phone_key

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a record was read: the same for all records of one source record, but for ``source_id``. ``by_id``: its
    records name others by their ids here, as those do that are entered in Skvoz itself."""

    workspace_id: UUID
    connection_id: UUID
    stream: str
    region: str
    loaded_at: datetime
    by_id: bool = False

    def ref(self, kind: RecordKind, external_id: str | None) -> UUID | None:
        if external_id is None:
            return None
        return UUID(external_id) if self.by_id else record_id(self.connection_id, kind, external_id)


@dataclass(frozen=True, slots=True)
class Placed:
    """A unified record with its id and the source record that it came from."""

    id: UUID
    source_id: str
    record: Any


@dataclass(frozen=True, slots=True)
class Target:
    """The table that a kind of record fills. ``of_client``: the row holds whose record it is. ``pieced``: several
    source records each tell a part of it (a visit stands in calls and requests), so none takes away what
    another told."""

    table: str
    own_columns: tuple[str, ...]
    own_values: Callable[[Any, Source], Row]
    of_client: bool = False
    has_origin: bool = False
    pieced: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        return (
            *_HEAD,
            *(("client_id",) if self.of_client else ()),
            *self.own_columns,
            *(_ORIGIN if self.has_origin else ()),
            *_TAIL,
        )

    def row(self, placed: Placed, source: Source, client_id: UUID | None) -> Row:
        record = placed.record
        return (
            source.workspace_id,
            placed.id,
            source.connection_id,
            record.external_id,
            source.stream,
            placed.source_id,
            *((client_id,) if self.of_client else ()),
            *self.own_values(record, source),
            *(origin_values(record.traffic) if self.has_origin else ()),
            record.updated_at,
            source.loaded_at,
            source.loaded_at if record.deleted else None,
            orjson.dumps(record.custom).decode() if record.custom else None,
        )

    def pieced_together(self, row: Row, former: Row) -> Row:
        """``row`` with what only ``former`` knows. An origin is one piece: the one that names a campaign holds.
        Of the source records that tell it, the first by id is named."""
        columns = self.columns
        own = {columns.index(name) for name in self.own_columns}
        origin = {columns.index(name) for name in _ORIGIN} if self.has_origin else set()
        named = columns.index("campaign_id")
        kept = {place for place in own if not row[place]}
        if row[named] is None and former[named] is not None:
            kept |= origin
        source_id = columns.index("source_id")
        if former[source_id] < row[source_id]:
            kept.add(source_id)
        return tuple(former[place] if place in kept else value for place, value in enumerate(row))


_HEAD = ("workspace_id", "id", "connection_id", "external_id", "stream", "source_id")
_TAIL = ("updated_at", "loaded_at", "deleted_at", "custom")
_ORIGIN = (
    "channel",
    "source",
    "medium",
    "campaign_id",
    "ad_group_key",
    "ad_key",
    "keyword_key",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "utm_content",
    "utm_term",
    "click_id",
    "referrer",
)
_NO_ORIGIN: Row = (None,) * len(_ORIGIN)


def origin_values(traffic: Traffic | None) -> Row:
    """The columns of an origin: as understood, then as the vendor said it."""
    if traffic is None:
        return _NO_ORIGIN
    understood: Origin | None = origin(traffic)
    if understood is None:
        meant: Row = (None, None, None, None)
    else:
        key = understood.campaign
        meant = (understood.channel.value, understood.source, understood.medium, key.id if key else None)
    return (
        *meant,
        traffic.ad_group,
        traffic.ad,
        traffic.keyword,
        present(traffic.utm_source),
        present(traffic.utm_medium),
        present(traffic.utm_campaign),
        present(traffic.utm_content),
        present(traffic.utm_term),
        present(traffic.click_id),
        present(traffic.referrer),
    )


def named_campaigns(records: Iterable[Any]) -> dict[UUID, tuple[CampaignKey, Origin, str]]:
    """The campaigns that these records name, with the best name that they give: a campaign must exist here
    before its cabinet is connected, or for good where there is no cabinet."""
    found: dict[UUID, tuple[CampaignKey, Origin, str]] = {}
    for record in records:
        traffic: Traffic | None = getattr(record, "traffic", None)
        if traffic is None:
            continue
        understood = origin(traffic)
        if understood is not None and understood.campaign is not None:
            key = understood.campaign
            found.setdefault(key.id, (key, understood, present(traffic.utm_campaign) or key.external_id))
    return found


def together(one: r.VisitRecord, other: r.VisitRecord) -> r.VisitRecord:
    """One visit out of two tellings of it in one page: what one lacks the other gives."""
    names_campaign = (understood := origin(other.traffic)) is not None and understood.campaign is not None
    return r.VisitRecord(
        external_id=other.external_id,
        updated_at=other.updated_at or one.updated_at,
        deleted=other.deleted,
        custom=other.custom or one.custom,
        started_at=other.started_at,
        visitor_ids=tuple(dict.fromkeys((*one.visitor_ids, *other.visitor_ids))),
        landing_url=other.landing_url or one.landing_url,
        city=other.city or one.city,
        device=other.device or one.device,
        traffic=other.traffic if names_campaign else one.traffic,
    )


LONGEST_PHONE = 100  # what stands in a vendor's phone field may be anything; the raw record keeps all of it


def phones(values: tuple[str, ...], region: str) -> list[str]:
    """Each phone once: E.164 where it is valid, as written where it isn't."""
    return list(
        dict.fromkeys(
            phone_key(value, region) or value.strip()[:LONGEST_PHONE] for value in values if value.strip()
        )
    )
