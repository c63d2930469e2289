"""What changed between two moments of knowledge, and why: the differences of a report by cause, down to the events.

Every version of a path and every revision of a cost says when it came to be believed and when it ceased to. What
came in between counts for its cause, what went counts against it, so that the causes add up exactly to the report
as known at the later moment less the report as known at the earlier one, cell by cell, each by the rules of
campaigns that held at its moment. The model is that of the rollups, last non-direct touch.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from core.database import PsycopgConnection
from reports.campaigns import CELLS_AS_KNOWN, Statement
from reports.paths import NIL
from reports.rollups import COUNTED_AS, FIGURES, VALUED_AS
from reports.rules import NO_RULES, Grouping


class ChangeCause(StrEnum):
    """Why a figure is another one than it was believed to be."""

    HAPPENED = "happened"  # it took place after the earlier moment
    LATE_DATA = "late_data"  # it had taken place before, and we learnt of it or of a touch later
    RESTATED_COST = "restated_cost"  # the ad platform corrected a day's cost
    EDITED_DEAL = "edited_deal"  # amount, date or state of the deal or invoice in the CRM changed
    IDENTIFIED = "identified"  # a record of nobody became a client's
    MERGE = "merge"
    SPLIT = "split"
    NEW_RULE = "new_rule"  # other rules, or another setting of the workspace


@dataclass(frozen=True, slots=True)
class ChangedCell:
    """What one cause did to a campaign's figures (or to those of a reason for having none)."""

    cause: ChangeCause
    campaign_id: UUID | None
    name: str | None
    reason: str | None
    channel: str | None
    events: int
    sums: dict[str, Decimal]


@dataclass(frozen=True, slots=True)
class WhatChanged:
    """``by_cause`` adds up to ``totals``, and ``cells`` to ``by_cause``."""

    cells: list[ChangedCell]
    by_cause: dict[ChangeCause, dict[str, Decimal]]
    totals: dict[str, Decimal]


def what_changed_statement(
    workspace_id: UUID,
    start: date,
    end: date,
    known_before: datetime,
    known_after: datetime,
    rules_before: Grouping = NO_RULES,
    rules_after: Grouping = NO_RULES,
) -> Statement:
    """What changed in the report from ``start`` to ``end`` between two moments, as one statement.

    Its columns: ``cause, campaign_id, name, reason, channel, events`` (how many things came or went) and the
    figures of ``reports.rollups.FIGURES``, each the difference. What the rules of campaigns made of tags at either
    moment counts too: where that is another campaign, what was known before moves for the cause NEW_RULE. Raises
    ``ValueError`` for moments or days in the wrong order.
    """
    parameters = _parameters(workspace_id, start, end, known_before, known_after)
    moves = _MOVES
    if rules_after.meant:
        moves = _MEANT.format(moves=_MOVES)
        parameters |= {"report_tagged": list(rules_after.meant), "report_meant": list(rules_after.meant.values())}
    ruled = {
        tagged: (rules_before.meant.get(tagged, tagged), rules_after.meant.get(tagged, tagged))
        for tagged in (*rules_before.meant, *rules_after.meant)
    }
    ruled = {tagged: (was, now) for tagged, (was, now) in ruled.items() if was != now}
    if ruled:
        moves = f"{moves} union all {_RULED}"
        parameters |= {
            "report_ruled": list(ruled),
            "report_were": [was for was, _ in ruled.values()],
            "report_are": [now for _, now in ruled.values()],
        }
    sums = ", ".join(f"sum(m.{figure}) as {figure}" for figure in FIGURES)
    sql = f"""
select * from (
    select m.cause, nullif(m.campaign_id, '{NIL}') as campaign_id, k.name, nullif(m.reason, '') as reason,
        nullif(m.channel, '') as channel, sum(m.events) as events, {sums}
    from ({moves}) m left join campaign k on k.workspace_id = %(report_workspace)s and k.id = m.campaign_id
    group by 1, 2, 3, 4, 5
) changed
where {" or ".join(f"{figure} <> 0" for figure in FIGURES)}
order by array_position(%(report_causes)s::text[], cause), abs(revenue) desc, abs(cost) desc, name, reason, channel
"""  # noqa: S608
    return Statement(sql, parameters)


def changed_conversions_statement(
    workspace_id: UUID,
    start: date,
    end: date,
    known_before: datetime,
    known_after: datetime,
    cause: ChangeCause | str | None = None,
) -> Statement:
    """The conversions behind what changed, one row for each change of one, the newest first.

    Columns: ``cause, at, kind, conversion_id, record_id, client_id, occurred_at, run_id``, then what was believed
    and what is: ``day_before, campaign_before, reason_before, channel_before, revenue_before, version_before`` and
    the same with ``_after``; the former are null for what is new and the latter for what is no more. A conversion
    that left or entered the range of days has the side within it only. Changes that leave the cell and the
    revenue as they were are left out.
    """
    parameters = _parameters(workspace_id, start, end, known_before, known_after)
    parameters["report_cause"] = None if cause is None else str(ChangeCause(cause))
    return Statement(_CONVERSIONS, parameters)


def changed_costs_statement(
    workspace_id: UUID, start: date, end: date, known_before: datetime, known_after: datetime
) -> Statement:
    """The costs behind what changed: ``cause, at, campaign_id, day, revision, cost_before, cost_after, currency,
    impressions_before, impressions_after, clicks_before, clicks_after``, the newest first."""
    return Statement(_COSTS, _parameters(workspace_id, start, end, known_before, known_after))


async def what_changed(
    conn: PsycopgConnection,
    workspace_id: UUID,
    start: date,
    end: date,
    known_before: datetime,
    known_after: datetime,
    rules_before: Grouping = NO_RULES,
    rules_after: Grouping = NO_RULES,
) -> WhatChanged:
    """What changed in the report between two moments of knowledge, by cause and cell.

    The totals are exactly ``campaign_report(as_known_at=known_after)`` less the same at ``known_before``, each by
    its rules.
    """
    statement = what_changed_statement(
        workspace_id, start, end, known_before, known_after, rules_before, rules_after
    )
    found = await conn.execute(statement.sql.encode(), statement.params)
    cells = [_cell(row) async for row in found]
    by_cause: dict[ChangeCause, dict[str, Decimal]] = {}
    for cell in cells:
        _add(by_cause.setdefault(cell.cause, dict.fromkeys(FIGURES, Decimal(0))), cell.sums)
    totals = dict.fromkeys(FIGURES, Decimal(0))
    for sums in by_cause.values():
        _add(totals, sums)
    return WhatChanged(cells, by_cause, totals)


def _cell(row: tuple[Any, ...]) -> ChangedCell:
    cause, campaign, name, reason, channel, events, *amounts = row
    sums = {figure: Decimal(amount) for figure, amount in zip(FIGURES, amounts, strict=True)}
    return ChangedCell(ChangeCause(cause), campaign, name, reason, channel, int(events), sums)


def _add(sums: dict[str, Decimal], more: dict[str, Decimal]) -> None:
    for figure, amount in more.items():
        sums[figure] += amount


def _parameters(workspace_id: UUID, start: date, end: date, before: datetime, after: datetime) -> dict[str, Any]:
    if end < start:
        raise ValueError(f"The report would end on {end}, before it starts on {start}.")
    if after < before:
        raise ValueError(f"What is compared must be known later: {after} is before {before}.")
    return {
        "report_workspace": workspace_id,
        "report_start": start,
        "report_end": end,
        "report_before": before,
        "report_after": after,
        "report_causes": [str(cause) for cause in ChangeCause],
    }


def _since(moment: str) -> str:
    return f"{moment} > %(report_before)s and {moment} <= %(report_after)s"


_COUNTS = ", ".join(
    f"case when kind = '{kind}' then sign else 0 end as {figure}" for kind, figure in COUNTED_AS.items()
)
_VALUES = ", ".join(
    f"case when kind = '{kind}' then sign * revenue else 0 end as {figure}" for kind, figure in VALUED_AS.items()
)
_IN_RANGE = "workspace_id = %(report_workspace)s and day between %(report_start)s and %(report_end)s"
# What is new since: it may have taken place since, or before and we are late to know.
_OF_VERSION = "case when cause <> 'first' then cause when occurred_at > %(report_before)s then 'happened' else"
_OF_VERSION += " 'late_data' end"
_PATHS = f"""
select *, 1 as sign, {_OF_VERSION} as why, known_from as at from path where {_IN_RANGE} and {_since("known_from")}
union all
select *, -1, ended_by, known_until from path where {_IN_RANGE} and {_since("known_until")}
"""  # noqa: S608
_OF_REVISION = """case when revision > 1 then 'restated_cost'
    when (day + 1)::timestamp at time zone w.time_zone > %(report_before)s then 'happened' else 'late_data' end"""
_SPEND_IN_RANGE = f"a.{_IN_RANGE.replace('day between', 'a.day between')}"
_SPEND = f"""
select a.*, w.currency as ours, 1 as sign, {_OF_REVISION} as why, a.known_from as at
from ad_spend a join workspace w on w.id = a.workspace_id where {_SPEND_IN_RANGE} and {_since("a.known_from")}
union all
select a.*, w.currency, -1, 'restated_cost', a.known_until
from ad_spend a join workspace w on w.id = a.workspace_id where {_SPEND_IN_RANGE} and {_since("a.known_until")}
"""  # noqa: S608
_MOVES = f"""
select why as cause, campaign_id, reason, channel, 1 as events, 0 as cost, 0 as impressions, 0 as clicks,
    0 as visits, {_COUNTS}, {_VALUES}
from ({_PATHS}) p
union all
select why, campaign_id, '', '', 1, case when currency = ours then sign * cost else 0 end,
    sign * impressions, sign * clicks, 0, 0, 0, 0, 0, 0, 0, 0
from ({_SPEND}) a
union all
select case when v.started_at > %(report_before)s then 'happened' else 'late_data' end,
    s.campaign_id, s.reason, s.channel, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0
from settled_visit s join visit v on v.workspace_id = s.workspace_id and v.id = s.visit_id
where s.workspace_id = %(report_workspace)s and s.day between %(report_start)s and %(report_end)s
and v.started_at >= %(report_start)s::date - 2 and v.started_at < %(report_end)s::date + 3
and {_since("v.loaded_at")}
"""  # noqa: S608
_MEANT = """
select m.cause, coalesce(t.meant, m.campaign_id) as campaign_id, m.reason, m.channel, m.events, {figures}
from ({{moves}}) m
left join unnest(%(report_tagged)s::uuid[], %(report_meant)s::uuid[]) as t(tagged, meant)
    on t.tagged = m.campaign_id
""".format(figures=", ".join(f"m.{figure}" for figure in FIGURES))
_RULED = """
select 'new_rule', case when s.sign < 0 then t.was else t.now end, c.reason, c.channel, 1, {figures}
from ({cells}) c
join unnest(%(report_ruled)s::uuid[], %(report_were)s::uuid[], %(report_are)s::uuid[]) as t(tagged, was, now)
    on t.tagged = c.campaign_id
cross join (values (-1), (1)) as s(sign)
""".format(
    figures=", ".join(f"s.sign * c.{figure}" for figure in FIGURES),
    cells=CELLS_AS_KNOWN.replace("%(report_known)s", "%(report_before)s"),
)
_CONVERSIONS = f"""
select coalesce(a.why, b.why) as cause, coalesce(a.at, b.at) as at, coalesce(a.kind, b.kind) as kind,
    coalesce(a.conversion_id, b.conversion_id) as conversion_id, coalesce(a.record_id, b.record_id) as record_id,
    coalesce(a.client_id, b.client_id) as client_id, coalesce(a.occurred_at, b.occurred_at) as occurred_at,
    a.run_id,
    b.day as day_before, nullif(b.campaign_id, '{NIL}') as campaign_before, nullif(b.reason, '') as reason_before,
    nullif(b.channel, '') as channel_before, b.revenue as revenue_before, b.version as version_before,
    a.day as day_after, nullif(a.campaign_id, '{NIL}') as campaign_after, nullif(a.reason, '') as reason_after,
    nullif(a.channel, '') as channel_after, a.revenue as revenue_after, a.version as version_after
from (select * from ({_PATHS}) p where sign = 1) a
full join (select * from ({_PATHS}) p where sign = -1) b
    on b.conversion_id = a.conversion_id and b.version = a.version - 1 and b.at = a.at
where (a.day, a.campaign_id, a.reason, a.channel, a.revenue)
    is distinct from (b.day, b.campaign_id, b.reason, b.channel, b.revenue)
and (%(report_cause)s::text is null or coalesce(a.why, b.why) = %(report_cause)s)
order by at desc, conversion_id
"""  # noqa: S608
_COSTS = f"""
select coalesce(a.why, b.why) as cause, coalesce(a.at, b.at) as at,
    coalesce(a.campaign_id, b.campaign_id) as campaign_id, coalesce(a.day, b.day) as day,
    coalesce(a.revision, b.revision) as revision, b.cost as cost_before, a.cost as cost_after,
    coalesce(a.currency, b.currency) as currency, b.impressions as impressions_before,
    a.impressions as impressions_after, b.clicks as clicks_before, a.clicks as clicks_after
from (select * from ({_SPEND}) s where sign = 1) a
full join (select * from ({_SPEND}) s where sign = -1) b on b.connection_id = a.connection_id
    and b.campaign_id = a.campaign_id and b.day = a.day and b.revision = a.revision - 1
order by at desc, day, campaign_id
"""  # noqa: S608
