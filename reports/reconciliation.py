# ruff: noqa: S608 - the SQL is put together from declarations of ours; values are bound, never written in
"""Our figures beside what a connected system reports itself, and each difference by its cause.

For every row ``theirs`` and its ``differences`` add up to ``ours`` exactly. What an ad platform reports are its
days of spend as it last stated them; what a call tracker reports are its call records, on the days of its own time
zone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from core import clock
from core.database import PsycopgConnection
from reports import facts
from reports.counts import TOLD_ONCE
from reports.rulebook import campaigns_meant_at
from reports.terms import Terms


class Measure(StrEnum):
    """What is compared."""

    COST = "cost"  # what the platform charges, and the full cost in our report
    CLICKS = "clicks"  # clicks of the platform, and visits that name its campaigns
    CALLS = "calls"  # calls of the tracker, and calls in our report
    UNIQUE_CALLS = "unique_calls"  # the tracker's unique calls, and first calls of clients in our report


class Cause(StrEnum):
    """Why the two differ."""

    VAT = "vat"  # our cost is without VAT, by the workspace's rates
    AGENCY_FEE = "agency_fee"  # the fee on the ad cost
    MANUAL_COST = "manual_cost"  # costs entered by hand for the campaign
    OTHER_CURRENCY = "other_currency"  # cost in another currency than the workspace's is left out
    OTHER_CONNECTION = "other_connection"  # another connection tells of the same campaign
    NO_VISIT = "no_visit"  # clicks after which no tagged visit was seen (below 0), or visits beyond clicks
    TOLD_ONCE = "told_once"  # told by several systems, counted once, from another's record
    DELETED = "deleted"  # deleted in its system
    NOT_SETTLED = "not_settled"  # changed a moment ago: counted when figures are next settled
    TIME_ZONE = "time_zone"  # another day in the workspace's time zone than in the system's
    OUTBOUND = "outbound"  # a call of the business's own
    CREDITED_ELSEWHERE = "credited_elsewhere"  # credited to another touch than the call's own
    TOLD_BY_OTHERS = "told_by_others"  # a call that only other systems tell of
    CALLED_BEFORE = "called_before"  # unique for the tracker, and its client had called before
    NO_CLIENT = "no_client"  # unique for the tracker, and nothing tells whose it is
    FIRST_HERE = "first_here"  # the tracker knew the number, and it is the client's first call here


class By(StrEnum):
    """What a row is."""

    SOURCE = "source"  # a campaign, or the channel of what has none
    DAY = "day"


@dataclass(slots=True)
class Row:
    """A campaign (or a channel, or neither) or a day, as both sides count it."""

    campaign_id: UUID | None
    name: str | None
    day: date | None
    theirs: Decimal = Decimal(0)
    ours: Decimal = Decimal(0)
    differences: dict[Cause, Decimal] = field(default_factory=dict)

    def add(self, what: str, amount: Decimal) -> None:
        match what:
            case "theirs":
                self.theirs += amount
            case "ours":
                self.ours += amount
            case _:
                self.differences[Cause(what)] = self.differences.get(Cause(what), Decimal(0)) + amount


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The rows, the greatest first, and their totals. Not all is here that happened after ``synced_until``."""

    measure: Measure
    rows: list[Row]
    totals: Row
    synced_until: datetime | None


# By the rules that hold, tags mean a platform's campaign.
_MEANT = "left join unnest(%(tagged)s::uuid[], %(meant)s::uuid[]) as m(tagged, meant) on m.tagged = {campaign}"
_SPENT = """
with mine as (
    select distinct campaign_id from ad_spend where workspace_id = %(workspace)s and connection_id = %(connection)s
)"""
_COST = f"""{_SPENT}, spend as (
    select a.connection_id = %(connection)s as own, a.campaign_id, a.day, a.cost,
        a.currency = %(currency)s as usual, {facts.NET} as net, {facts.FEE} as fee
    from ad_spend a
    join mine using (campaign_id)
    left join campaign k on k.workspace_id = a.workspace_id and k.id = a.campaign_id
    {facts.RATES}
    where a.workspace_id = %(workspace)s and a.known_until is null and a.day between %(start)s and %(end)s
), counted as (
    select campaign_id, day, cost from rollup_day join mine using (campaign_id)
    where workspace_id = %(workspace)s and day between %(start)s and %(end)s and reason = '' and cost <> 0
), by_hand as (
    select m.campaign_id, d::date as day, round(m.amount * ((d::date - m.first_day + 1))
        / (m.last_day - m.first_day + 1), 2) - round(m.amount * (d::date - m.first_day)
        / (m.last_day - m.first_day + 1), 2) as amount
    from manual_cost m join mine using (campaign_id)
    cross join lateral generate_series(m.first_day, m.last_day, interval '1 day') as d
    where m.workspace_id = %(workspace)s and m.deleted_at is null
)
select campaign_id::text, day, 'theirs', cost from spend where own
union all select campaign_id::text, day, 'other_connection', cost from spend where not own
union all select campaign_id::text, day, 'other_currency', -cost from spend where not usual
union all select campaign_id::text, day, 'vat', net - cost from spend where usual
union all select campaign_id::text, day, 'agency_fee', fee from spend where usual
union all select campaign_id::text, day, 'manual_cost', amount from by_hand where day between %(start)s and %(end)s
union all select campaign_id::text, day, 'not_settled', -cost from spend where usual
union all select campaign_id::text, day, 'not_settled', cost from counted
union all select campaign_id::text, day, 'ours', cost from counted
union all select campaign_id::text, day, 'ours', net - cost + fee from spend where usual
union all select campaign_id::text, day, 'ours', amount from by_hand where day between %(start)s and %(end)s
"""
_CLICKS = f"""{_SPENT}, visits as (
    select mine.campaign_id::text as key, (v.started_at at time zone %(their_zone)s)::date as there, s.day as here,
        case
            when v.deleted_at is not null then 'deleted'
            when s.visit_id is not null then 'time_zone'
            when not {TOLD_ONCE} then 'told_once'
            else 'not_settled' end as cause
    from visit v
    {_MEANT.format(campaign="v.campaign_id")}
    join mine on mine.campaign_id = coalesce(m.meant, v.campaign_id)
    left join settled_visit s on s.workspace_id = v.workspace_id and s.visit_id = v.id
    where v.workspace_id = %(workspace)s
    and v.started_at >= %(start)s::date - 2 and v.started_at < %(end)s::date + 3
), clicked as (
    select campaign_id::text as key, day, clicks from ad_spend
    where workspace_id = %(workspace)s and connection_id = %(connection)s and known_until is null
    and day between %(start)s and %(end)s
)
select key, day, 'theirs', clicks from clicked
union all select key, day, 'no_visit', -clicks from clicked
union all select key, there, 'no_visit', 1 from visits where there between %(start)s and %(end)s
union all select key, there, cause, -1 from visits
    where there between %(start)s and %(end)s and there is distinct from here
union all select key, here, 'time_zone', 1 from visits
    where here between %(start)s and %(end)s and there is distinct from here
union all select key, here, 'ours', 1 from visits where here between %(start)s and %(end)s
"""
_CALLS = """
with told as (
    select r.id, r.direction, r.is_unique, coalesce(m.meant::text, r.campaign_id::text, r.channel, '') as key,
        (r.started_at at time zone %(their_zone)s)::date as day
    from call r {told_meant}
    where r.workspace_id = %(workspace)s and r.connection_id = %(connection)s and r.deleted_at is null
    and r.started_at >= %(start)s::date - 3 and r.started_at < %(end)s::date + 4
), paths as (
    select p.conversion_id, p.day, p.record_id || p.also_told_by as records, p.client_id is not null as known,
        coalesce(
            m.meant::text, nullif(p.campaign_id, '00000000-0000-0000-0000-000000000000')::text, p.channel
        ) as key,
        p.client_id is not null and not exists (
            select from path e where e.workspace_id = p.workspace_id and e.client_id = p.client_id
            and e.kind = 'call' and e.occurred_at < p.occurred_at
            and coalesce(e.known_until, 'infinity') = 'infinity'
        ) as first
    from path p {counted_meant}
    where p.workspace_id = %(workspace)s and p.kind = 'call' and p.known_until is null
    and p.day between %(start)s::date - 5 and %(end)s::date + 5
), pairs as (
    select p.conversion_id, t.record from paths p cross join lateral unnest(p.records) as t(record)
    join told on told.id = t.record
), calls as (
    select t.key as their_key, t.day as their_day, p.key as our_key, p.day as our_day,
        t.day between %(start)s and %(end)s and {theirs} as theirs,
        coalesce(p.day between %(start)s and %(end)s and {ours}, false) as ours,
        case
            when t.direction <> 'inbound' then 'outbound'
            when p.conversion_id is null then 'not_settled'
            when {theirs} and not p.known and not {ours} then 'no_client'
            when {theirs} and not {ours} then 'called_before'
            else 'time_zone' end as lost,
        case when not {theirs} then 'first_here' else 'time_zone' end as gained
    from told t left join pairs on pairs.record = t.id
    left join paths p on p.conversion_id = pairs.conversion_id
    union all
    select null, null, p.key, p.day, false, p.day between %(start)s and %(end)s and {ours}, null, 'told_by_others'
    from paths p where not exists (select from pairs where pairs.conversion_id = p.conversion_id)
)
select their_key, their_day, 'theirs', 1 from calls where theirs
union all select our_key, our_day, 'ours', 1 from calls where ours
union all select their_key, their_day, lost, -1 from calls where theirs and not ours
union all select our_key, our_day, gained, 1 from calls where ours and not theirs
union all select their_key, their_day, {moved}, -1 from calls where theirs and ours
union all select our_key, our_day, {moved}, 1 from calls where theirs and ours
"""
_UNIQUE = {"theirs": "coalesce(t.is_unique, false)", "ours": "p.first"}
_ALL = {"theirs": "true", "ours": "true"}
_SYNCED = """
select c.settings ->> 'time_zone', min(s.fresh_until) from connection c
left join stream_state s on s.workspace_id = c.workspace_id and s.connection_id = c.id
where c.workspace_id = %s and c.id = %s group by c.id, c.settings
"""
_NAMES = "select id::text, name from campaign where workspace_id = %s and id::text = any(%s)"


async def reconcile(
    conn: PsycopgConnection,
    terms: Terms,
    connection_id: UUID,
    measure: Measure,
    start: date,
    end: date,
    *,
    by: By = By.SOURCE,
) -> Reconciled:
    """Our figures beside those of one connection from ``start`` to ``end``, both as known now, also in closed
    periods: what a system reports today is set beside what we know today.

    Raises ``LookupError`` for an unknown connection and ``ValueError`` for days in the wrong order.
    """
    if end < start:
        raise ValueError(f"The days would end on {end}, before they begin on {start}.")
    synced = await (await conn.execute(_SYNCED, (terms.workspace_id, connection_id))).fetchone()
    if synced is None:
        raise LookupError(f"There is no connection {connection_id}.")
    meant = (await campaigns_meant_at(conn, terms.workspace_id, clock.now())).meant
    parameters = {
        "workspace": terms.workspace_id,
        "tagged": list(meant),
        "meant": list(meant.values()),
        "connection": connection_id,
        "currency": terms.currency,
        "their_zone": synced[0] or terms.zone.key,
        "report_zone": terms.zone.key,
        "start": start,
        "end": end,
    }
    sums = "key, case when %(by_day)s then day end, what, sum(amount)"
    counted = f"select {sums} from ({_statement(measure, by)}) as r(key, day, what, amount) group by 1, 2, 3"
    found = await (await conn.execute(counted.encode(), {**parameters, "by_day": by is By.DAY})).fetchall()
    if by is By.DAY:
        found = [(None, day, what, amount) for _, day, what, amount in found]
    rows: dict[tuple[str | None, date | None], Row] = {}
    totals = Row(None, None, None)
    names = await _names(conn, terms, {key for key, *_ in found if key})
    for key, day, what, amount in found:
        campaign = UUID(key) if key in names else None
        row = rows.setdefault((key, day), Row(campaign, names.get(key or "", key or None), day))
        row.add(what, Decimal(amount))
        totals.add(what, Decimal(amount))
    for row in (*rows.values(), totals):
        row.differences = {cause: row.differences[cause] for cause in Cause if row.differences.get(cause)}
    kept = [row for row in rows.values() if row.theirs or row.ours or row.differences]
    kept.sort(key=lambda row: (row.day or date.min, -max(row.theirs, row.ours), row.name or ""))
    return Reconciled(measure, kept, totals, synced[1])


def _statement(measure: Measure, by: By) -> str:
    if measure is Measure.COST:
        return _COST
    if measure is Measure.CLICKS:
        return _CLICKS
    # A call that both count on another day, or for another source, moves from row to row.
    moved = "case when their_key is distinct from our_key then 'credited_elsewhere' else 'time_zone' end"
    if by is By.DAY:
        moved = "'time_zone'"
    meant = {
        "told_meant": _MEANT.format(campaign="r.campaign_id"),
        "counted_meant": _MEANT.format(campaign="p.campaign_id"),
    }
    return _CALLS.format(moved=moved, **meant, **(_UNIQUE if measure is Measure.UNIQUE_CALLS else _ALL))


async def _names(conn: PsycopgConnection, terms: Terms, keys: set[str]) -> Mapping[str, str]:
    found = await conn.execute(_NAMES, (terms.workspace_id, list(keys)))
    return {key: name async for key, name in found}
