"""The full recomputation: for big backfills, after a change of rules or settings, and as the test of all else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from core.database import PsycopgConnection
from reports import histories, rollups
from reports.attribution import credit_of_origin
from reports.counts import TOLD_ONCE, visit_cell
from reports.histories import Known
from reports.paths import NIL
from reports.rollups import Cell, Differences
from reports.settle import settle_known, take_marks, unsettled, wanted_paths
from reports.terms import Terms, enter

_AT_ONCE = 5_000
_CLIENTS = """
select client_id from visit where workspace_id = %(workspace)s and client_id is not null
union select client_id from call where workspace_id = %(workspace)s and client_id is not null
union select client_id from lead where workspace_id = %(workspace)s and client_id is not null
union select client_id from deal where workspace_id = %(workspace)s and client_id is not null
union select client_id from invoice where workspace_id = %(workspace)s and client_id is not null
union select client_id from path where workspace_id = %(workspace)s and client_id is not null
    and known_until is null
union select company_id from settled_person where workspace_id = %(workspace)s
order by 1
"""
_NOBODYS = """
select id from call where workspace_id = %(workspace)s and client_id is null and direction = 'inbound'
union select id from lead where workspace_id = %(workspace)s and client_id is null
union select id from deal where workspace_id = %(workspace)s and client_id is null and status = 'won'
union select id from invoice where workspace_id = %(workspace)s and client_id is null and paid_at is not null
union select record_id from path where workspace_id = %(workspace)s and client_id is null
    and known_until is null
union select call_id from settled_call where workspace_id = %(workspace)s
order by 1
"""
_VISITS = f"""
select (v.started_at at time zone %(zone)s)::date, v.channel, v.campaign_id, count(*) from visit v
where v.workspace_id = %(workspace)s and v.deleted_at is null and {TOLD_ONCE}
group by 1, 2, 3
"""  # noqa: S608 - the pieces are ours
_SPEND = """
select day, campaign_id, coalesce(sum(cost) filter (where currency = %(currency)s), 0), sum(impressions),
    sum(clicks)
from ad_spend where workspace_id = %(workspace)s and known_until is null
group by 1, 2
"""
_SETTLED_VISITS = """
select day, campaign_id, reason, channel, count(*) from settled_visit where workspace_id = %(workspace)s
group by 1, 2, 3, 4
"""
_KEEP_VISITS = f"""
insert into settled_visit (workspace_id, visit_id, day, campaign_id, reason, channel)
select v.workspace_id, v.id, (v.started_at at time zone %(zone)s)::date, r.campaign_id, r.reason, r.channel
from visit v
join json_to_recordset(%(rows)s::json)
    as r(named_channel text, named_campaign uuid, campaign_id uuid, reason text, channel text)
on coalesce(v.channel, '') = r.named_channel
and coalesce(v.campaign_id, '00000000-0000-0000-0000-000000000000') = r.named_campaign
where v.workspace_id = %(workspace)s and v.deleted_at is null and {TOLD_ONCE}
"""  # noqa: S608 - the pieces are ours


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """Something stored that a full recomputation makes otherwise."""

    what: str
    key: object
    stored: object
    right: object


async def rebuild(conn: PsycopgConnection, workspace_id: UUID, run_id: UUID | None = None) -> int:
    """Make all paths and rollups from the records, in the caller's transaction; returns how many paths changed.

    Paths that are right already keep their versions. Needed after a change of the workspace's time zone,
    currency or window, and quicker than settling when very many clients are marked.
    """
    terms = await enter(conn, workspace_id)
    marks = await take_marks(conn, terms, None)
    changed = 0
    async for known in _everybody(conn, terms):
        paths, _ = await settle_known(conn, terms, known, marks=marks, run_id=run_id)
        changed += paths
    await _replace_settled_visits(conn, terms)
    await rollups.recount(conn, workspace_id)
    return changed


async def difference_from_rebuild(conn: PsycopgConnection, workspace_id: UUID) -> list[Discrepancy]:
    """Compare everything stored with a full recomputation, and change nothing.

    With no marks left and all visits and spend settled the list is empty: figures are the same however they
    came about.
    """
    terms = await enter(conn, workspace_id)
    wrong: list[Discrepancy] = []
    sums = await _visits_and_spend(conn, terms)
    counted: set[bytes] = set()
    async for known in _everybody(conn, terms):
        wanted = wanted_paths(known, terms)
        for change in await unsettled(conn, terms, known, wanted):
            stored = change.former if change.former and change.former.current else None
            wrong.append(
                Discrepancy("path", change.conversion_id, stored, change.wanted and change.wanted.document)
            )
        for conversion in wanted.ids():
            make = wanted[conversion]
            if conversion not in counted:
                counted.add(conversion)
                sums.add_conversion(make.cell, make.kind, Decimal(make.revenue) / 100, times=1)
    for level, right in (("day", sums), ("month", sums.by_month())):
        wrong += _compare(f"rollup_{level}", await rollups.stored(conn, workspace_id, level), right.changed())
    return wrong + await _compare_settled_visits(conn, terms)


def _compare(
    what: str, stored: dict[Cell, dict[str, Decimal]], right: dict[Cell, dict[str, Decimal]]
) -> list[Discrepancy]:
    cells = stored.keys() | right.keys()
    return [
        Discrepancy(what, cell, stored.get(cell), right.get(cell))
        for cell in sorted(cells)
        if stored.get(cell) != right.get(cell)
    ]


async def _everybody(conn: PsycopgConnection, terms: Terms) -> AsyncIterator[Known]:
    """The histories of all clients, then all records that have none, some thousand at a time."""
    clients = [row[0] for row in await _fetch(conn, terms, _CLIENTS)]
    for start in range(0, len(clients), _AT_ONCE):
        yield await histories.read(conn, terms, clients[start : start + _AT_ONCE])
    nobodys = [row[0] for row in await _fetch(conn, terms, _NOBODYS)]
    for start in range(0, len(nobodys), _AT_ONCE):
        yield await histories.read(conn, terms, (), nobodys[start : start + _AT_ONCE])


async def _visits_and_spend(conn: PsycopgConnection, terms: Terms) -> Differences:
    sums = Differences()
    for day, channel, campaign, number in await _fetch(conn, terms, _VISITS):
        sums.add(visit_cell(day, channel, campaign), "visits", number)
    for day, campaign, cost, impressions, clicks in await _fetch(conn, terms, _SPEND):
        cell = Cell(day, campaign, "", "")
        sums.add(cell, "cost", cost)
        sums.add(cell, "impressions", impressions)
        sums.add(cell, "clicks", clicks)
    return sums


async def _replace_settled_visits(conn: PsycopgConnection, terms: Terms) -> None:
    await conn.execute("delete from settled_visit where workspace_id = %s", (terms.workspace_id,))
    origins = await conn.execute(
        "select distinct channel, campaign_id from visit where workspace_id = %s", (terms.workspace_id,)
    )
    rows = []
    async for channel, campaign in origins:
        credit = credit_of_origin(channel, campaign)
        rows.append(
            {
                "named_channel": channel or "",
                "named_campaign": campaign or NIL,
                "campaign_id": credit.campaign_id,
                "reason": credit.reason,
                "channel": credit.channel,
            }
        )
    parameters = {"zone": terms.zone.key, "rows": orjson.dumps(rows).decode(), "workspace": terms.workspace_id}
    await conn.execute(_KEEP_VISITS, parameters)


async def _compare_settled_visits(conn: PsycopgConnection, terms: Terms) -> list[Discrepancy]:
    stored, right = Differences(), Differences()
    for day, campaign, reason, channel, number in await _fetch(conn, terms, _SETTLED_VISITS):
        stored.add(Cell(day, campaign, reason, channel), "visits", number)
    for day, visit_channel, visit_campaign, number in await _fetch(conn, terms, _VISITS):
        right.add(visit_cell(day, visit_channel, visit_campaign), "visits", number)
    return _compare("settled_visit", stored.changed(), right.changed())


async def _fetch(conn: PsycopgConnection, terms: Terms, statement: str) -> list[tuple[Any, ...]]:
    parameters = {"workspace": terms.workspace_id, "zone": terms.zone.key, "currency": terms.currency}
    async with conn.cursor(binary=True) as cursor:
        await cursor.execute(statement, parameters)
        return await cursor.fetchall()
