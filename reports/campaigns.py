"""The campaign report: which campaigns bring clients, and what couldn't be attributed, with the reason.

For now it reads whole months and the days at the edges out of the rollups. As known at a past moment it is
made from the versions that were believed then:

- conversions from versions of paths, credited as they were then;
- cost, impressions and clicks from revisions of ad spend;
- names of campaigns as they were known then;
- verdicts on clicks that had been loaded by then;
- visits by when their present state was learnt: a visit that was learnt before the moment and changed after
  it is missing, since visits keep no versions. All else is exact.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from core.database import PsycopgConnection
from reports.fraud import FRAUD, fraud_cells
from reports.metrics import METRICS
from reports.rollups import COUNTED_AS, FIGURES, VALUED_AS
from reports.rules import NO_RULES, Grouping
from schema import traffic
from schema.enums import Channel


class Grain(StrEnum):
    """What a row of the report is."""

    CAMPAIGN = "campaign"
    CAMPAIGN_DAY = "campaign_day"
    CAMPAIGN_MONTH = "campaign_month"
    CHANNEL = "channel"
    CHANNEL_DAY = "channel_day"
    CHANNEL_MONTH = "channel_month"
    DAY = "day"
    MONTH = "month"

    @property
    def dimension(self) -> str | None:
        return self.split("_")[0] if self not in {Grain.DAY, Grain.MONTH} else None

    @property
    def period(self) -> str | None:
        last = self.split("_")[-1]
        return last if last in {"day", "month"} else None


class Statement(NamedTuple):
    """SQL with psycopg's named placeholders, all beginning with ``report_``, and their values."""

    sql: str
    params: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """A row of the report. Without a campaign ``reason`` says why, and ``channel`` what is known instead.

    ``channel_group`` is the channel by the workspace's own rules; without any it is the channel.
    """

    campaign_id: UUID | None
    name: str | None
    platform: str | None
    source: str | None
    medium: str | None
    channel: str | None
    period: date | None
    reason: str | None
    sums: dict[str, Decimal]
    channel_group: str | None = None

    def metric(self, key: str) -> Decimal | None:
        """A metric of ``reports.metrics`` over this row's sums."""
        return METRICS[key].value(self.sums)


@dataclass(frozen=True, slots=True)
class CampaignReport:
    rows: list[CampaignRow]
    totals: CampaignRow
    currency: str


def campaign_report_statement(
    workspace_id: UUID,
    start: date,
    end: date,
    *,
    by: Grain | str = Grain.CAMPAIGN,
    as_known_at: datetime | None = None,
    credits_json: str | None = None,
    rules: Grouping = NO_RULES,
    fraud: bool = False,
) -> Statement:
    """The report from ``start`` to ``end``, both included, as one statement.

    Conversions are those of last non-direct touch; with ``credits_json`` those that it holds instead, a row for
    each cell (``reports.by_model`` makes it). ``rules`` say which campaigns tags mean, and how channels are
    grouped. Its columns: ``campaign_id, name, platform, source, medium, channel, period, reason, channel_group``
    and the figures of ``reports.rollups.FIGURES``, with ``fraud`` those of ``reports.fraud.FRAUD`` too. Columns
    that the grain doesn't have are null.
    Raises ``ValueError`` for a range that ends before it starts.
    """
    if end < start:
        raise ValueError(f"The report would end on {end}, before it starts on {start}.")
    grain = Grain(by)
    params: dict[str, Any] = {"report_workspace": workspace_id, "report_start": start, "report_end": end}
    others = _FIGURES if credits_json is None else _WITHOUT_CONVERSIONS
    if as_known_at is None:
        cells, name = present_cells(start, end, grain, others, params), "k.name"
    else:
        params["report_known"] = as_known_at
        cells, name = _OTHERS_AS_KNOWN, NAME_AS_KNOWN
        if credits_json is None:
            cells += f" union all {_CONVERSIONS_AS_KNOWN}"
    if credits_json is not None:
        params["report_credits"] = credits_json
        cells += f" union all {_GIVEN}"
    figures: tuple[str, ...] = FIGURES
    if fraud:
        figures = (*FIGURES, *FRAUD)
        zeros = ", ".join(f"0 as {figure}" for figure in FIGURES)
        judged = fraud_cells(as_known=as_known_at is not None)
        cells = f"""
            select day, {_FIGURES}, 0 as fraud_clicks, 0 as fraud_cost from ({cells}) c union all
            select day, campaign_id, reason, channel, {zeros}, fraud_clicks, fraud_cost from ({judged}) f
        """  # noqa: S608
    sums = ", ".join(f"sum({figure}) as {figure}" for figure in figures)
    columns = shown_columns(grain, name, grouped=bool(rules.groups))
    if not rules.groups:
        del columns["channel_group"]  # it is the channel, told once
    shown = ", ".join(f"{expression} as {column}" for column, expression in columns.items())
    campaign, means, groups = _by_rules(rules, params)
    told, again = ", ".join(figures), ""
    if grain.dimension == "channel":  # several campaigns make one row
        told, again = sums, f"group by {', '.join(str(place + 1) for place in range(len(columns)))}"
    group = "channel_group" if rules.groups else "channel as channel_group"
    sql = f"""
select campaign_id, name, platform, source, medium, channel, period, reason, {group}, {", ".join(figures)} from (
    select {shown}, {told}
    from (
        select {_what_tells(grain, campaign)}, {period_of(grain, "day")} as period, {sums}
        from ({cells}) cells {means} group by 1, 2, 3, 4
    ) c
    left join campaign k on k.workspace_id = %(report_workspace)s and k.id = c.campaign_id
    {groups}
    {again}
) report
where {" or ".join(f"{figure} <> 0" for figure in figures)}
order by {_order(grain)}
"""  # noqa: S608
    return Statement(sql, params)


async def campaign_report(
    conn: PsycopgConnection,
    workspace_id: UUID,
    start: date,
    end: date,
    *,
    by: Grain | str = Grain.CAMPAIGN,
    as_known_at: datetime | None = None,
    rules: Grouping = NO_RULES,
) -> CampaignReport:
    """The report's rows and their totals."""
    statement = campaign_report_statement(workspace_id, start, end, by=by, as_known_at=as_known_at, rules=rules)
    return await read_report(conn, workspace_id, statement)


async def read_report(conn: PsycopgConnection, workspace_id: UUID, statement: Statement) -> CampaignReport:
    """Run a report's statement. Raises ``LookupError`` for an unknown workspace."""
    found = await conn.execute(statement.sql, statement.params)
    rows = [_row(values) async for values in found]
    workspace = await conn.execute("select currency from workspace where id = %s", (workspace_id,))
    currency = await workspace.fetchone()
    if currency is None:
        raise LookupError(f"There is no workspace {workspace_id}.")
    return CampaignReport(rows, totals(rows), currency[0])


async def channels_of_campaigns(conn: PsycopgConnection, workspace_id: UUID) -> dict[bytes, str]:
    """The channel in which the report counts each campaign, by the campaign's id as bytes."""
    found = await conn.execute(
        f"select k.id, {CHANNEL_OF_CAMPAIGN} from campaign k where k.workspace_id = %s",  # noqa: S608
        (workspace_id,),
    )
    return {campaign.bytes: channel async for campaign, channel in found}


def totals(rows: Iterable[CampaignRow]) -> CampaignRow:
    """The sums over rows; its ratios are those of the sums."""
    sums = dict.fromkeys(FIGURES, Decimal(0))
    for row in rows:
        for figure, amount in row.sums.items():
            sums[figure] += amount
    return CampaignRow(None, None, None, None, None, None, None, None, sums)


def _row(values: tuple[Any, ...]) -> CampaignRow:
    campaign, name, platform, source, medium, channel, period, reason, group, *amounts = values
    sums = {figure: Decimal(amount) for figure, amount in zip(FIGURES, amounts, strict=True)}
    return CampaignRow(campaign, name, platform, source, medium, channel, period, reason, sums, group)


def shown_columns(grain: Grain, name: str, *, grouped: bool = False) -> dict[str, str]:
    """What the grain shows of a cell; each is an expression over the cell ``c`` and its campaign ``k``, and with
    ``grouped`` over the groups of the campaign ``g`` and of the channel ``h``."""
    hidden = "null::text"
    channel = f"nullif(case when c.reason = '' then {CHANNEL_OF_CAMPAIGN} else c.channel end, '')"
    group, usual = channel, channel
    if grouped:
        group = f"coalesce(nullif(case when c.reason = '' then g.name else h.name end, ''), {channel})"
        usual = f"case when {group} in ({_words(Channel)}) then {group} end"
    columns = {
        "campaign_id": "null::uuid",
        "name": hidden,
        "platform": hidden,
        "source": hidden,
        "medium": hidden,
        "channel": hidden,
        "period": "c.period",
        "reason": hidden,
        "channel_group": hidden,
    }
    if grain.dimension == "campaign":
        columns |= {
            "campaign_id": "case when c.reason = '' then c.campaign_id end",
            "name": f"case when c.reason = '' then {name} end",
            "platform": "k.platform",
            "source": "k.source",
            "medium": "k.medium",
            "channel": channel,
            "reason": "nullif(c.reason, '')",
            "channel_group": group,
        }
    elif grain.dimension == "channel":
        # Only what has no channel at all needs a reason: a direct visit is in the channel 'direct'.
        reason = f"case when {group} is null then nullif(c.reason, '') end"
        columns |= {"channel": usual, "reason": reason, "channel_group": group}
    return columns


def _order(grain: Grain) -> str:
    """By time, then the dearest first and what has a reason last. Only what tells rows apart is compared: sorting
    costs as much as counting where a report has hundreds of rows."""
    period = ["period nulls first"] if grain.period else []
    told = [
        "reason is not null",
        "cost desc",
        "revenue desc",
        "name",
        "reason",
        "channel",
        "channel_group",
        "campaign_id",
    ]
    return ", ".join([*period, *told] if grain.dimension else period or ["cost desc"])


def _what_tells(grain: Grain, campaign: str) -> str:
    """What tells rows of that grain from each other, out of cells: their campaign, or why there is none and the
    channel that is known instead."""
    match grain.dimension:
        case None:
            return "null::uuid as campaign_id, '' as reason, '' as channel"
        case "channel":
            return f"{campaign} as campaign_id, reason, channel"
    return (
        f"case when reason = '' then {campaign} end as campaign_id, reason, "
        "case when reason = '' then '' else channel end as channel"
    )


def _by_rules(rules: Grouping, params: dict[str, Any]) -> tuple[str, str, str]:
    """The campaign that a cell counts for, the join that tells it, and those that tell groups of channels."""
    campaign, means, groups = "cells.campaign_id", "", ""
    if rules.meant:
        params |= {"report_tagged": list(rules.meant), "report_meant": list(rules.meant.values())}
        campaign = "coalesce(m.meant, cells.campaign_id)"
        means = (
            "left join unnest(%(report_tagged)s::uuid[], %(report_meant)s::uuid[]) as m(tagged, meant)"
            " on m.tagged = cells.campaign_id"
        )
    if rules.groups:
        params |= {"report_grouped": list(rules.groups), "report_groups": list(rules.groups.values())}
        params |= {"report_channels": list(rules.channels), "report_by_channel": list(rules.channels.values())}
        groups = (
            "left join unnest(%(report_grouped)s::uuid[], %(report_groups)s::text[]) as g(id, name)"
            " on g.id = c.campaign_id"
            " left join unnest(%(report_channels)s::text[], %(report_by_channel)s::text[]) as h(channel, name)"
            " on h.channel = c.channel"
        )
    return campaign, means, groups


def period_of(grain: Grain, day: str) -> str:
    """The period that a day (an SQL expression) is in, as the grain has it."""
    return {"day": day, "month": f"date_trunc('month', {day})::date"}.get(grain.period or "", "null::date")


def present_cells(start: date, end: date, grain: Grain, figures: str, params: dict[str, Any]) -> str:
    """Cells out of the rollups: whole months, and days at the edges. Days alone where days are asked for."""
    first = start if start.day == 1 else _next_month(start)
    beyond = _next_month(end) if (end + timedelta(days=1)).day == 1 else end.replace(day=1)
    if grain.period == "day" or first >= beyond:
        return _DAYS.format(figures=figures, start="report_start", end="report_end")
    params |= {"report_first_month": first, "report_beyond_months": beyond}
    parts = [
        f"select month as day, {figures} from rollup_month where workspace_id = %(report_workspace)s"  # noqa: S608
        " and month >= %(report_first_month)s and month < %(report_beyond_months)s"
    ]
    if start < first:
        params["report_first_edge"] = first - timedelta(days=1)
        parts.append(_DAYS.format(figures=figures, start="report_start", end="report_first_edge"))
    if beyond <= end:
        parts.append(_DAYS.format(figures=figures, start="report_beyond_months", end="report_end"))
    return " union all ".join(parts)


def _next_month(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def _words(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in sorted(words))


_FIGURES = f"campaign_id, reason, channel, {', '.join(FIGURES)}"
_WITHOUT_CONVERSIONS = "campaign_id, reason, channel, " + ", ".join(
    f"0 as {figure}" if figure in {*COUNTED_AS.values(), *VALUED_AS.values()} else figure for figure in FIGURES
)
_DAYS = (
    "select day, {figures} from rollup_day where workspace_id = %(report_workspace)s"
    " and day between %({start})s and %({end})s"
)

_COUNTS = ", ".join(f"count(*) filter (where kind = '{kind}') as {figure}" for kind, figure in COUNTED_AS.items())
_VALUES = ", ".join(
    f"coalesce(sum(revenue) filter (where kind = '{kind}'), 0) as {figure}" for kind, figure in VALUED_AS.items()
)
_CONVERSIONS_AS_KNOWN = f"""
select day, campaign_id, reason, channel, 0 as cost, 0 as impressions, 0 as clicks, 0 as visits, {_COUNTS},
    {_VALUES}
from path
where workspace_id = %(report_workspace)s and day between %(report_start)s and %(report_end)s
and known_from <= %(report_known)s and (known_until is null or known_until > %(report_known)s)
group by 1, 2, 3, 4
"""  # noqa: S608
_OTHERS_AS_KNOWN = """
select a.day, a.campaign_id, '' as reason, '' as channel,
    coalesce(sum(a.cost) filter (where a.currency = w.currency), 0) as cost, sum(a.impressions) as impressions,
    sum(a.clicks) as clicks, 0 as visits, 0 as calls, 0 as leads, 0 as new_clients, 0 as won_deals,
    0 as paid_invoices, 0 as revenue, 0 as paid_amount
from ad_spend a join workspace w on w.id = a.workspace_id
where a.workspace_id = %(report_workspace)s and a.day between %(report_start)s and %(report_end)s
and a.known_from <= %(report_known)s and (a.known_until is null or a.known_until > %(report_known)s)
group by 1, 2
union all
select s.day, s.campaign_id, s.reason, s.channel, 0, 0, 0, count(*), 0, 0, 0, 0, 0, 0, 0
from settled_visit s join visit v on v.workspace_id = s.workspace_id and v.id = s.visit_id
where s.workspace_id = %(report_workspace)s and s.day between %(report_start)s and %(report_end)s
and v.started_at >= %(report_start)s::date - 2 and v.started_at < %(report_end)s::date + 3
and v.loaded_at <= %(report_known)s
group by 1, 2, 3, 4
"""
CELLS_AS_KNOWN = f"{_OTHERS_AS_KNOWN} union all {_CONVERSIONS_AS_KNOWN}"
"""SQL of ``day, campaign_id, reason, channel`` and all figures as known at the moment ``%(report_known)s``."""
_GIVEN = """
select day, campaign_id, reason, channel, 0, 0, 0, 0, calls, leads, new_clients, won_deals, paid_invoices, revenue,
    paid_amount
from json_to_recordset(%(report_credits)s::json) as r(
    day date, campaign_id uuid, reason text, channel text, calls numeric, leads numeric, new_clients numeric,
    won_deals numeric, paid_invoices numeric, revenue numeric, paid_amount numeric
)
"""
NAME_AS_KNOWN = """coalesce((
    select n.name from campaign_name n where n.workspace_id = k.workspace_id and n.campaign_id = k.id
    and n.known_from <= %(report_known)s order by n.known_from desc limit 1
), k.external_id)"""

# The channel of a campaign, as schema.traffic tells it of a record that names a campaign.
_BY_PLATFORM = " ".join(
    f"when '{platform}' then '{source}'" for platform, source in traffic.SOURCE_OF_PLATFORM.items()
)
SOURCE_OF_CAMPAIGN = f"""coalesce(
    nullif(lower(k.source), ''), case k.platform {_BY_PLATFORM} else k.platform end
)"""
_MEDIUM = "coalesce(lower(k.medium), '')"
CHANNEL_OF_CAMPAIGN = f"""case
    when k.id is null then null
    when {_MEDIUM} in ('email', 'e-mail', 'newsletter') or {SOURCE_OF_CAMPAIGN} = 'email' then '{Channel.EMAIL}'
    when {_MEDIUM} not in ('organic', 'referral', 'social') then case
        when {SOURCE_OF_CAMPAIGN} in ({_words(traffic._SOCIAL)}) then '{Channel.PAID_SOCIAL}'
        when {SOURCE_OF_CAMPAIGN} in ({_words(traffic._SEARCH_ENGINES | traffic._YANDEX)})
            then '{Channel.PAID_SEARCH}'
        else '{Channel.PAID_OTHER}' end
    when {_MEDIUM} = 'organic' then '{Channel.ORGANIC}'
    when {SOURCE_OF_CAMPAIGN} in ({_words(traffic._SOCIAL)}) or {_MEDIUM} = 'social' then '{Channel.SOCIAL}'
    else '{Channel.REFERRAL}' end"""
