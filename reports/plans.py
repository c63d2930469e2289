"""Plan and fact: what months were planned to cost and to bring, beside what they did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from core.database import PsycopgConnection
from reports.campaigns import Grain, campaign_report
from reports.paths import NIL
from reports.rollups import FIGURES


@dataclass(frozen=True, slots=True)
class Planned:
    """What a month is planned to come to: of one campaign, of one channel, or of all."""

    month: date
    campaign_id: UUID | None
    channel: str | None
    figure: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class PlanAndFact:
    """A plan beside the fact; ``percent`` is fact ÷ plan × 100, None of a plan of 0."""

    plan: Planned
    fact: Decimal

    @property
    def percent(self) -> Decimal | None:
        if not self.plan.amount:
            return None
        return (self.fact * 100 / self.plan.amount).quantize(Decimal("0.01"))


async def set_plan(conn: PsycopgConnection, workspace_id: UUID, plan: Planned, author: str) -> bool:
    """Write a plan in place of a former one for the same; False if there is no such campaign.

    Raises ``ValueError`` for a day that begins no month and for a figure that reports don't sum.
    """
    if plan.month.day != 1:
        raise ValueError("A plan is for a month: give its first day.")
    if plan.figure not in FIGURES:
        raise ValueError(f"Plans are for {', '.join(FIGURES)}, not for {plan.figure!r}.")
    kept = await conn.execute(
        "insert into plan (workspace_id, month, campaign_id, channel, metric, amount, author)"
        " select %(workspace)s, %(month)s, %(campaign)s, %(channel)s, %(metric)s, %(amount)s, %(author)s"
        " where %(campaign)s = %(none)s or exists ("
        "     select from campaign where workspace_id = %(workspace)s and id = %(campaign)s)"
        " on conflict (workspace_id, month, campaign_id, channel, metric)"
        " do update set amount = excluded.amount, author = excluded.author, changed_at = now()",
        {**_key(workspace_id, plan), "none": NIL, "amount": plan.amount, "author": author},
    )
    return kept.rowcount > 0


async def remove_plan(conn: PsycopgConnection, workspace_id: UUID, plan: Planned) -> bool:
    """Take a plan away, whatever its amount; False if there is none."""
    gone = await conn.execute(
        "delete from plan where workspace_id = %(workspace)s and month = %(month)s and campaign_id = %(campaign)s"
        " and channel = %(channel)s and metric = %(metric)s",
        _key(workspace_id, plan),
    )
    return gone.rowcount > 0


async def plan_and_fact(conn: PsycopgConnection, workspace_id: UUID, start: date, end: date) -> list[PlanAndFact]:
    """The plans of the months from that of ``start`` to that of ``end``, each beside the whole month's fact."""
    first = start.replace(day=1)
    last = (end.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    found = await conn.execute(
        "select month, campaign_id, channel, metric, amount from plan where workspace_id = %s"
        " and month between %s and %s order by month, channel, campaign_id, metric",
        (workspace_id, first, last),
    )
    plans = [
        Planned(month, None if campaign == NIL else campaign, channel or None, figure, amount)
        async for month, campaign, channel, figure, amount in found
    ]
    if not plans:
        return []
    report = await campaign_report(conn, workspace_id, first, last, by=Grain.CAMPAIGN_MONTH)
    return [
        PlanAndFact(
            plan,
            sum(
                (
                    row.sums[plan.figure]
                    for row in report.rows
                    if row.period == plan.month
                    and plan.campaign_id in {None, row.campaign_id}
                    and plan.channel in {None, row.channel}
                ),
                Decimal(0),
            ),
        )
        for plan in plans
    ]


def _key(workspace_id: UUID, plan: Planned) -> dict[str, object]:
    return {
        "workspace": workspace_id,
        "month": plan.month,
        "campaign": plan.campaign_id or NIL,
        "channel": plan.channel or "",
        "metric": plan.figure,
    }
