"""Paths as they are stored: versions that are only added, each with the cell that it is counted in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson
import xxhash

from core.database import PsycopgConnection
from reports.attribution import last_non_direct
from reports.histories import as_array
from reports.paths import RULES, Path
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


@dataclass(frozen=True, slots=True)
class Made:
    """A path as it should stand, and the cell that it counts in."""

    path: Path
    cell: Cell
    revenue: Decimal
    row: dict[str, Any]
    digest: bytes


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest stored version of a conversion, as far as it tells whether anything changed."""

    version: int
    digest: bytes
    current: bool
    client_id: UUID | None


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
_COLUMNS = "conversion_id, version, digest, known_until is null, client_id"
_FORMER = """
select conversion_id, kind, occurred_at, value, day, rules, window_days, known_from from path
join unnest(%(ids)s::uuid[], %(versions)s::integer[]) as c(id, number)
    on conversion_id = c.id and version = c.number
where workspace_id = %(workspace)s
"""
# ``coalesce`` keeps PostgreSQL from the partial index of current versions, which doesn't begin with the client and
# looks cheap while the table has no statistics.
_CURRENT_OF_CLIENTS = f"""
select r.* from unnest(%(ids)s::uuid[]) as c(id) cross join lateral (
    select {_COLUMNS} from path
    where workspace_id = %(workspace)s and client_id = c.id and coalesce(known_until, 'infinity') = 'infinity'
    offset 0
) r
"""  # noqa: S608
_NEWEST = f"""
select r.* from unnest(%(ids)s::uuid[]) as c(id) cross join lateral (
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


def made(path: Path, terms: Terms) -> Made:
    """What is stored for a path: its row but for version and cause, and its digest."""
    credit = last_non_direct(path)
    cell = Cell(terms.day(path.occurred_at), credit.campaign_id, str(credit.reason), credit.channel)
    revenue = path.value if path.currency == terms.currency else Decimal(0)
    times, kinds, records, channels, campaigns = zip(*path.touches, strict=True) if path.touches else ((),) * 5
    row = {
        "conversion_id": path.conversion_id,
        "kind": path.kind,
        "client_id": path.client_id,
        "record_id": path.record_id,
        "also_told_by": path.also_told_by,
        "occurred_at": path.occurred_at.astimezone(UTC),
        "value": f"{path.value:.2f}",
        "currency": path.currency,
        "touch_records": records,
        "touch_kinds": kinds,
        "touch_times": [_utc(at) for at in times],
        "touch_channels": channels,
        "touch_campaigns": campaigns,
        "lead_at": path.lead_at.astimezone(UTC) if path.lead_at else None,
        "opened_at": path.opened_at.astimezone(UTC) if path.opened_at else None,
        "had_older_touches": path.had_older_touches,
        "window_days": path.window_days,
        "rules": RULES,
        "credited": credit.position,
        "day": cell.day,
        "campaign_id": cell.campaign_id,
        "reason": cell.reason,
        "channel": cell.channel,
        "revenue": f"{revenue:.2f}",
    }
    if path.window_until is not None:
        row["window_until"] = path.window_until.astimezone(UTC)
    return Made(path, cell, revenue, row, xxhash.xxh3_128_digest(orjson.dumps(row)))


def _utc(at: datetime) -> datetime:
    return at if at.tzinfo is UTC else at.astimezone(UTC)


async def latest(
    conn: PsycopgConnection, terms: Terms, clients: Collection[UUID], conversions: Set[UUID]
) -> dict[UUID, Latest]:
    """The newest versions of these conversions, and the current ones of these clients."""
    found = await _fetch(conn, terms, _CURRENT_OF_CLIENTS, clients)
    return found | await _fetch(conn, terms, _NEWEST, conversions - found.keys())


async def _fetch(
    conn: PsycopgConnection, terms: Terms, statement: str, ids: Collection[UUID]
) -> dict[UUID, Latest]:
    if not ids:
        return {}
    async with conn.cursor(binary=True) as cursor:
        await cursor.execute(statement, {"workspace": terms.workspace_id, "ids": as_array(ids)})
        return {row[0]: Latest(*row[1:]) for row in await cursor.fetchall()}


@dataclass(frozen=True, slots=True)
class Change:
    """A stored version that is no longer right, the one that should stand instead, or both."""

    conversion_id: UUID
    former: Latest | None
    wanted: Made | None


def changes(wanted: Mapping[UUID, Made], known: Mapping[UUID, Latest]) -> list[Change]:
    """What must change so that exactly ``wanted`` is current."""
    found = []
    for conversion, make in wanted.items():
        former = known.get(conversion)
        if former is None or not former.current or former.digest != make.digest:
            found.append(Change(conversion, former, make))
    for conversion, former in known.items():
        if former.current and conversion not in wanted:
            found.append(Change(conversion, former, None))
    return found


async def append(
    conn: PsycopgConnection,
    terms: Terms,
    found: Iterable[Change],
    *,
    marked: Callable[[UUID | None], str | None],
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
            adding.append(
                {
                    **wanted.row,
                    "digest": f"\\x{wanted.digest.hex()}",
                    "version": former.version + 1 if former else 1,
                    "cause": cause,
                    "run_id": run_id,
                    "known_from": since,
                }
            )
            differences.add_conversion(wanted.cell, wanted.path.kind, wanted.revenue, times=1)
    async for day, campaign, reason, channel, kind, revenue in await _execute(conn, terms, _CLOSE, closing):
        differences.add_conversion(Cell(day, campaign, reason, channel), kind, revenue, times=-1)
    await _execute(conn, terms, _INSERT, adding)
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


def _cause(change: Change, told: Former | None, terms: Terms, marked: Callable[[UUID | None], str | None]) -> Cause:
    former, wanted = change.former, change.wanted
    if former is None or told is None:
        return Cause.FIRST
    clients = {former.client_id} | ({wanted.path.client_id} if wanted else set())
    causes = {marked(client) for client in clients}
    if wanted is not None:
        if told.rules != RULES or told.window_days != terms.window_days:
            return Cause.NEW_RULE
        if former.client_id is None and wanted.path.client_id is not None:
            return Cause.IDENTIFIED
    if Cause.SPLIT in causes:
        return Cause.SPLIT
    if Cause.MERGE in causes or (wanted is not None and former.client_id != wanted.path.client_id):
        return Cause.MERGE
    if told.kind in _EDITED and (
        wanted is None or (told.value, told.occurred_at) != (wanted.path.value, wanted.path.occurred_at)
    ):
        return Cause.EDITED_DEAL
    if wanted is not None and told.day != wanted.cell.day and told.occurred_at == wanted.path.occurred_at:
        return Cause.NEW_RULE
    return Cause.LATE_DATA


async def _execute(conn: PsycopgConnection, terms: Terms, statement: str, rows: list[dict[str, Any]]) -> Any:
    parameters = {"workspace": terms.workspace_id, "rows": orjson.dumps(rows).decode()}
    return await conn.execute(statement, parameters)
