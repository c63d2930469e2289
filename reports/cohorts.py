"""What clients bring after their first sale, by the campaign that brought them: retention, revenue, LTV, payback.

A cohort is the clients whose first won deal counts for a campaign in a range of days. Month ``m`` of a client's
life begins ``m`` calendar months after that deal. A client is counted in the months that are over, so that young
clients don't look lost: every figure of a month is one of the clients who have lived through it.

First sales in a closed period, and what their campaigns cost, are as known when it was closed, by the rules of
then; what these clients bring is as known now. As known at a moment that is asked for, all of it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID

from core.database import PsycopgConnection
from reports.campaigns import campaign_report
from reports.paths import NIL
from reports.serving import Rates, Served, hours_statement
from reports.standing import STANDS_ALONE, Standing
from reports.terms import Terms

MOST_MONTHS = 36
NO_RATES = Rates()

_MONTH = "(extract(year from {age}) * 12 + extract(month from {age}))::int"
_FIRST = """
select distinct on (n.client_id) * from (
    select coalesce(c.merged_into, n.client_id) as client_id, n.campaign_id, n.reason, n.channel, n.day,
        least(%(most)s, {lived}) as lived
    from path n left join client c on {now} and c.workspace_id = n.workspace_id and c.id = n.client_id
    where n.workspace_id = %(workspace)s and n.kind = 'new_client' and {known}
    and n.day between %(start)s and %(end)s
) n order by n.client_id, n.day"""
_CLIENTS = "select campaign_id, reason, channel, lived, count(*) from ({first}) n group by 1, 2, 3, 4"
_SALES = """
select n.campaign_id, n.reason, n.channel, n.lived, s.month, count(distinct n.client_id), sum(s.revenue)
from ({first}) n cross join lateral (
    select {month} as month, p.revenue from path p
    where p.workspace_id = %(workspace)s and p.client_id = n.client_id and p.kind = 'won_deal'
    and {known} and p.day >= n.day
) s
where s.month < n.lived group by 1, 2, 3, 4, 5
"""
_NOW = "coalesce({row}.known_until, 'infinity') = 'infinity'"
_THEN = "{row}.known_from <= %(known)s and coalesce({row}.known_until, 'infinity') > %(known)s"


@dataclass(frozen=True, slots=True)
class _Statements:
    """What is asked of the database: whose first sales, what they bought, and the hours of work with them."""

    clients: str
    sales: str
    hours: str


def _statements(held: Standing) -> _Statements:
    life_then = held.as_known_at is not None and held.closed is None
    month = _MONTH.format(age="age(p.day, n.day)")
    first = _FIRST.format(
        lived=_MONTH.format(age="age(%(today)s::date, n.day)"),
        known=(_NOW if held.as_known_at is None else _THEN).format(row="n"),
        now=not life_then,
    )
    sales = _SALES.format(first=first, month=month, known=(_THEN if life_then else _NOW).format(row="p"))
    return _Statements(_CLIENTS.format(first=first), sales, hours_statement(first, month))


@dataclass(frozen=True, slots=True)
class CohortMonth:
    """A month of life: of the ``clients`` who have lived through it, how many bought and for how much.

    ``retention`` is active ÷ clients × 100. ``nrr`` is their revenue of the month ÷ that of month 0 × 100.
    ``ltv`` is what a client has brought up to its end: the sum of the months' revenue per client. ``hours`` are
    those of work with them (``reports.serving``), None where none are known; ``cost_to_serve`` what these cost,
    None without a rate for each of them; ``ltv_served`` is the LTV less the cost to serve of the months up to this
    one, None while none is known.
    """

    month: int
    clients: int
    active: int
    revenue: Decimal
    retention: Decimal
    nrr: Decimal | None
    ltv: Decimal
    hours: Decimal | None = None
    cost_to_serve: Decimal | None = None
    ltv_served: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Cohort:
    """``cost`` is what the campaign cost in the days of the first sales; ``payback_months`` after how many months
    of life a client has brought his ``cac``, None while he hasn't, or where nothing is known of the cost."""

    campaign_id: UUID | None
    name: str | None
    reason: str | None
    channel: str | None
    clients: int
    cost: Decimal
    cac: Decimal | None
    months: tuple[CohortMonth, ...]
    payback_months: int | None


@dataclass(slots=True)
class _Lives:
    """Clients, buyers and revenue by months lived through and month of life."""

    clients: dict[int, int]
    sales: dict[tuple[int, int], tuple[int, Decimal]]
    served: dict[tuple[int, int], Served]


async def cohorts(
    conn: PsycopgConnection,
    terms: Terms,
    start: date,
    end: date,
    today: date,
    *,
    most: int = 12,
    rates: Rates = NO_RATES,
    held: Standing = STANDS_ALONE,
) -> list[Cohort]:
    """The cohorts of first sales from ``start`` to ``end``, the largest first, with up to ``most`` months of life;
    ``rates`` say what an hour of work with them costs, ``held`` as of when they are known and by which rules.

    Raises ``ValueError`` for days in the wrong order and for more months than can be asked for.
    """
    if not 1 <= most <= MOST_MONTHS:
        raise ValueError(f"Ask for 1 to {MOST_MONTHS} months of life, not {most}.")
    report = await campaign_report(
        conn, terms.workspace_id, start, end, as_known_at=held.as_known_at, rules=replace(held.rules, groups={})
    )
    meant = held.rules.meant
    shown = {
        (row.campaign_id or NIL, row.reason or "", "" if row.campaign_id else row.channel or ""): row
        for row in report.rows
    }
    parameters = {"workspace": terms.workspace_id, "start": start, "end": end, "today": today, "most": most}
    parameters |= {"known": held.as_known_at, "zone": terms.zone.key, **rates.parameters}
    lives: dict[tuple[UUID, str, str], _Lives] = defaultdict(lambda: _Lives({}, {}, {}))
    asked = _statements(held)
    async for campaign, reason, channel, lived, clients in await conn.execute(asked.clients.encode(), parameters):
        life = lives[meant.get(campaign, campaign), reason, channel]
        life.clients[lived] = life.clients.get(lived, 0) + clients
    found = await conn.execute(asked.sales.encode(), parameters)
    async for campaign, reason, channel, lived, month, active, revenue in found:
        life = lives[meant.get(campaign, campaign), reason, channel]
        buyers, before = life.sales.get((lived, month), (0, Decimal(0)))
        life.sales[lived, month] = (buyers + active, before + revenue)
    found = await conn.execute(asked.hours.encode(), parameters)
    async for campaign, reason, channel, lived, month, hours, cost, unpriced in found:
        life = lives[meant.get(campaign, campaign), reason, channel]
        life.served[lived, month] = _more(life.served.get((lived, month)), hours, None if unpriced else cost)
    made = []
    for key, life in lives.items():
        row = shown[key]
        cost = row.sums["cost"]
        clients = sum(life.clients.values())
        cac = _rounded(cost / clients) if row.campaign_id and cost else None
        months = tuple(_months(life, most))
        made.append(
            Cohort(
                row.campaign_id,
                row.name,
                row.reason,
                row.channel,
                clients,
                cost,
                cac,
                months,
                _payback(months, cac),
            )
        )
    return sorted(made, key=lambda each: (-each.clients, each.name or each.channel or each.reason or ""))


def _more(served: Served | None, hours: Decimal, cost: Decimal | None) -> Served:
    """Those hours beside what is counted already; the cost is known where that of both is."""
    if served is None:
        return Served(hours, cost)
    both = None if served.cost is None or cost is None else served.cost + cost
    return Served(served.hours + hours, both)


def _months(life: _Lives, most: int) -> Iterable[CohortMonth]:
    ltv, spent = Decimal(0), None
    for month in range(most):
        old_enough = [lived for lived in life.clients if lived > month]
        clients = sum(life.clients[lived] for lived in old_enough)
        if not clients:
            return
        sales = [life.sales.get((lived, month), (0, Decimal(0))) for lived in old_enough]
        active, revenue = sum(number for number, _ in sales), sum((amount for _, amount in sales), Decimal(0))
        at_first = sum((life.sales.get((lived, 0), (0, Decimal(0)))[1] for lived in old_enough), Decimal(0))
        ltv += revenue / clients
        served = [life.served[lived, month] for lived in old_enough if (lived, month) in life.served]
        costs = [each.cost for each in served if each.cost is not None]
        cost = sum(costs, Decimal(0)) if costs and len(costs) == len(served) else None
        if cost is not None:
            spent = (spent or Decimal(0)) + cost / clients
        yield CohortMonth(
            month,
            clients,
            active,
            revenue,
            _rounded(Decimal(active) * 100 / clients),
            _rounded(revenue * 100 / at_first) if at_first else None,
            _rounded(ltv),
            _rounded(sum((each.hours for each in served), Decimal(0))) if served else None,
            None if cost is None else _rounded(cost),
            None if spent is None else _rounded(ltv - spent),
        )


def _payback(months: Iterable[CohortMonth], cac: Decimal | None) -> int | None:
    if cac is None:
        return None
    return next((each.month + 1 for each in months if each.ltv >= cac), None)


def _rounded(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)
