"""Figures that rollups don't hold: how calls went, how long it took, what came back; and metrics made of them.

They are counted at the moment of asking, from the current paths and the records behind these, and credited as the
rollups are, to the last non-direct touch. Averages and shares are taken of sums here too, so that the totals' are
right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from core.database import PsycopgConnection
from reports.campaigns import (
    CampaignReport,
    CampaignRow,
    Grain,
    Statement,
    campaign_report,
    period_of,
    shown_columns,
)
from reports.counting import Counted
from reports.metrics import WON_DEALS_BASIS, Figure, Less, Metric, Ratio, Unit

_IS_CALL, _IS_LEAD, _IS_WON = (f"p.kind = '{kind}'" for kind in ("call", "lead", "won_deal"))
_REPEATED = f"{_IS_WON} and p.client_id is not null and n.record_id is null"
_TALKED = f"{_IS_CALL} and c.talk_seconds > 0"


def days(later: str, earlier: str) -> str:
    """SQL of the days from one moment to another."""
    return f"extract(epoch from {later} - {earlier})::numeric / 86400"


DETAILS: Mapping[str, Counted] = {
    "answered_calls": Counted(f"{_IS_CALL} and c.answered"),
    "missed_calls": Counted(f"{_IS_CALL} and not c.answered"),
    "target_calls": Counted(f"{_IS_CALL} and c.is_target"),
    "unique_calls": Counted(f"{_IS_CALL} and c.is_unique"),
    "first_calls": Counted(f"{_IS_CALL} and p.client_id is not null and not c.called_before"),
    "talks": Counted(_TALKED),
    "talk_seconds": Counted(_TALKED, "c.talk_seconds"),
    "waits": Counted(f"{_IS_CALL} and c.wait_seconds is not null"),
    "wait_seconds": Counted(_IS_CALL, "c.wait_seconds"),
    "repeat_deals": Counted(_REPEATED),
    "repeat_revenue": Counted(_REPEATED, "p.revenue", money=True),
    "dated_leads": Counted(f"{_IS_LEAD} and p.touch_times[1] is not null"),
    "lead_days": Counted(_IS_LEAD, days("p.occurred_at", "p.touch_times[1]")),
    "dated_wins": Counted(f"{_IS_WON} and p.touch_times[1] is not null"),
    "win_days": Counted(_IS_WON, days("p.occurred_at", "p.touch_times[1]")),
    "opened_wins": Counted(f"{_IS_WON} and p.opened_at is not null"),
    "deal_days": Counted(_IS_WON, days("p.occurred_at", "p.opened_at")),
}
"""The additive figures beside those of the rollups, and how each is counted over paths."""

_VENDOR = "the call tracker's own judgement; of several systems that tell of a call, any"
_PATHS = "reports.paths"
_figure = {name: Figure(name) for name in (*DETAILS, "cost", "clicks", "visits", "calls", "leads")}
_figure |= {name: Figure(name) for name in ("new_clients", "won_deals", "revenue")}


def _count(key: str, name_en: str, name_ru: str, source: str, meaning: str) -> Metric:
    return Metric(key, name_en, name_ru, Unit.COUNT, _figure[key], source, meaning)


def _share(key: str, name_en: str, name_ru: str, of: str, per: str, meaning: str) -> Metric:
    ratio = Ratio(_figure[of], _figure[per], 100)
    return Metric(key, name_en, name_ru, Unit.PERCENT, ratio, "usual in web analytics", meaning)


def _average(key: str, name_en: str, name_ru: str, of: str, per: str, meaning: str) -> Metric:
    return Metric(key, name_en, name_ru, Unit.RATIO, Ratio(_figure[of], _figure[per]), _PATHS, meaning)


_STEP = "Of the same campaign and days, not of the same people."
_DEFINITIONS = (
    _count("answered_calls", "Answered calls", "Принятые звонки", _PATHS, "Inbound calls that were answered."),
    _count("missed_calls", "Missed calls", "Пропущенные звонки", _PATHS, "Inbound calls that nobody answered."),
    _count("target_calls", "Target calls", "Целевые звонки", _VENDOR, "Calls judged as qualified."),
    _count("unique_calls", "Unique calls", "Уникальные звонки", _VENDOR, "First calls of a number."),
    _count("first_calls", "First calls", "Первые звонки", _PATHS, "Calls of clients who never called before."),
    _share("missed_share", "Missed calls, share", "Доля пропущенных", "missed_calls", "calls", "Of all calls."),
    _share("target_share", "Target calls, share", "Доля целевых", "target_calls", "calls", "Of all calls."),
    Metric(
        "cost_per_target_call",
        "Cost per target call",
        "Стоимость целевого звонка",
        Unit.MONEY,
        Ratio(_figure["cost"], _figure["target_calls"]),
        "usual in call tracking",
        "Ad cost of a call judged as qualified.",
    ),
    _average(
        "average_talk", "Average talk, s", "Средняя длительность, с", "talk_seconds", "talks", "Seconds of talk."
    ),
    _average(
        "average_wait", "Average wait, s", "Среднее ожидание, с", "wait_seconds", "waits", "Seconds until answered."
    ),
    _share("click_to_visit", "Clicks into visits", "Клики в визиты", "visits", "clicks", _STEP),
    _share("call_to_sale", "Calls into sales", "Звонки в продажи", "won_deals", "calls", _STEP),
    _share("visit_to_sale", "Visits into sales", "Визиты в продажи", "won_deals", "visits", _STEP),
    _share("lead_to_new_client", "Leads into new clients", "Заявки в новых", "new_clients", "leads", _STEP),
    _average(
        "days_to_lead", "Days to lead", "Дней до заявки", "lead_days", "dated_leads", "From first touch to lead."
    ),
    _average(
        "days_to_win", "Days to win", "Дней до продажи", "win_days", "dated_wins", "From first touch to won deal."
    ),
    _average(
        "days_of_deal", "Days of the deal", "Дней сделки", "deal_days", "opened_wins", "From deal opened to won."
    ),
    _count("repeat_deals", "Repeat sales", "Повторные продажи", _PATHS, "Won deals after a client's first."),
    Metric(
        "repeat_revenue",
        "Repeat revenue",
        "Повторная выручка",
        Unit.MONEY,
        _figure["repeat_revenue"],
        _PATHS,
        "Amounts of won deals after a client's first.",
        WON_DEALS_BASIS,
    ),
    Metric(
        "first_revenue",
        "Revenue of first sales",
        "Выручка первых продаж",
        Unit.MONEY,
        Less(_figure["revenue"], _figure["repeat_revenue"]),
        _PATHS,
        "Revenue without repeat sales.",
        WON_DEALS_BASIS,
    ),
    _share(
        "repeat_share", "Repeat revenue, share", "Доля повторной выручки", "repeat_revenue", "revenue", "Of all."
    ),
)

DETAIL_METRICS: Mapping[str, Metric] = {metric.key: metric for metric in _DEFINITIONS}
"""Metrics over the figures of the report and ``DETAILS`` together, by key."""

# Written so that the partial index of current versions, which doesn't begin with the client, isn't taken.
_CURRENT = "coalesce({row}.known_until, 'infinity') = 'infinity'"
FIRST_DEAL_OF_PATH = f"""
select n.record_id from path n where n.workspace_id = p.workspace_id and n.client_id = p.client_id
and n.kind = 'new_client' and n.record_id = p.record_id and {_CURRENT.format(row="n")} limit 1
"""  # noqa: S608
FIRST_TOUCH_OF_DEAL = """
left join lateral (
    select coalesce((
        select e.touch_times[1] from path e where e.workspace_id = r.workspace_id and e.client_id = r.client_id
        and e.kind = 'won_deal' and e.record_id = r.id and coalesce(e.known_until, 'infinity') = 'infinity' limit 1
    ), p.touch_times[1]) as touch_at
) f on f.touch_at <= r.created_at"""
"""SQL that joins to a deal ``r``, with the path ``p`` by which it counts, its client's first touch before it."""
# A call that several systems tell of was answered if one says so.
CALL_OF_PATH = f"""
select bool_or(r.answered) as answered, bool_or(r.is_target) as is_target, bool_or(r.is_unique) as is_unique,
    max(r.talk_seconds) as talk_seconds, max(r.wait_seconds) as wait_seconds,
    exists (
        select from path e where e.workspace_id = p.workspace_id and e.client_id = p.client_id and e.kind = 'call'
        and e.occurred_at < p.occurred_at and {_CURRENT.format(row="e")}
    ) as called_before
from call r where r.workspace_id = p.workspace_id and r.id = any(p.record_id || p.also_told_by)
"""  # noqa: S608


def details_statement(workspace_id: UUID, start: date, end: date, *, by: Grain | str = Grain.CAMPAIGN) -> Statement:
    """The figures of ``DETAILS`` from ``start`` to ``end``, for the rows of the report that have any: columns
    ``campaign_id, channel, period, reason`` and the figures. Raises ``ValueError`` for an unknown grain."""
    grain = Grain(by)
    shown = shown_columns(grain, "k.name")
    keys = ", ".join(f"{shown[name]} as {name}" for name in ("campaign_id", "channel", "period", "reason"))
    sums = ", ".join(f"sum({figure}) as {figure}" for figure in DETAILS)
    counted = ", ".join(f"{each.whole} as {figure}" for figure, each in DETAILS.items())
    sql = f"""
select {keys}, {sums}
from (
    select p.campaign_id, p.reason, p.channel, {period_of(grain, "p.day")} as period, {counted}
    from path p
    left join lateral ({CALL_OF_PATH}) c on p.kind = 'call'
    left join lateral ({FIRST_DEAL_OF_PATH}) n on p.kind = 'won_deal'
    where p.workspace_id = %(report_workspace)s and p.day between %(report_start)s and %(report_end)s
    and p.known_until is null
    group by 1, 2, 3, 4
) c
left join campaign k on k.workspace_id = %(report_workspace)s and k.id = c.campaign_id
group by 1, 2, 3, 4
"""  # noqa: S608
    return Statement(sql, {"report_workspace": workspace_id, "report_start": start, "report_end": end})


async def detailed_report(
    conn: PsycopgConnection, workspace_id: UUID, start: date, end: date, *, by: Grain | str = Grain.CAMPAIGN
) -> CampaignReport:
    """The campaign report whose sums hold the figures of ``DETAILS`` too; see ``detail_metric``.

    Raises ``ValueError`` for a range that ends before it starts and ``LookupError`` for an unknown workspace.
    """
    report = await campaign_report(conn, workspace_id, start, end, by=by)
    statement = details_statement(workspace_id, start, end, by=by)
    found = await conn.execute(statement.sql.encode(), statement.params)
    details = {row[:4]: _sums(row[4:]) async for row in found}
    nothing = dict.fromkeys(DETAILS, Decimal(0))
    rows = [replace(row, sums=row.sums | details.get(_key(row), nothing)) for row in report.rows]
    totals = nothing.copy()
    for sums in details.values():
        for figure, amount in sums.items():
            totals[figure] += amount
    return CampaignReport(rows, replace(report.totals, sums=report.totals.sums | totals), report.currency)


def detail_metric(row: CampaignRow, key: str) -> Decimal | None:
    """A metric of ``DETAIL_METRICS`` over a row (or the totals) of ``detailed_report``."""
    return DETAIL_METRICS[key].value(row.sums)


def _sums(amounts: tuple[Any, ...]) -> dict[str, Decimal]:
    return {figure: Decimal(amount) for figure, amount in zip(DETAILS, amounts, strict=True)}


def _key(row: CampaignRow) -> tuple[object, ...]:
    return row.campaign_id, row.channel, row.period, row.reason
