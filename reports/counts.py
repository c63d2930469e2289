"""Figures that need no path: visits, counted by their own origin, and what the ad platforms charge."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any
from uuid import UUID

import orjson

from core.database import PsycopgConnection
from reports import rollups
from reports.attribution import credit_of_origin
from reports.histories import as_array
from reports.rollups import Cell, Differences
from reports.terms import enter

SAME_VISIT_MINUTES = 30
"""Visits of one visitor that two systems tell of (a call tracker, a web counter) are one when they begin so near to
each other: half an hour without activity is what ends a visit in web analytics."""

TOLD_ONCE = f"""coalesce((
    select false from identifier mine
    cross join lateral (
        select record_id from identifier theirs
        where theirs.workspace_id = mine.workspace_id and theirs.kind = mine.kind and theirs.value = mine.value
        and theirs.record_kind = 'visit' and theirs.record_id <> mine.record_id offset 0
    ) other
    cross join lateral (
        select connection_id, started_at, campaign_id, id from visit
        where workspace_id = mine.workspace_id and id = other.record_id and deleted_at is null offset 0
    ) w
    where mine.workspace_id = v.workspace_id and mine.record_id = v.id and mine.kind = 'visitor'
    and w.connection_id <> v.connection_id
    and w.started_at between v.started_at - interval '{SAME_VISIT_MINUTES} minutes'
        and v.started_at + interval '{SAME_VISIT_MINUTES} minutes'
    and (w.campaign_id is null, w.id) < (v.campaign_id is null, v.id)
    limit 1
), true)"""  # noqa: S608 - the minutes are ours
"""SQL over a visit ``v``: no other system tells of the same visit with more right to count. One that names a
campaign has more right than one that doesn't, then the smaller id. Each step is an index look-up, whatever
PostgreSQL knows of the tables: as an anti-join it once scanned the workspace for each visit."""

_TOLD_BY_OTHERS = """
select distinct other.record_id from unnest(%(ids)s::uuid[]) as given(id)
cross join lateral (
    select value from identifier
    where workspace_id = %(workspace)s and record_id = given.id and kind = 'visitor' offset 0
) mine
cross join lateral (
    select record_id from identifier
    where workspace_id = %(workspace)s and kind = 'visitor' and value = mine.value and record_kind = 'visit'
    and record_id <> given.id offset 0
) other
"""
_VISITS = f"""
select r.id, (v.started_at at time zone %(zone)s)::date, v.channel, v.campaign_id,
    s.day, s.campaign_id, s.reason, s.channel
from unnest(%(ids)s::uuid[]) as r(id)
left join visit v on v.workspace_id = %(workspace)s and v.id = r.id and v.deleted_at is null and {TOLD_ONCE}
left join settled_visit s on s.workspace_id = %(workspace)s and s.visit_id = r.id
"""  # noqa: S608 - the pieces are ours
_KEEP_VISITS = """
insert into settled_visit (workspace_id, visit_id, day, campaign_id, reason, channel)
select %(workspace)s, visit_id, day, campaign_id, reason, channel
from json_to_recordset(%(rows)s::json) as r(visit_id uuid, day date, campaign_id uuid, reason text, channel text)
on conflict (workspace_id, visit_id) do update
set day = excluded.day, campaign_id = excluded.campaign_id, reason = excluded.reason, channel = excluded.channel
"""
_SPEND = """
select r.campaign_id, r.day,
    coalesce(s.cost, 0) - coalesce(c.cost, 0),
    coalesce(s.impressions, 0) - coalesce(c.impressions, 0),
    coalesce(s.clicks, 0) - coalesce(c.clicks, 0)
from (select distinct * from unnest(%(campaigns)s::uuid[], %(days)s::date[])) as r(campaign_id, day)
left join lateral (
    select sum(cost) filter (where currency = %(currency)s) as cost, sum(impressions) as impressions,
        sum(clicks) as clicks
    from ad_spend a
    where a.workspace_id = %(workspace)s and a.campaign_id = r.campaign_id and a.day = r.day
    and coalesce(a.known_until, 'infinity') = 'infinity' -- by day, whatever PostgreSQL thinks of the partial index
) s on true
left join rollup_day c on c.workspace_id = %(workspace)s and c.day = r.day and c.campaign_id = r.campaign_id
    and c.reason = '' and c.channel = ''
"""


async def settle_visits(conn: PsycopgConnection, workspace_id: UUID, visit_ids: Collection[UUID]) -> int:
    """Count these visits as they stand now, and take out what they were counted as before; returns how many
    changed. A visit counts on its day in the workspace's time zone; deleted ones don't, and one that two systems
    tell of counts once. Their identifiers must be stored already."""
    if not visit_ids:
        return 0
    terms = await enter(conn, workspace_id)
    concerned = set(visit_ids) | await visits_of_same_visitors(conn, workspace_id, visit_ids)
    parameters = {"workspace": workspace_id, "zone": terms.zone.key, "ids": as_array(concerned)}
    async with conn.cursor(binary=True) as cursor:
        await cursor.execute(_VISITS, parameters)
        found = await cursor.fetchall()
    differences = Differences()
    kept: list[dict[str, Any]] = []
    gone: list[UUID] = []
    for visit, day, channel, campaign, *settled in found:
        former = Cell(*settled) if settled[0] is not None else None
        present = visit_cell(day, channel, campaign) if day is not None else None
        if former == present:
            continue
        if former is not None:
            differences.add(former, "visits", -1)
        if present is None:
            gone.append(visit)
        else:
            differences.add(present, "visits", 1)
            kept.append({"visit_id": visit, **present._asdict()})
    await conn.execute(_KEEP_VISITS, {"workspace": workspace_id, "rows": orjson.dumps(kept).decode()})
    if gone:
        await conn.execute(
            "delete from settled_visit where workspace_id = %s and visit_id = any(%s)", (workspace_id, gone)
        )
    await rollups.apply(conn, workspace_id, differences)
    return len(kept) + len(gone)


async def visits_of_same_visitors(
    conn: PsycopgConnection, workspace_id: UUID, visit_ids: Collection[UUID]
) -> set[UUID]:
    """Other visits of these visits' visitors: whether they count may depend on these."""
    found = await conn.execute(_TOLD_BY_OTHERS, {"workspace": workspace_id, "ids": as_array(set(visit_ids))})
    return {id async for (id,) in found}


def visit_cell(day: date, channel: str | None, campaign_id: UUID | None) -> Cell:
    """The cell of a visit with this origin."""
    credit = credit_of_origin(channel, campaign_id)
    return Cell(day, credit.campaign_id, str(credit.reason), credit.channel)


async def settle_spend(
    conn: PsycopgConnection, workspace_id: UUID, campaign_days: Collection[tuple[UUID, date]]
) -> int:
    """Make cost, impressions and clicks of these campaigns' days the sums of the current revisions; returns
    how many changed.

    Cost counts as the platform reports it, with VAT or without; cost in another currency than the workspace's
    is left out, and a receipt shows it so. The day is that of the platform's calendar.
    """
    if not campaign_days:
        return 0
    terms = await enter(conn, workspace_id)
    found = await conn.execute(
        _SPEND,
        {
            "workspace": workspace_id,
            "currency": terms.currency,
            "campaigns": [campaign for campaign, _ in campaign_days],
            "days": [day for _, day in campaign_days],
        },
    )
    differences = Differences()
    async for campaign, day, cost, impressions, clicks in found:
        cell = Cell(day, campaign, "", "")
        differences.add(cell, "cost", cost)
        differences.add(cell, "impressions", impressions)
        differences.add(cell, "clicks", clicks)
    return await rollups.apply(conn, workspace_id, differences)
