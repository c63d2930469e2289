"""Paths as they are stored: versions that are only added, each with the cell that it is counted in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, KeysView, Mapping, Set
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import orjson
import xxhash

from core.database import PsycopgConnection
from reports.attribution import credits_of
from reports.columns import Columns
from reports.documents import days, documents, moment
from reports.histories import as_array
from reports.paths import KINDS, NIL, RULES, Paths
from reports.rollups import Cell, Differences
from reports.terms import Terms
from schema.enums import ConversionKind


class Cause(StrEnum):
    """Why a version of a path came, or ceased to be believed."""

    FIRST = "first"  # the conversion became known
    LATE_DATA = "late_data"  # a touch or a conversion came, changed or went
    EDITED_DEAL = "edited_deal"  # amount, date or state of the deal or invoice in the CRM changed
    IDENTIFIED = "identified"  # a record of nobody became a client's
    MERGE = "merge"
    SPLIT = "split"
    NEW_RULE = "new_rule"  # other rules, or another window or setting of the workspace


_EDITED = {ConversionKind.WON_DEAL, ConversionKind.NEW_CLIENT, ConversionKind.PAID_INVOICE}


class Made(NamedTuple):
    """A path as it should stand, and the cell that it counts in. ``value`` and ``revenue`` are hundredths, ``at``
    microseconds since 2000; ``document`` is what is stored but for version and cause."""

    kind: ConversionKind
    client_id: bytes
    at: int
    value: int
    cell: Cell
    revenue: int
    document: bytes
    digest: bytes


class Wanted:
    """The paths that should stand, by the ids of conversions."""

    def __init__(self, paths: Paths, terms: Terms) -> None:
        self._paths = paths
        self._credits = credits_of(paths)
        self._days = days(paths.at, terms)
        ours = paths.words.index(terms.currency) if terms.currency in paths.words else -1
        self._revenues = np.where(paths.currencies == ours, paths.kopecks, 0).tolist()
        made = documents(paths, self._credits, self._days, self._revenues, terms)
        self._documents = list(made)
        self._digests = list(map(xxhash.xxh3_128_digest, self._documents))
        self._places = {id: place for place, id in enumerate(paths.ids)}

    def __contains__(self, conversion: bytes) -> bool:
        return conversion in self._places

    def __len__(self) -> int:
        return len(self._places)

    def ids(self) -> KeysView[bytes]:
        return self._places.keys()

    def digests(self) -> Iterator[tuple[bytes, bytes]]:
        return zip(self._places, self._digests, strict=True)

    def __getitem__(self, conversion: bytes) -> Made:
        place, paths = self._places[conversion], self._paths
        credit = self._credits[place]
        return Made(
            KINDS[paths.kinds[place]],
            paths.clients[place].tobytes(),
            int(paths.at[place]),
            int(paths.kopecks[place]),
            Cell(self._days[place], credit.campaign_id, str(credit.reason), credit.channel),
            self._revenues[place],
            self._documents[place],
            self._digests[place],
        )


class Latest(NamedTuple):
    """The newest stored version of a conversion, as far as it tells whether anything changed; the client's id is
    nil where there is none."""

    version: int
    digest: bytes
    current: bool
    client_id: bytes


@dataclass(frozen=True, slots=True)
class Former:
    """What a version said that is no longer right."""

    kind: str
    occurred_at: datetime
    value: Decimal
    day: date
    rules: str
    window_days: int
    known_from: datetime


_TYPES = {
    "conversion_id": "uuid",
    "version": "integer",
    "kind": "text",
    "client_id": "uuid",
    "record_id": "uuid",
    "also_told_by": "uuid[]",
    "occurred_at": "timestamptz",
    "value": "numeric",
    "currency": "text",
    "touch_records": "uuid[]",
    "touch_kinds": "text[]",
    "touch_times": "timestamptz[]",
    "touch_channels": "text[]",
    "touch_campaigns": "uuid[]",
    "lead_at": "timestamptz",
    "opened_at": "timestamptz",
    "window_until": "timestamptz",
    "had_older_touches": "boolean",
    "window_days": "integer",
    "rules": "text",
    "digest": "bytea",
    "credited": "integer",
    "day": "date",
    "campaign_id": "uuid",
    "reason": "text",
    "channel": "text",
    "revenue": "numeric",
    "cause": "text",
    "run_id": "uuid",
    "known_from": "timestamptz",
}
_INSERT = (
    f"insert into path (workspace_id, {', '.join(_TYPES)})"  # noqa: S608
    f" select %(workspace)s, {', '.join(_TYPES)} from json_to_recordset(%(rows)s::json)"
    f" as r({', '.join(f'{name} {kind}' for name, kind in _TYPES.items())})"
)
_COLUMNS = "conversion_id, version, digest, known_until is null as current, client_id"
_FORMER = """
select conversion_id, kind, occurred_at, value, day, rules, window_days, known_from from path
join unnest(%(ids)s::uuid[], %(versions)s::integer[]) as c(id, number)
    on conversion_id = c.id and version = c.number
where workspace_id = %(workspace)s
"""
_AS_COLUMNS = """
select string_agg(uuid_send(conversion_id), ''),
    string_agg(substr(digest || '\\x00000000000000000000000000000000'::bytea, 1, 16), ''),
    string_agg(uuid_send(coalesce(client_id, '00000000-0000-0000-0000-000000000000')), ''),
    array_agg(version), array_agg(current)
"""
_CURRENT_OF_CLIENTS = f"""
{_AS_COLUMNS} from unnest(%(ids)s::uuid[]) as c(id) cross join lateral (
    select {_COLUMNS} from path
    where workspace_id = %(workspace)s and client_id = c.id and known_until is null
    offset 0
) r
"""  # noqa: S608
_NEWEST = f"""
{_AS_COLUMNS} from unnest(%(ids)s::uuid[]) as c(id) cross join lateral (
    select {_COLUMNS} from path
    where workspace_id = %(workspace)s and conversion_id = c.id order by version desc limit 1
) r
"""  # noqa: S608
_CLOSE = """
update path set known_until = r.known_until, ended_by = r.ended_by
from json_to_recordset(%(rows)s::json)
    as r(conversion_id uuid, version integer, known_until timestamptz, ended_by text)
where path.workspace_id = %(workspace)s and path.conversion_id = r.conversion_id and path.version = r.version
returning path.day, path.campaign_id, path.reason, path.channel, path.kind, path.revenue
"""


async def latest(
    conn: PsycopgConnection, terms: Terms, clients: Collection[UUID], conversions: Set[bytes]
) -> dict[bytes, Latest]:
    """The newest versions of these conversions, and the current ones of these clients."""
    found = await _fetch(conn, terms, _CURRENT_OF_CLIENTS, as_array(clients)) if clients else {}
    if missing := conversions - found.keys():
        found |= await _fetch(conn, terms, _NEWEST, f"{{{','.join(map(bytes.hex, missing))}}}")
    return found


async def _fetch(conn: PsycopgConnection, terms: Terms, statement: str, ids: object) -> dict[bytes, Latest]:
    columns = await Columns.fetch(conn, statement, {"workspace": terms.workspace_id, "ids": ids})
    conversions, digests, clients = (columns.bytes(number, 16) for number in (0, 1, 2))
    versions, current = columns.whole(3, "int4").tolist(), columns.whole(4, "bool").astype(bool).tolist()
    rows = map(Latest, versions, digests, current, clients)
    return dict(zip(conversions, rows, strict=True))


@dataclass(frozen=True, slots=True)
class Change:
    """A stored version that is no longer right, the one that should stand instead, or both."""

    conversion_id: UUID
    former: Latest | None
    wanted: Made | None


def changes(wanted: Wanted, known: Mapping[bytes, Latest]) -> list[Change]:
    """What must change so that exactly ``wanted`` is current."""
    found = []
    for conversion, digest in wanted.digests():
        former = known.get(conversion)
        if former is None or not former.current or former.digest != digest:
            found.append(Change(UUID(bytes=conversion), former, wanted[conversion]))
    for conversion, former in known.items():
        if former.current and conversion not in wanted:
            found.append(Change(UUID(bytes=conversion), former, None))
    return found


async def append(
    conn: PsycopgConnection,
    terms: Terms,
    found: Iterable[Change],
    *,
    marked: Callable[[UUID], str | None],
    run_id: UUID | None,
    at: datetime,
) -> Differences:
    """Close former versions and add new ones. Gives what that changes in the cells.

    ``marked`` tells the cause with which a client was marked.
    """
    closing, adding = [], []
    differences = Differences()
    found = list(found)
    said = await _what_they_said(conn, terms, found)
    for change in found:
        former, wanted = change.former, change.wanted
        told = said.get(change.conversion_id)
        cause = _cause(change, told, terms, marked)
        since = max(at, told.known_from) if told else at
        if former is not None and former.current:
            closing.append(
                {
                    "conversion_id": change.conversion_id,
                    "version": former.version,
                    "known_until": since,
                    "ended_by": cause,
                }
            )
        if wanted is not None:
            more = {
                "digest": f"\\x{wanted.digest.hex()}",
                "version": former.version + 1 if former else 1,
                "cause": cause,
                "run_id": run_id,
                "known_from": since,
            }
            adding.append(wanted.document[:-1] + b"," + orjson.dumps(more)[1:])
            differences.add_conversion(wanted.cell, wanted.kind, Decimal(wanted.revenue) / 100, times=1)
    async for day, campaign, reason, channel, kind, revenue in await _execute(
        conn, terms, _CLOSE, orjson.dumps(closing)
    ):
        differences.add_conversion(Cell(day, campaign, reason, channel), kind, revenue, times=-1)
    await _execute(conn, terms, _INSERT, b"[" + b",".join(adding) + b"]")
    return differences


async def _what_they_said(conn: PsycopgConnection, terms: Terms, found: list[Change]) -> dict[UUID, Former]:
    known = [(change.conversion_id, change.former.version) for change in found if change.former]
    if not known:
        return {}
    parameters = {
        "workspace": terms.workspace_id,
        "ids": as_array([conversion for conversion, _ in known]),
        "versions": [version for _, version in known],
    }
    async with conn.cursor(binary=True) as cursor:
        await cursor.execute(_FORMER, parameters)
        return {row[0]: Former(*row[1:]) for row in await cursor.fetchall()}


def _cause(change: Change, told: Former | None, terms: Terms, marked: Callable[[UUID], str | None]) -> Cause:
    former, wanted = change.former, change.wanted
    if former is None or told is None:
        return Cause.FIRST
    clients = {former.client_id} | ({wanted.client_id} if wanted else set())
    causes = {marked(UUID(bytes=client)) for client in clients}
    if wanted is not None:
        if told.rules != RULES or told.window_days != terms.window_days:
            return Cause.NEW_RULE
        if former.client_id == NIL.bytes != wanted.client_id:
            return Cause.IDENTIFIED
    if Cause.SPLIT in causes:
        return Cause.SPLIT
    if Cause.MERGE in causes or (wanted is not None and former.client_id != wanted.client_id):
        return Cause.MERGE
    if told.kind in _EDITED and (
        wanted is None or (told.value, told.occurred_at) != (Decimal(wanted.value) / 100, moment(wanted.at))
    ):
        return Cause.EDITED_DEAL
    if wanted is not None and told.day != wanted.cell.day and told.occurred_at == moment(wanted.at):
        return Cause.NEW_RULE
    return Cause.LATE_DATA


async def _execute(conn: PsycopgConnection, terms: Terms, statement: str, rows: bytes) -> Any:
    parameters = {"workspace": terms.workspace_id, "rows": rows.decode()}
    return await conn.execute(statement, parameters)
