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

_VISITS = """
select r.id, (v.started_at at time zone %(zone)s)::date, v.channel, v.campaign_id,
    s.day, s.campaign_id, s.reason, s.channel
from unnest(%(ids)s::uuid[]) as r(id)
left join visit v on v.workspace_id = %(workspace)s and v.id = r.id and v.deleted_at is null
left join settled_visit s on s.workspace_id = %(workspace)s and s.visit_id = r.id
"""
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
    changed. A visit counts on its day in the workspace's time zone, deleted ones don't."""
    if not visit_ids:
        return 0
    terms = await enter(conn, workspace_id)
    parameters = {"workspace": workspace_id, "zone": terms.zone.key, "ids": as_array(set(visit_ids))}
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
