"""Money that figures leave out since it isn't in the workspace's currency: told beside them, never added up."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from reports.campaigns import Statement
from reports.rollups import VALUED_AS

MONEY = ("cost", "revenue", "paid_amount")
"""The figures that are money."""


def other_currencies_statement(
    workspace_id: UUID, start: date, end: date, *, as_known_at: datetime | None = None
) -> Statement:
    """From ``start`` to ``end``, both included: ``currency`` and what of each figure of ``MONEY`` is in it, for all
    currencies but the workspace's. The days are those of the report: of costs the ad platform's, of sales the
    workspace's."""
    params: dict[str, Any] = {"report_workspace": workspace_id, "report_start": start, "report_end": end}
    known = "{x}.known_until is null"
    if as_known_at is not None:
        params["report_known"] = as_known_at
        known = (
            "{x}.known_from <= %(report_known)s and ({x}.known_until is null or {x}.known_until > %(report_known)s)"
        )
    values = ", ".join(
        f"sum(p.value) filter (where p.kind = '{kind}') as {figure}" for kind, figure in VALUED_AS.items()
    )
    within = "{x}.workspace_id = %(report_workspace)s and {x}.day between %(report_start)s and %(report_end)s"
    sql = f"""
select currency, {", ".join(f"coalesce(sum({figure}), 0) as {figure}" for figure in MONEY)} from (
    select a.currency, sum(a.cost) as cost, 0 as revenue, 0 as paid_amount
    from ad_spend a join workspace w on w.id = a.workspace_id
    where {within.format(x="a")} and {known.format(x="a")} and a.currency <> w.currency group by 1
    union all
    select currency, 0, revenue, paid_amount from (
        select p.currency, {values} from path p join workspace w on w.id = p.workspace_id
        where {within.format(x="p")} and {known.format(x="p")} and p.currency <> w.currency
        and p.kind in ({", ".join(f"'{kind}'" for kind in VALUED_AS)}) and p.value <> 0 group by 1
    ) sold
) told group by 1 order by 1
"""  # noqa: S608 - the pieces are ours
    return Statement(sql, params)
