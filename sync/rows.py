"""From unified records to rows of their tables: what all kinds have in common. ``sync.targets`` has each kind.

References become ids without a look-up (``schema.ids``), phones are normalised by the workspace's region, origins
are understood once (``schema.traffic``) and stored understood. What a row holds is spelt as PostgreSQL reads it
(ids, times and lists as text): psycopg takes four times as long over a row of objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property, lru_cache
from typing import Any
from uuid import UUID

import orjson

from core.arrays import texts
from schema import records as r
from schema.enums import RecordKind
from schema.ids import record_hex, record_id
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

    def hex_of(self, kind: RecordKind, external_id: str | None) -> str | None:
        """`ref`, for a row."""
        if external_id is None:
            return None
        return external_id if self.by_id else record_hex(self.connection_id, kind, external_id)


@dataclass(frozen=True, slots=True)
class Placed:
    """A unified record with its id and the source record that it came from."""

    id: UUID
    source_id: str
    record: Any


@dataclass(frozen=True)
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

    @cached_property
    def columns(self) -> tuple[str, ...]:
        return (
            *_HEAD,
            *(("client_id",) if self.of_client else ()),
            *self.own_columns,
            *(_ORIGIN if self.has_origin else ()),
            *_TAIL,
        )

    def rows(
        self, placed: Iterable[Placed], source: Source, clients: Mapping[UUID, UUID | None]
    ) -> Iterator[tuple[UUID, Row]]:
        """The row of each record, with the record's id."""
        workspace, connection, stream = source.workspace_id.hex, source.connection_id.hex, source.stream
        now = source.loaded_at.isoformat()
        own_values, has_origin = self.own_values, self.has_origin
        for each in placed:
            record = each.record
            client: Row = ()
            if self.of_client:
                id = clients.get(each.id)
                client = (None if id is None else id.hex,)
            yield (
                each.id,
                (
                    workspace,
                    each.id.hex,
                    connection,
                    record.external_id,
                    stream,
                    each.source_id,
                    *client,
                    *own_values(record, source),
                    *(origin_values(record.traffic) if has_origin else ()),
                    moment(record.updated_at),
                    now,
                    now if record.deleted else None,
                    orjson.dumps(record.custom).decode() if record.custom else None,
                ),
            )

    def pieced_together(self, row: Row, former: Row) -> Row:
        """``row`` with what only ``former`` knows. An origin is one piece: the one that names a campaign holds.
        Of the source records that tell it, the first by id is named."""
        place_of = self._place_of
        kept = {place for name in self.own_columns if row[place := place_of[name]] in _NOTHING}
        named, source_id = place_of["campaign_id"], place_of["source_id"]
        if row[named] is None and former[named] is not None:
            kept |= {place_of[name] for name in _ORIGIN}
        stream = place_of["stream"]
        if (former[source_id], former[stream]) < (row[source_id], row[stream]):
            kept |= {source_id, stream}
        return tuple([former[place] if place in kept else value for place, value in enumerate(row)])

    def tells_the_same(self, row: Row, former: Row) -> bool:
        """Whether ``row`` has nothing that ``former`` hasn't, but for when it was loaded."""
        loaded = self._place_of["loaded_at"]
        return all(
            place == loaded or _same(new, old) for place, (new, old) in enumerate(zip(row, former, strict=True))
        )

    @cached_property
    def _place_of(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.columns)}


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
_NOTHING = frozenset({None, "", "{}"})  # the last is a list without values, in a row


def _same(new: Any, old: Any) -> bool:
    """Whether a row's value, spelt or not, is one that was read from its table. Where in doubt it isn't."""
    if not isinstance(new, str):
        return bool(new == old)
    match old:
        case UUID():
            return new == old.hex
        case datetime():
            return datetime.fromisoformat(new) == old
        case list():
            return new == texts(tuple(old))
        case dict():
            return bool(orjson.loads(new) == old)
        case _:
            return bool(new == old)


def moment(value: date | None) -> str | None:
    """A day or a time, for a row."""
    return None if value is None else value.isoformat()


@lru_cache(maxsize=1024)  # a call and its visit say the same, and visits without a click are alike
def origin_values(traffic: Traffic | None) -> Row:
    """The columns of an origin: as understood, then as the vendor said it."""
    if traffic is None:
        return _NO_ORIGIN
    understood: Origin | None = origin(traffic)
    if understood is None:
        meant: Row = (None, None, None, None)
    else:
        key = understood.campaign
        meant = (understood.channel.value, understood.source, understood.medium, key.id.hex if key else None)
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
