"""The sums that reports read: campaign × day and campaign × month, kept by the same differences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

import orjson

from core.database import PsycopgConnection
from schema.enums import ConversionKind

FIGURES = (
    "cost",
    "impressions",
    "clicks",
    "visits",
    "calls",
    "leads",
    "new_clients",
    "won_deals",
    "paid_invoices",
    "revenue",
    "paid_amount",
)
"""The additive figures of a cell, as the columns are called."""

COUNTED_AS: Mapping[str, str] = {
    ConversionKind.CALL: "calls",
    ConversionKind.LEAD: "leads",
    ConversionKind.NEW_CLIENT: "new_clients",
    ConversionKind.WON_DEAL: "won_deals",
    ConversionKind.PAID_INVOICE: "paid_invoices",
}
"""Which figure a conversion adds 1 to."""

VALUED_AS: Mapping[str, str] = {ConversionKind.WON_DEAL: "revenue", ConversionKind.PAID_INVOICE: "paid_amount"}
"""Which figure a conversion adds its money to; the money of one deal may be in both, so they are never added up."""

_TYPES = {
    "cost": "numeric",
    "revenue": "numeric",
    "paid_amount": "numeric",
    "impressions": "bigint",
    "clicks": "bigint",
}


_COUNTS = ", ".join(f"count(*) filter (where kind = '{kind}') as {figure}" for kind, figure in COUNTED_AS.items())
_VALUES = ", ".join(
    f"coalesce(sum(revenue) filter (where kind = '{kind}'), 0) as {figure}" for kind, figure in VALUED_AS.items()
)
_SUMS = ", ".join(f"sum({figure})" for figure in FIGURES)
_DAYS = f"""
insert into rollup_day (workspace_id, day, campaign_id, reason, channel, {", ".join(FIGURES)})
select %(workspace)s, day, campaign_id, reason, channel, {_SUMS}
from (
    select day, campaign_id, reason, channel, 0 as cost, 0 as impressions, 0 as clicks, 0 as visits,
        {_COUNTS}, {_VALUES}
    from path where workspace_id = %(workspace)s and known_until is null group by 1, 2, 3, 4
    union all
    select day, campaign_id, reason, channel, 0, 0, 0, count(*), 0, 0, 0, 0, 0, 0, 0
    from settled_visit where workspace_id = %(workspace)s group by 1, 2, 3, 4
    union all
    select a.day, a.campaign_id, '', '', coalesce(sum(a.cost) filter (where a.currency = w.currency), 0),
        sum(a.impressions), sum(a.clicks), 0, 0, 0, 0, 0, 0, 0, 0
    from ad_spend a join workspace w on w.id = a.workspace_id
    where a.workspace_id = %(workspace)s and a.known_until is null group by 1, 2
) counted
group by 2, 3, 4, 5
"""  # noqa: S608
_MONTHS = f"""
insert into rollup_month (workspace_id, month, campaign_id, reason, channel, {", ".join(FIGURES)})
select %(workspace)s, date_trunc('month', day)::date, campaign_id, reason, channel, {_SUMS}
from rollup_day where workspace_id = %(workspace)s group by 2, 3, 4, 5
"""  # noqa: S608


class Cell(NamedTuple):
    """A campaign (nil: none, for ``reason``, with the ``channel`` that is known instead) on a day."""

    day: date
    campaign_id: UUID
    reason: str
    channel: str


class Differences:
    """What must be added to cells. Exact: whole numbers, and money as decimals."""

    def __init__(self) -> None:
        self.cells: dict[Cell, dict[str, Decimal]] = {}

    def add(self, cell: Cell, figure: str, amount: Decimal | int) -> None:
        figures = self.cells.setdefault(cell, {})
        figures[figure] = figures.get(figure, Decimal(0)) + amount

    def add_conversion(self, cell: Cell, kind: str, revenue: Decimal, *, times: int) -> None:
        """Count a conversion in (``times`` 1) or out (-1)."""
        self.add(cell, COUNTED_AS[kind], times)
        if revenue and kind in VALUED_AS:
            self.add(cell, VALUED_AS[kind], revenue * times)

    def changed(self) -> dict[Cell, dict[str, Decimal]]:
        """The cells whose figures change, without those that change by nothing."""
        kept = {
            cell: {figure: amount for figure, amount in figures.items() if amount}
            for cell, figures in self.cells.items()
        }
        return {cell: figures for cell, figures in kept.items() if figures}

    def by_month(self) -> Differences:
        months = Differences()
        for cell, figures in self.cells.items():
            for figure, amount in figures.items():
                months.add(cell._replace(day=cell.day.replace(day=1)), figure, amount)
        return months


async def apply(conn: PsycopgConnection, workspace_id: UUID, differences: Differences) -> int:
    """Add differences to both levels; returns the number of days' cells that changed."""
    days = differences.changed()
    await _upsert(conn, "rollup_day", "day", workspace_id, days)
    await _upsert(conn, "rollup_month", "month", workspace_id, differences.by_month().changed())
    return len(days)


async def recount(conn: PsycopgConnection, workspace_id: UUID) -> None:
    """Make both levels anew from current paths, counted visits and current costs, in the database itself."""
    for table, statement in (("rollup_day", _DAYS), ("rollup_month", _MONTHS)):
        await conn.execute(f"delete from {table} where workspace_id = %s", (workspace_id,))  # noqa: S608
        await conn.execute(statement.encode(), {"workspace": workspace_id})


async def stored(conn: PsycopgConnection, workspace_id: UUID, level: str) -> dict[Cell, dict[str, Decimal]]:
    """What a level ('day' or 'month') of the rollups holds, without zeros."""
    found = await conn.execute(
        f"select {level}, campaign_id, reason, channel, {', '.join(FIGURES)} from rollup_{level}"  # noqa: S608
        " where workspace_id = %s",
        (workspace_id,),
    )
    sums = Differences()
    async for day, campaign, reason, channel, *amounts in found:
        for figure, amount in zip(FIGURES, amounts, strict=True):
            sums.add(Cell(day, campaign, reason, channel), figure, amount)
    return sums.changed()


async def _upsert(
    conn: PsycopgConnection,
    table: str,
    time: str,
    workspace_id: UUID,
    cells: Mapping[Cell, Mapping[str, Decimal]],
) -> None:
    if not cells:
        return
    columns = ", ".join(FIGURES)
    types = ", ".join(f"{figure} {_TYPES.get(figure, 'integer')}" for figure in FIGURES)
    given = ", ".join(f"coalesce({figure}, 0)" for figure in FIGURES)
    additions = ", ".join(f"{figure} = {table}.{figure} + excluded.{figure}" for figure in FIGURES)
    # Rows come sorted by key: whoever else writes cells then waits for them in the same order.
    await conn.execute(
        f"insert into {table} (workspace_id, {time}, campaign_id, reason, channel, {columns})"  # noqa: S608
        f" select %(workspace)s, {time}, campaign_id, reason, channel, {given}"
        f" from json_to_recordset(%(rows)s::json)"
        f" as r({time} date, campaign_id uuid, reason text, channel text, {types})"
        f" on conflict (workspace_id, {time}, campaign_id, reason, channel) do update set {additions}",
        {"workspace": workspace_id, "rows": _rows(time, sorted(cells.items(), key=_by_key))},
    )


def _by_key(item: tuple[Cell, object]) -> tuple[date, int, str, str]:
    cell = item[0]
    return cell.day, cell.campaign_id.int, cell.reason, cell.channel


def _rows(time: str, cells: Iterable[tuple[Cell, Mapping[str, Decimal]]]) -> str:
    return orjson.dumps(
        [
            {
                time: cell.day,
                "campaign_id": cell.campaign_id,
                "reason": cell.reason,
                "channel": cell.channel,
                **{figure: str(amount) for figure, amount in figures.items()},
            }
            for cell, figures in cells
        ]
    ).decode()
